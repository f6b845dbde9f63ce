"""Commands end with a sentence where a disk is full, damaged, or is not where it was said to be."""

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lrpseg.cli.main import main
from lrpseg.core.errors import DiskFullError
from lrpseg.core.files import disk_of
from lrpseg.folders.opening import open_annotated
from lrpseg.masks.render import mask_image, save_png
from lrpseg.workspace import Workspace
from tests.workspace_support import analysed, folder_of, picture

pytestmark = pytest.mark.usefixtures("narrow")

COMMANDS: dict[str, Callable[[Path], list[str]]] = {
    "annotate": lambda here: [
        "annotate", str(here / "in"), "--out", str(here / "out"), "--domain", "toy",
        "--network", "one-fc", "--device", "cpu",
    ],
    "export": lambda here: ["export", "--workspace", str(here / "ws"), "--out", str(here / "out")],
    "import": lambda here: [
        "import", str(here / "masks"), "--workspace", str(here / "ws"), "--as", "truth"
    ],
}  # fmt: skip


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A picture in `in`, a workspace with it in `ws`, and a mask of it in `masks`."""
    workspace = Workspace(tmp_path / "ws")
    item = analysed(workspace)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(picture())
    save_png(mask_image(workspace.mask(item.id)), tmp_path / "masks" / "a.png")
    workspace.rest()
    return tmp_path


def sentence(command: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command that fails says; it is one line."""
    assert main(command) in (1, 2)
    said = capsys.readouterr().err
    lines = [line for line in said.splitlines() if line.startswith(("lrpseg: ", "refused: "))]
    assert len(lines) == 1, said
    assert "Traceback" not in said
    return lines[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_named(
    here: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    said = sentence(COMMANDS[name](here), capsys)
    assert "ove it away" not in said
    assert f"The disk {disk_of(here)[0]} (" in said
    assert ("--resume" in said) == (name == "annotate")


def test_sqlite_may_be_the_first_to_say_so(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan is a database, too."""

    def full(*args: object, **kwargs: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr("lrpseg.folders.run.make_plan", full)
    said = sentence(COMMANDS["annotate"](here), capsys)
    assert f"The disk {disk_of(here)[0]} (" in said


def test_what_annotate_wrote_is_not_opened_picture_by_picture_on_a_full_disk(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        (here / "in" / f"{number}.png").write_bytes(picture(number))
    assert main(COMMANDS["annotate"](here)) == 0
    tried = []

    def full(*args: object, **kwargs: object) -> None:
        tried.append(1)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    Workspace(here / "out")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DiskFullError, match="MB free"):
        open_annotated(here / "out")
    assert len(tried) == 2  # one picture, and the list of what is done


@pytest.mark.parametrize("name", ["annotate", "export"])
@pytest.mark.parametrize("below", ["", "below"])
def test_out_that_is_a_file_is_told(
    here: Path, name: str, below: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "out").write_bytes(b"somebody's")
    command: list[Any] = COMMANDS[name](here)
    command[command.index("--out") + 1] = str(here / "out" / below)
    said = sentence(command, capsys)
    assert "out" in said
    assert "Choose another" in said
    assert (here / "out").read_bytes() == b"somebody's"


def test_what_is_damaged_is_left_out_of_an_export_and_named(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace(here / "ws")
    (folder_of(workspace, analysed(workspace, "b.png")) / "original").write_bytes(b"")
    assert main(COMMANDS["export"](here)) == 1
    captured = capsys.readouterr()
    assert "left out: b.png: " in captured.err
    assert [path.name for path in (here / "out").rglob("*.png")] == ["a.png"]


def test_what_a_killed_export_left_goes_with_the_next_one(here: Path) -> None:
    halves = [here / "out" / folder / ".abc.part" for folder in ("png/belt", "somebody's")]
    for half in halves:
        half.parent.mkdir(parents=True)
        half.write_bytes(b"a write that the kill cut off")
    assert main(COMMANDS["export"](here)) == 0
    assert [half.exists() for half in halves] == [False, True]


def test_a_newer_workspace_is_exported_and_says_so(
    here: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    db = sqlite3.connect(here / "ws" / "workspace.sqlite")
    db.execute("PRAGMA user_version = 99")
    db.close()
    assert main(COMMANDS["export"](here)) == 0
    assert "newer lrpseg" in caplog.text
    assert "update lrpseg" in sentence(COMMANDS["import"](here), capsys)
