"""Where files go, and how they are written so that a reader, or a crash, never sees half of one."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO


def atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Call `write` with a new file and put that in the place of `path`, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def data_folder() -> Path:
    """The folder below the user's own data folder where all is kept that has no place elsewhere."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "lrpseg"
