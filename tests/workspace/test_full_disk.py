"""A full disk: reading, deleting and exporting go on, and messages name the disk."""

import errno
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest

from lrpseg.core import files
from lrpseg.core.errors import DiskFullError
from lrpseg.formats.reading import ReadMask
from lrpseg.workspace import (
    Sessions,
    UnavailableError,
    Workspace,
    export_zip,
    import_masks,
    reserve,
    save_session,
)
from lrpseg.workspace import connecting as connecting_module
from lrpseg.workspace.annotations import write_formats
from lrpseg.workspace.schema import FILE_NAME
from tests.workspace_support import SETTINGS, analysed, folder_of, picture, result

MKSTEMP = tempfile.mkstemp
pytestmark = pytest.mark.usefixtures("only_toy")


class FullDisk:
    """A disk below `folder` with no room, but for that of the files in `spare`, once those are
    gone."""

    def __init__(self, folder: Path, spare: list[Path]) -> None:
        self.folder, self.spare = folder, spare
        self.refused = 0

    @property
    def full(self) -> bool:
        return all(path.exists() for path in self.spare)

    def check(self, path: Path) -> bool:
        if self.full and Path(path).is_relative_to(self.folder):
            self.refused += 1
            return True
        return False


class FullConnection(sqlite3.Connection):
    disk: FullDisk

    def execute(self, statement: str, *args: Any) -> sqlite3.Cursor:
        writes = statement.strip().split()[0] in ("INSERT", "UPDATE", "DELETE", "CREATE")
        if writes and FullConnection.disk.check(FullConnection.disk.folder / "x"):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return super().execute(statement, *args)


@pytest.fixture
def fill(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that fills the disk below a folder, as system and SQLite tell it."""

    def full(folder: Path, *spare: Path) -> FullDisk:
        disk = FullConnection.disk = FullDisk(folder, list(spare))
        real_connect = sqlite3.connect

        def mkstemp(**where: Any) -> Any:
            if disk.check(Path(where["dir"])):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return MKSTEMP(**where)

        def connect(path: Any, **options: Any) -> sqlite3.Connection:
            return real_connect(path, **options, factory=FullConnection)

        monkeypatch.setattr(tempfile, "mkstemp", mkstemp)
        monkeypatch.setattr(sqlite3, "connect", connect)
        monkeypatch.setattr(files, "disk_of", lambda path: (folder, 12_000))
        monkeypatch.setattr(reserve, "disk_of", lambda path: (folder, 12_000))
        return disk

    return full


def test_nothing_can_be_added_or_drawn_and_the_disk_is_named(tmp_path: Path, fill: Any) -> None:
    workspace = Workspace(tmp_path / "ws")
    item = analysed(workspace)
    fill(tmp_path)
    for action in (
        lambda: workspace.add("b.png", picture(1), SETTINGS),
        lambda: workspace.patch_corrections(item.id, 0, 0, 1, 1, b"\x01"),
        lambda: workspace.set_threshold(item.id, 0.5),
        lambda: workspace.finish(item.id, item.analysis_key, result()),
        lambda: workspace.set_truth(item.id, workspace.mask(item.id)),
        lambda: Workspace(tmp_path / "other"),
        lambda: export_zip(workspace, tmp_path / "x.zip"),
        lambda: save_session(workspace, tmp_path / "s.zip"),
        lambda: write_formats(workspace, [item], ["png"], tmp_path / "out"),
    ):
        with pytest.raises(DiskFullError) as told:
            action()
        assert f"{tmp_path} (0.0 MB free)" in str(told.value)
        assert "ove it away" not in str(told.value)
    assert [i.name for i in workspace.items()] == ["a.png"]
    assert len(list((workspace.folder / "items").iterdir())) == 1  # no half of a picture stays
    assert not list(tmp_path.rglob("*.part"))


def test_of_a_picture_whose_row_has_no_room_no_file_stays(
    tmp_path: Path, fill: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path)
    fill(tmp_path)
    monkeypatch.setattr(tempfile, "mkstemp", MKSTEMP)  # for files there is just enough
    with pytest.raises(DiskFullError):
        workspace.add("a.png", picture(), SETTINGS)
    assert not list((tmp_path / "items").iterdir())


def test_reading_and_exporting_elsewhere_go_on(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, fill: Any
) -> None:
    workspace = Workspace(tmp_path / "ws")
    item = analysed(workspace)
    workspace.patch_corrections(item.id, 0, 0, 1, 1, b"\x01")
    (folder_of(workspace, item) / "thumbnail.jpg").write_bytes(b"")
    workspace.rest()
    fill(tmp_path)
    again = Workspace(tmp_path / "ws")  # as after a restart
    assert again.mask(item.id)[0, 0]
    assert again.thumbnail(item.id).startswith(b"\xff\xd8")
    out = tmp_path_factory.mktemp("elsewhere")
    export_zip(again, out / "x.zip", formats=["coco"])
    save_session(again, out / "s.zip")


def test_a_page_starts_where_the_disk_is_full(tmp_path: Path, fill: Any) -> None:
    sessions = Sessions(tmp_path)
    token, workspace = sessions.open()
    item = workspace.add("a.png", picture(), SETTINGS)
    assert workspace.claim_next() is not None  # and then it was killed
    fill(tmp_path)
    again = Sessions(tmp_path)
    assert again.open()[0] == token
    assert again.open()[1].item(item.id).status == "running"


def test_deleting_takes_the_room_that_was_held_back(tmp_path: Path, fill: Any) -> None:
    workspace = Workspace(tmp_path)
    item, kept = analysed(workspace), analysed(workspace, "b.png")
    held = tmp_path / "reserve"
    assert held.stat().st_size == reserve.BYTES
    disk = fill(tmp_path, held)
    workspace.delete(item.id)
    assert disk.refused
    assert not held.exists()
    assert [i.id for i in workspace.items()] == [kept.id]
    assert not folder_of(workspace, item).exists()


def test_a_heatmap_without_room_is_told_by_its_picture(tmp_path: Path, fill: Any) -> None:
    workspace = Workspace(tmp_path)
    item = workspace.add("a.png", picture(), SETTINGS)
    fill(tmp_path, tmp_path / "reserve")
    with pytest.raises(DiskFullError) as told:
        workspace.finish(item.id, item.analysis_key, result())
    workspace.fail(item.id, item.analysis_key, str(told.value))
    assert workspace.item(item.id).status == "failed"
    assert "MB free" in (workspace.item(item.id).reason or "")


def test_an_import_ends_where_there_is_no_room(tmp_path: Path, fill: Any) -> None:
    workspace = Workspace(tmp_path)
    items = [analysed(workspace, f"{n}.png") for n in range(3)]
    masks = [ReadMask(item.name, workspace.mask(item.id)) for item in items]
    fill(tmp_path)
    for role in ("truth", "corrections"):
        with pytest.raises(DiskFullError):
            import_masks(workspace, masks, role)


def test_deleting_goes_on_when_that_room_is_gone_too(tmp_path: Path, fill: Any) -> None:
    workspace = Workspace(tmp_path)
    item = analysed(workspace)
    (tmp_path / "reserve").unlink()
    maps = list(folder_of(workspace, item).glob("relevance-*.npy"))
    assert maps
    fill(tmp_path, *maps)  # there is room as soon as these are gone
    workspace.delete(item.id)
    assert workspace.items() == []


def test_room_is_held_back_again_when_there_is_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = reserve.Reserve(tmp_path / "reserve")
    monkeypatch.setattr(reserve, "disk_of", lambda path: (tmp_path, reserve.BYTES))
    held.fill()
    assert not held.give_up()
    monkeypatch.undo()
    held.fill()
    assert held.path.stat().st_size == reserve.BYTES
    assert held.give_up()
    assert not held.path.exists()


def test_what_sqlite_itself_says_of_a_full_disk(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)

    def too_much() -> None:
        with connecting_module.transaction(tmp_path / FILE_NAME) as db:
            (pages,) = db.execute("PRAGMA page_count").fetchone()
            db.execute(f"PRAGMA max_page_count = {pages}")
            db.execute("CREATE TABLE large (data BLOB)")
            db.execute("INSERT INTO large VALUES (zeroblob(1000000))")

    with pytest.raises(DiskFullError, match="is full"):
        too_much()
    assert workspace.items() == []


def test_a_disk_that_is_nearly_full_is_no_broken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite says "disk I/O error" where its index has no room."""

    def broken() -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
        with connecting_module.told(tmp_path / FILE_NAME):
            raise error

    monkeypatch.setattr(connecting_module, "disk_of", lambda path: (tmp_path, 4096))
    with pytest.raises(DiskFullError):
        broken()
    monkeypatch.undo()
    with pytest.raises(connecting_module.UnavailableError, match="disk I/O error"):
        broken()


def test_where_nothing_can_be_written_at_all_it_is_read(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    item = analysed(workspace)
    workspace.rest()
    found = connecting_module._without_writing(tmp_path / FILE_NAME)
    assert found is not None
    assert [row["id"] for row in found.execute("SELECT id FROM items")] == [item.id]
    found.close()
    workspace.set_threshold(item.id, 0.4)  # that is in the log now, which would not be seen
    assert connecting_module._without_writing(tmp_path / FILE_NAME) is None


def test_a_folder_that_may_only_be_read_is_looked_at(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path)
    item = analysed(workspace)
    mask = workspace.mask(item.id)
    workspace.rest()
    real = sqlite3.connect

    def connect(path: Any, **options: Any) -> sqlite3.Connection:
        if options.get("uri"):
            return real(path, **options)
        error = sqlite3.OperationalError("unable to open database file")
        error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
        raise error

    monkeypatch.setattr(sqlite3, "connect", connect)
    again = Workspace(tmp_path)
    assert (again.mask(item.id) == mask).all()
    export_zip(again, tmp_path_factory.mktemp("elsewhere") / "x.zip")
    with pytest.raises(UnavailableError, match="whether you may write"):
        again.set_threshold(item.id, 0.3)
