"""What a visitor of a hosted page may take: pixels and room on the disk."""

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from lrpseg.app import commands
from lrpseg.app.service import Service
from lrpseg.core.errors import ImageError
from lrpseg.workspace import (
    Limits,
    Quota,
    Sessions,
    UnavailableError,
    Workspace,
    WorkspaceError,
    load_session,
    save_session,
)
from lrpseg.workspace.quota import MAP_BYTES
from tests.workspace_support import LIMITS, SETTINGS, SHAPE, analysed, make_zip, picture, result

pytestmark = pytest.mark.usefixtures("only_toy")
PIXELS = SHAPE[0] * SHAPE[1]


def hosted(root: Path, **quota: float) -> Sessions:
    return Sessions(root, hosted=True, quota=Quota(**{"free": 0, **quota}))  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------- pixels


def test_a_small_file_with_many_pixels_is_not_even_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(*args: object) -> None:
        raise AssertionError("it was decoded")

    blank = io.BytesIO()
    Image.new("1", (3000, 2000)).save(blank, "PNG")
    assert len(blank.getvalue()) < 2000
    sessions = hosted(tmp_path, pixels=5_000_000)
    _, workspace = sessions.open()
    monkeypatch.setattr("lrpseg.workspace.store.read_picture", decode)
    item = workspace.add("large.png", blank.getvalue(), SETTINGS)
    assert item.status == "failed"
    assert "6 megapixels (3000x2000)" in (item.reason or "")
    assert "it may have 5" in (item.reason or "")
    assert workspace.claim_next() is None
    with pytest.raises(ImageError, match="6 megapixels"):
        sessions.check_picture(blank.getvalue())
    sessions.check_picture(picture())
    Sessions(tmp_path / "own").check_picture(blank.getvalue())


def test_what_has_no_known_header_is_measured_when_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lrpseg.workspace.quota.pixel_size", lambda data: None)
    _, workspace = hosted(tmp_path, pixels=PIXELS - 1).open()
    assert workspace.add("a.png", picture(), SETTINGS).status == "failed"
    _, workspace = hosted(tmp_path, pixels=PIXELS).open()
    assert workspace.add("a.png", picture(), SETTINGS).status == "waiting"


def test_a_mask_that_cannot_fit_is_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(*args: object) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr("lrpseg.workspace.correcting.read_mask", decode)
    monkeypatch.setattr("lrpseg.app.commands.masking.read_mask", decode)
    workspace = Workspace(tmp_path)
    item, large = analysed(workspace), io.BytesIO()
    Image.new("1", (3000, 2000)).save(large, "PNG")
    for change in (workspace.set_truth, lambda *a: commands.replace_mask(workspace, *a)):
        with pytest.raises(ImageError, match="3000x2000 pixels and the picture 50x40"):
            change(item.id, large.getvalue())


# -------------------------------------------------------------------------------- room on the disk


def test_each_picture_is_counted_with_the_heatmap_that_it_will_have(tmp_path: Path) -> None:
    one = len(picture()) + 2 * MAP_BYTES * PIXELS
    _, workspace = hosted(tmp_path, size=150_000 + 5 * one).open()

    def fill() -> None:  # as of one zip, or one session file
        for number in range(100):
            workspace.add(f"{number}.png", picture(number), SETTINGS)

    with pytest.raises(UnavailableError, match="delete some pictures"):
        fill()
    added = len(workspace.items())
    assert 1 < added < 20
    assert len(list((workspace.folder / "items").iterdir())) == added
    while (claimed := workspace.claim_next()) is not None:
        workspace.finish(claimed.id, claimed.analysis_key, result())
    size = sum(f.stat().st_size for f in workspace.folder.rglob("*") if f.is_file())
    assert size < 400_000 + 5 * one  # but for the log of the database


class Sleeping:
    """An analyser that never does anything."""

    def wake(self, workspace: Workspace) -> None:
        pass


def test_of_many_files_those_stay_for_which_there_was_room(tmp_path: Path) -> None:
    sessions = hosted(tmp_path / "visitors", size=250_000)
    _, workspace = sessions.open()
    service = Service(sessions, Sleeping(), Limits.hosted())  # type: ignore[arg-type]
    entries = {f"{number}.png": picture(number) for number in range(30)}
    (tmp_path / "many.zip").write_bytes(make_zip(entries))
    added = commands.add_files(service, workspace, [(tmp_path / "many.zip", "many.zip")], SETTINGS)
    assert 0 < len(added.ids) < 30
    assert len(added.ids) + len(added.refused) == 30
    assert "delete some pictures" in added.refused[0][1]
    assert [item.id for item in workspace.items()] == added.ids


def test_who_has_used_half_of_the_room_keeps_no_former_analyses(tmp_path: Path) -> None:
    _, workspace = hosted(tmp_path).open()
    item = analysed(workspace)
    for crowded in (False, True):
        workspace.quota = Quota(size=1000 if crowded else 10**9)
        for rule_set in ("montavon", "ours"):
            changed = workspace.set_settings(item.id, replace(SETTINGS, rule_set=rule_set))
            workspace.finish(item.id, changed.analysis_key, result())
        kept = len(list((workspace.folder / "items" / item.id).glob("relevance-*.json")))
        assert kept == (1 if crowded else 2)


def test_strokes_of_a_full_workspace_wait_in_the_browser(tmp_path: Path) -> None:
    _, workspace = hosted(tmp_path).open()
    item = analysed(workspace)
    workspace.patch_corrections(item.id, 0, 0, 1, 1, b"\x01")
    workspace.quota = Quota(size=1000)
    with pytest.raises(UnavailableError, match="delete some pictures"):
        workspace.patch_corrections(item.id, 1, 1, 1, 1, b"\x01")
    workspace.delete(item.id)


# ----------------------------------------------------------------------------------- session files


def session_of(tmp_path: Path) -> tuple[dict[str, bytes], dict]:  # type: ignore[type-arg]
    """The entries of a session file with a drawn picture, and its manifest."""
    workspace = Workspace(tmp_path / "ws")
    item = analysed(workspace)
    workspace.patch_corrections(item.id, 0, 0, 1, 1, b"\x01")
    save_session(workspace, tmp_path / "s.zip")
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    return entries, json.loads(entries["session.json"])


def twice(manifest: dict) -> None:  # type: ignore[type-arg]
    manifest["items"] *= 2


def many_classes(manifest: dict) -> None:  # type: ignore[type-arg]
    layer = manifest["items"][0]["layers"][0]
    manifest["items"][0]["layers"] += [layer | {"class": f"c{n}", "kept": True} for n in range(200)]


@pytest.mark.parametrize(
    ("change", "says"), [(twice, "a picture twice"), (many_classes, "64 classes")]
)
def test_a_session_file_uses_nothing_twice(
    tmp_path: Path,
    change: Callable[[dict], None],
    says: str,  # type: ignore[type-arg]
) -> None:
    entries, manifest = session_of(tmp_path)
    change(manifest)
    entries["session.json"] = json.dumps(manifest).encode()
    (tmp_path / "x.zip").write_bytes(make_zip(entries))
    there = Workspace(tmp_path / "there")
    with pytest.raises(WorkspaceError, match=says):
        load_session(there, tmp_path / "x.zip", LIMITS)
    assert there.items() == []


def test_what_a_session_file_holds_is_counted_while_it_comes(tmp_path: Path) -> None:
    entries, manifest = session_of(tmp_path)
    first = manifest["items"][0]
    manifest["items"] = [first | {"number": n} for n in range(6)]
    for number in range(1, 6):
        entries |= {f"{number}/{n.split('/')[1]}": v for n, v in entries.items() if n[:2] == "0/"}
    entries["session.json"] = json.dumps(manifest).encode()
    (tmp_path / "x.zip").write_bytes(make_zip(entries))
    there = Workspace(tmp_path / "there")
    with pytest.raises(WorkspaceError, match="larger than"):
        load_session(
            there, tmp_path / "x.zip", replace(LIMITS, max_expanded=4 * len(entries["0/original"]))
        )
    assert there.items() == []
    _, small = hosted(tmp_path / "visitors", size=220_000).open()
    with pytest.raises(UnavailableError, match="delete some pictures"):
        load_session(small, tmp_path / "x.zip", LIMITS)
    assert small.items() == []
    assert len(load_session(there, tmp_path / "x.zip", LIMITS)) == 6


def test_a_part_of_a_session_file_may_not_expand_without_end(tmp_path: Path) -> None:
    entries, _ = session_of(tmp_path)
    entries["0/original"] = entries["0/original"] + bytes(1_900_000)
    (tmp_path / "x.zip").write_bytes(make_zip(entries))
    with pytest.raises(WorkspaceError, match="too tightly"):
        load_session(Workspace(tmp_path / "there"), tmp_path / "x.zip", LIMITS)


def test_corrections_of_another_size_are_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(*args: object) -> None:
        raise AssertionError("they were decoded")

    entries, _ = session_of(tmp_path)
    large = io.BytesIO()
    Image.new("L", (3000, 2000)).save(large, "PNG")
    entries["0/corrections-0.png"] = large.getvalue()
    (tmp_path / "x.zip").write_bytes(make_zip(entries))
    monkeypatch.setattr("lrpseg.workspace.session_file.read_image", decode)
    with pytest.raises(ImageError, match="3000x2000"):
        load_session(Workspace(tmp_path / "there"), tmp_path / "x.zip", LIMITS)
