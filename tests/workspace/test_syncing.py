"""What a power cut may cost: strokes of the last second, and nothing of before."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lrpseg.workspace import Workspace, connecting, syncing
from lrpseg.workspace.schema import FILE_NAME
from tests.workspace.test_migration import make_old
from tests.workspace_support import SETTINGS, analysed, picture

pytestmark = pytest.mark.usefixtures("only_toy")


def test_strokes_reach_the_disk_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path)
    item = analysed(workspace)
    syncing.sync_now()
    done, synced = threading.Event(), []
    real = os.fsync

    def fsync(handle: int) -> None:
        there = os.fstat(handle)
        paths = (tmp_path / f"{FILE_NAME}-wal", tmp_path)
        synced.extend(path.name for path in paths if os.path.samestat(there, path.stat()))
        real(handle)
        if len(synced) == 2:
            done.set()

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(syncing, "SECONDS", 0.01)
    workspace.patch_corrections(item.id, 0, 0, 1, 1, b"\x01")
    assert done.wait(20)
    assert synced == [f"{FILE_NAME}-wal", tmp_path.name]  # the log, and that it is there
    syncing.sync_now()  # nothing is left to do
    assert len(synced) == 2


def test_a_workspace_that_is_gone_by_then_is_no_matter(tmp_path: Path) -> None:
    syncing.sync_soon(tmp_path / "gone" / FILE_NAME)
    syncing.sync_now()


def test_the_setting_of_sqlite_is_the_one_that_docs_state(tmp_path: Path) -> None:
    Workspace(tmp_path)
    db = connecting.connect(tmp_path / FILE_NAME)
    assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert db.execute("PRAGMA synchronous").fetchone()[0] == 1  # NORMAL
    db.close()


def test_what_the_log_held_when_the_power_went_is_a_whole_workspace(tmp_path: Path) -> None:
    """Wherever the log ends on the disk, what is there is all of some moment."""
    workspace = Workspace(tmp_path / "ws")
    item = workspace.add("a.png", picture(), SETTINGS)
    for value in range(1, 8):
        workspace.patch_corrections(item.id, value, 0, 1, 1, b"\x01")
    log = (tmp_path / "ws" / f"{FILE_NAME}-wal").read_bytes()
    data = (tmp_path / "ws" / FILE_NAME).read_bytes()
    counts = []
    for part in [*range(0, len(log), len(log) // 20), len(log)]:
        (tmp_path / FILE_NAME).write_bytes(data)
        (tmp_path / f"{FILE_NAME}-wal").write_bytes(log[:part])
        db = sqlite3.connect(tmp_path / FILE_NAME)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        version = db.execute("PRAGMA user_version").fetchone()[0]
        table = "SELECT COUNT(*) FROM strokes"
        counts.append(db.execute(table).fetchone()[0] if version else 0)
        db.close()
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 7)


def delete(folder: Path) -> None:
    workspace = Workspace(folder)
    item = analysed(workspace)
    workspace.delete(item.id)


def bring_up_to_date(folder: Path) -> None:
    make_old(folder)
    other = sqlite3.connect(folder / FILE_NAME)  # else SQLite brings all to the disk at its end
    other.execute("PRAGMA journal_mode = WAL").fetchone()
    other.execute("SELECT * FROM state").fetchone()
    Workspace(folder)
    other.close()


@pytest.mark.parametrize("action", [delete, bring_up_to_date])
def test_the_disk_knows_that_files_are_not_needed_before_they_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: Callable[[Path], None]
) -> None:
    done: list[str] = []
    real_sync, real_unlink = os.fsync, os.unlink

    def fsync(handle: int) -> None:
        log = tmp_path / f"{FILE_NAME}-wal"
        if log.exists() and os.path.samestat(os.fstat(handle), log.stat()):
            done.append("synced")
        real_sync(handle)

    def unlink(path: Any, **where: Any) -> None:
        if Path(path).name in ("corrections.png", "original"):
            done.append("removed")
        real_unlink(path, **where)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "unlink", unlink)
    action(tmp_path)
    assert "removed" in done
    assert "synced" in done[: done.index("removed")]


KILLED = """
import os, signal, sys
from pathlib import Path
from lrpseg.core import files
from lrpseg.workspace import Workspace, store
from tests.workspace_support import SETTINGS, picture, result

def each_line(frame, event, arg):
    global seen
    if frame.f_code.co_filename not in watched:
        return None
    if event == "line":
        seen += 1
        if seen == step:
            os.kill(os.getpid(), signal.SIGKILL)
    return each_line

watched = {files.__file__, store.__file__}
action, folder = "add", Path(sys.argv[1])
data, found = picture(), result()
step = 0
while action:
    step += 13  # every line would take long
    child = os.fork()
    if child == 0:
        workspace, seen = Workspace(folder), 0
        items = workspace.items()
        sys.settrace(each_line)
        if action == "add":
            item = workspace.add(f"{step}.png", data, SETTINGS)
            workspace.finish(item.id, item.analysis_key, found)
        else:
            workspace.delete(items[0].id)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    ended = code == 0
    workspace = Workspace(folder)
    for item in workspace.items():  # whatever is listed is all there
        workspace.thumbnail(item.id), workspace.image(item.id), workspace.original(item.id)
        if item.analysis:
            workspace.mask(item.id)
    if ended:
        print(action, step)
        action, step = ("delete", 0) if action == "add" else ("", 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each step is killed in a process of its own")
def test_killed_at_any_step_a_workspace_is_whole(tmp_path: Path) -> None:
    analysed(Workspace(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    ((_, adding), (_, deleting)) = (line.split() for line in done.stdout.splitlines())
    assert int(adding) > 50
    assert int(deleting) > 13
