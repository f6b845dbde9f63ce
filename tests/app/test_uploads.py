"""Uploads end with a sentence: what was read, what was left out and why."""

import io
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lrpseg.app import commands
from lrpseg.workspace import Limits, Workspace
from tests.workspace_support import SETTINGS, make_zip, picture


def service(limits: Limits) -> Any:
    """What `add_files` asks of a service, without networks."""
    return SimpleNamespace(
        limits=limits,
        sessions=SimpleNamespace(check_room=lambda workspace: None),
        analyser=SimpleNamespace(wake=lambda workspace: None),
    )


def test_an_upload_is_summed_up_by_kind(
    toy_assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRPSEG_ASSETS", str(toy_assets))
    workspace = Workspace(tmp_path / "ws")
    inner = make_zip({"x.png": picture()})
    packed = make_zip({
        "a.png": picture(1), "notes.txt": b"hello", "inner.zip": inner,
        ".hidden.png": picture(3), ".cache/b.png": picture(4), "__MACOSX/._a.png": b"x",
        "belt/.DS_Store": b"x", "Thumbs.db": b"x",
    })  # fmt: skip
    (tmp_path / "many.zip").write_bytes(packed)
    (tmp_path / "large.png").write_bytes(bytes(20_000))
    (tmp_path / "b.png").write_bytes(picture(2))
    paths = [(tmp_path / name, name) for name in ("many.zip", "large.png", "b.png")]
    added = commands.add_files(service(Limits(max_bytes=19_000)), workspace, paths, SETTINGS)
    assert added.sentence() == (
        "2 pictures read, 5 left out: 2 (hidden), 1 (no picture), 1 (zip inside of a zip), "
        "1 (too large)"
    )
    assert [name for name, _ in added.refused] == ["inner.zip", "large.png"]
    assert len(added.ids) == 3  # what is no picture is listed, with the reason
    few = commands.add_files(service(Limits(max_files=1)), workspace, paths[:1], SETTINGS)
    assert few.sentence() == "1 picture read, 1 left out: 1 (too many files)"
    good = commands.add_files(service(Limits()), workspace, paths[2:], SETTINGS)
    assert good.sentence() == "1 picture read, none left out"


def test_links_and_damage_in_a_zip_have_kinds_of_their_own(
    toy_assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRPSEG_ASSETS", str(toy_assets))
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("bad.png", b"hello, this is stored")
    (tmp_path / "a.zip").write_bytes(file.getvalue().replace(b"hello", b"HELLO"))
    paths = [(tmp_path / "a.zip", "a.zip")]
    added = commands.add_files(service(Limits()), Workspace(tmp_path / "ws"), paths, SETTINGS)
    assert added.sentence() == (
        "0 pictures read, 2 left out: 1 (link inside of a zip), 1 (cannot be read)"
    )
