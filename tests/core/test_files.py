"""Files come whole or not at all, and the user's own lie where the system has them."""

import errno
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

import pytest

from lrpseg.core import files
from lrpseg.core.errors import DiskFullError, LrpsegError
from lrpseg.core.files import (
    atomically,
    data_folder,
    disk_full,
    folder_bytes,
    make_folder,
    replacing,
    writing,
)


def test_a_file_is_replaced_whole_or_stays(tmp_path: Path) -> None:
    path = tmp_path / "below" / "a.txt"
    atomically(path, lambda file: file.write(b"one"))
    assert path.read_bytes() == b"one"

    def half(file: IO[bytes]) -> None:
        file.write(b"half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        atomically(path, half)
    assert path.read_bytes() == b"one"
    with replacing(path) as file:
        file.write(b"two")
        assert path.read_bytes() == b"one"
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


KILLED = """
import os, signal, sys
from pathlib import Path
from lrpseg.core import files

def write(path, step):
    seen = 0
    def each_line(frame, event, arg):
        nonlocal seen
        if frame.f_code.co_filename != files.__file__:
            return None
        if event == "line":
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)
        return each_line
    sys.settrace(each_line)
    files.atomically(path, lambda file: [file.write(b"new" * 9000) for _ in range(3)])
    os._exit(0)

folder, step, ended = Path(sys.argv[1]), 0, False
while not ended:
    step += 1
    path = folder / f"{step}.bin"
    path.write_bytes(b"old")
    child = os.fork()
    if child == 0:
        write(path, step)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    ended = code == 0
print(step)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each step is killed in a process of its own")
def test_killed_at_any_step_a_write_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    steps = int(done.stdout)
    assert steps > 10
    found = [(tmp_path / f"{step}.bin").read_bytes() for step in range(1, steps + 1)]
    assert set(found) == {b"old", b"new" * 27000}
    assert found[0] == b"old"
    assert found[-1] == b"new" * 27000
    assert found == sorted(found, key=len)  # once the new one is there it stays


def test_the_disk_has_a_file_before_it_takes_its_place_and_its_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    real: dict[str, Any] = {name: getattr(os, name) for name in ("fsync", "replace")}

    def fsync(handle: int) -> None:
        there = os.fstat(handle)
        of_folder = os.path.samestat(there, os.stat(tmp_path / "below"))
        done.append("folder" if of_folder else f"{there.st_size} bytes")
        real["fsync"](handle)

    def replace(before: Path, after: Path) -> None:
        done.append("replace")
        real["replace"](before, after)

    make_folder(tmp_path / "below")
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    atomically(tmp_path / "below" / "a", lambda file: file.write(b"seven b"))
    assert done == ["7 bytes", "replace", "folder"]
    done.clear()
    atomically(tmp_path / "below" / "b", lambda file: file.write(b"x"), sync=False)
    assert done == ["replace"]


def test_new_folders_are_brought_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync_folder", synced.append)
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert sorted(synced) == [tmp_path, tmp_path / "a"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_with_what_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(code, os.strerror(code))

    path = tmp_path / "not" / "there.bin"
    monkeypatch.setattr(files, "disk_of", lambda path: (Path("/somewhere"), 2_340_000))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError) as told, writing(path):
        atomically(path, lambda file: file.write(b"x"))
    text = str(told.value)
    assert "/somewhere (2.3 MB free)" in text
    assert str(path) in text
    assert "ove it away" not in text
    assert not list(tmp_path.rglob("*.part"))


def test_the_disk_of_a_path_that_is_not_there_yet(tmp_path: Path) -> None:
    mount, free = files.disk_of(tmp_path / "a" / "b" / "c.png")
    assert os.path.ismount(mount)
    assert free > 0
    assert str(mount) in str(disk_full(tmp_path / "a"))


def test_why_a_file_cannot_be_written_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "below"
    with (
        pytest.raises(LrpsegError, match=r"file.* cannot be written: .*Choose another"),
        writing(path),
    ):
        atomically(path, lambda file: file.write(b"x"))


def test_files_that_vanish_while_they_are_counted_count_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "below/c", "below/d"):
        atomically(tmp_path / name, lambda file: file.write(b"1234567"))
    assert folder_bytes(tmp_path) == 28
    real = os.scandir

    def vanishing(folder: Path) -> Any:
        entries = list(real(folder))
        monkeypatch.undo()  # what was listed is gone before it is looked at
        shutil.rmtree(tmp_path / "below")
        (tmp_path / "a").unlink()
        return nullcontext(entries)

    monkeypatch.setattr(os, "scandir", vanishing)
    assert folder_bytes(tmp_path) == 7
    assert folder_bytes(tmp_path / "gone") == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other places")
def test_the_users_folder_on_linux_is_where_it_was(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert data_folder() == tmp_path / "lrpseg"
    for unset in ("", None):
        monkeypatch.delenv("XDG_DATA_HOME", raising=False)
        if unset is not None:
            monkeypatch.setenv("XDG_DATA_HOME", unset)
        monkeypatch.setenv("HOME", str(tmp_path))
        assert data_folder() == tmp_path / ".local" / "share" / "lrpseg"
    assert not any(tmp_path.iterdir())  # asking makes nothing
