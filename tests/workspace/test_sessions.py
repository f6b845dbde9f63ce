"""Workspaces of visitors, and sessions that are stored and come back."""

import io
import json
import shutil
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lrpseg.workspace import (
    NoSuchWorkspace,
    Quota,
    Sessions,
    Workspace,
    WorkspaceError,
    export_zip,
    load_session,
    read_settings,
    save_session,
)
from lrpseg.workspace.sessions import _hash
from tests.workspace_support import LIMITS, SETTINGS, SHAPE, analysed, make_zip, result

pytestmark = pytest.mark.usefixtures("only_toy")


def test_a_session_comes_back_as_it_was(tmp_path: Path) -> None:
    here = Workspace(tmp_path / "here")
    item = analysed(here, "belt/ä.png")
    values = np.random.default_rng(0).integers(0, 3, SHAPE, dtype=np.uint8)
    here.patch_corrections(item.id, 0, 0, SHAPE[1], SHAPE[0], values)
    here.set_threshold(item.id, 0.4)
    here.set_cleaning(item.id, 3, 5)
    here.add_seconds(item.id, 12.5)
    mask = io.BytesIO()
    Image.fromarray(np.eye(*SHAPE, dtype=bool)).save(mask, "PNG")
    here.set_truth(item.id, mask.getvalue())
    here.set_status(item.id, "accepted")
    here.add("broken.png", b"x", SETTINGS)
    save_session(here, tmp_path / "session.zip")
    there = Workspace(tmp_path / "there")
    first, second = (there.item(i) for i in load_session(there, tmp_path / "session.zip", LIMITS))
    assert (first.name, first.sha256) == (item.name, item.sha256)
    assert (first.threshold, first.min_area, first.max_hole, first.seconds) == (0.4, 3, 5, 12.5)
    assert np.array_equal(there.corrections(first.id), values)
    truth = there.truth(first.id)
    assert truth is not None
    assert np.array_equal(truth, np.eye(*SHAPE, dtype=bool))
    assert second.status == "failed"
    claimed = there.claim_next()
    assert claimed is not None
    there.finish(first.id, claimed.analysis_key, result())
    assert there.item(first.id).status == "accepted"


@pytest.mark.parametrize(
    "change",
    [
        lambda w, i: w.set_threshold(i, 0.5),
        lambda w, i: w.patch_corrections(i, 0, 0, 1, 1, b"\x01"),
        lambda w, i: w.set_settings(i, replace(SETTINGS, thresholder="bmm")),
        None,
    ],
    ids=["threshold", "stroke", "settings", "weights"],
)
def test_what_changes_before_its_analysis_is_not_accepted(
    tmp_path: Path, change: Callable[[Workspace, str], object] | None
) -> None:
    here, there = Workspace(tmp_path / "here"), Workspace(tmp_path / "there")
    here.set_status(analysed(here).id, "accepted")
    save_session(here, tmp_path / "s.zip")
    if change is None:
        with zipfile.ZipFile(tmp_path / "s.zip") as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
        manifest = json.loads(entries["session.json"])
        manifest["items"][0]["weights"] = "others"
        entries["session.json"] = json.dumps(manifest).encode()
        (tmp_path / "s.zip").write_bytes(make_zip(entries))
    (id,) = load_session(there, tmp_path / "s.zip", LIMITS)
    if change is not None:
        change(there, id)
    claimed = there.claim_next()
    assert claimed is not None
    there.finish(id, claimed.analysis_key, result())
    assert there.item(id).status in ("todo", "edited")


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.pop("items"),
        lambda m: m.update(format=99),
        lambda m: m.update(items="x"),
        lambda m: m["items"][0].update(settings={}),
        lambda m: m["items"][0]["settings"].update(domain="../../x"),
        lambda m: m["items"][0]["layers"][0].update(threshold="high"),
        lambda m: m["items"][0]["layers"][0].pop("kept"),
        lambda m: m["items"][0]["layers"][0].update({"class": "../x"}),
        lambda m: m["items"][0].update(layers="x"),
        lambda m: m.update(format="2"),
        lambda m: m["items"][0].update(number=-1),
        lambda m: m["items"][0].update(number="../../etc/passwd"),
    ],
)
def test_sessions_of_strangers_are_checked(tmp_path: Path, change: object) -> None:
    workspace = Workspace(tmp_path / "ws")
    analysed(workspace)
    save_session(workspace, tmp_path / "s.zip")
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(entries["session.json"])
    change(manifest)  # type: ignore[operator]
    entries["session.json"] = json.dumps(manifest).encode()
    path = tmp_path / "changed.zip"
    path.write_bytes(make_zip(entries))
    with pytest.raises(WorkspaceError):
        load_session(workspace, path, LIMITS)
    assert len(workspace.items()) == 1


def test_of_a_session_that_is_incomplete_nothing_stays(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    analysed(workspace)
    analysed(workspace, "b.png")
    save_session(workspace, tmp_path / "s.zip")
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        entries = {n: archive.read(n) for n in archive.namelist() if n != "1/original"}
    (tmp_path / "half.zip").write_bytes(make_zip(entries))
    other = Workspace(tmp_path / "other")
    with pytest.raises(WorkspaceError, match="incomplete"):
        load_session(other, tmp_path / "half.zip", LIMITS)
    assert other.items() == []


def test_settings_that_an_older_session_lacks_become_the_defaults(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    item = analysed(workspace)
    save_session(workspace, tmp_path / "s.zip")
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(entries["session.json"])
    del manifest["items"][0]["settings"]["refiner"]
    path = tmp_path / "older.zip"
    path.write_bytes(make_zip(entries | {"session.json": json.dumps(manifest).encode()}))
    (id,) = load_session(workspace, path, LIMITS)
    assert workspace.item(id).settings == item.settings


@pytest.mark.parametrize("name", ["../x", "C:x", "a\\b", "..", "", 3, None])
def test_settings_are_names_and_no_paths(name: object) -> None:
    values = asdict(SETTINGS)
    assert read_settings(values) == SETTINGS
    for field in ("domain", "network", "thresholder"):
        with pytest.raises(WorkspaceError, match="names"):
            read_settings(values | {field: name})
    with pytest.raises(WorkspaceError, match="incomplete"):
        read_settings({"domain": "toy"})


def test_visitors_workspaces_are_apart_and_are_swept(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path / "visitors", hosted=True)
    (mine, first), (other, second) = sessions.open(), sessions.open()
    assert mine != other
    assert first.folder != second.folder
    assert sessions.open(mine)[0] == mine
    analysed(first)
    assert second.items() == []
    for wrong in ("", mine[:-1], mine + "x", first.folder.name, "../" + first.folder.name):
        with pytest.raises(NoSuchWorkspace):
            sessions.get(wrong)
    assert not any(mine in p.read_text("utf-8", "ignore") for p in first.folder.rglob("*.json"))
    # After a restart of the server the token still opens it.
    again = Sessions(tmp_path / "visitors", hosted=True)
    assert [i.name for i in again.get(mine).items()] == ["a.png"]
    assert again.sweep() == 0
    assert again.sweep(time.time() + 90_000) == 2
    with pytest.raises(NoSuchWorkspace):
        again.get(mine)
    assert not first.folder.exists()


def test_two_may_sweep_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions(tmp_path, hosted=True)
    token, workspace = sessions.open()
    found = sessions._folders()
    monkeypatch.setattr(sessions, "_folders", lambda: found)
    shutil.rmtree(workspace.folder)  # the other one was faster
    assert sessions.sweep(time.time() + 90_000) == 0
    monkeypatch.undo()
    sessions._touched.clear()
    with pytest.raises(NoSuchWorkspace):
        sessions.get(token)


def test_a_visitors_workspace_can_be_full(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path, hosted=True, quota=Quota(size=500_000))
    _, workspace = sessions.open()
    analysed(workspace)
    sessions.check_room(workspace)
    (workspace.folder / "much").write_bytes(bytes(500_000))
    with pytest.raises(WorkspaceError, match="delete some pictures"):
        sessions.check_room(workspace)
    alone = Sessions(tmp_path / "own")
    alone.check_room(alone.open()[1])


def test_only_some_visitors_workspaces_keep_their_files_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lrpseg.workspace.sessions._AWAKE", 2)
    sessions = Sessions(tmp_path, hosted=True)
    tokens = []
    for _ in range(4):
        token, workspace = sessions.open()
        tokens.append(token)
        analysed(workspace)
    held = [sessions._open[_hash(token)]._held is not None for token in tokens]
    assert held == [False, False, True, True]
    first = sessions.get(tokens[0])  # it wakes up again
    first.patch_corrections(first.items()[0].id, 0, 0, 1, 1, b"\x01")
    held = [sessions._open[_hash(token)]._held is not None for token in tokens]
    assert held == [True, False, False, True]


def test_one_workspace_for_ones_own_machine(tmp_path: Path) -> None:
    token, _ = Sessions(tmp_path).open()
    assert Sessions(tmp_path).open("anything")[0] == token
    assert (tmp_path / "token").stat().st_mode & 0o077 == 0
    with pytest.raises(NoSuchWorkspace):
        Sessions(tmp_path).get("guess")


def test_nothing_to_export(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    with pytest.raises(WorkspaceError, match="nothing to export"):
        export_zip(workspace, tmp_path / "x.zip")
    with pytest.raises(WorkspaceError, match="empty"):
        save_session(workspace, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()
