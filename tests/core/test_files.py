"""Files come whole or not at all, and the user's own lie where the system has them."""

import sys
from pathlib import Path
from typing import IO

import pytest

from lrpseg.core.files import atomically, data_folder, replacing


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
