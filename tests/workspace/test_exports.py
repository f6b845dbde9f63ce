"""What was made for somebody to fetch does not stay, whichever process made it."""

import os
import time
from pathlib import Path

from lrpseg.workspace.exports import KEPT, folder_for, new_folder, remove_old


def make(folder: str, name: str, age: float = 0) -> Path:
    made = Path(folder) / name
    made.mkdir()
    (made / "lrpseg-export.zip").write_bytes(b"x")
    os.utime(made, (time.time() - age,) * 2)
    return made


def test_of_each_visitor_the_last_ones_stay(tmp_path: Path) -> None:
    other = make(folder_for(tmp_path, "another"), "a", 9000)
    mine = [make(folder_for(tmp_path, "token"), str(n), 100 - n) for n in range(6)]
    assert [path.name for path in mine if path.exists()] == [str(n) for n in range(6)][-KEPT:]
    assert other.exists()
    assert not any("token" in str(path) for path in tmp_path.rglob("*"))


def test_what_is_a_day_old_goes(tmp_path: Path) -> None:
    folder = folder_for(tmp_path, "token")
    old, fresh = make(folder, "old", 100_000), make(folder, "fresh", 1000)
    nobodys = Path(new_folder(tmp_path / "segment"))
    os.utime(nobodys, (time.time() - 100_000,) * 2)
    remove_old(tmp_path)
    assert (old.exists(), fresh.exists(), nobodys.exists()) == (False, True, False)
    gone = tmp_path / "gone"
    gone.mkdir()
    os.utime(gone, (time.time() - 100_000,) * 2)
    remove_old(tmp_path)
    assert not gone.exists()
    remove_old(tmp_path / "nothing")
