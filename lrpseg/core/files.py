"""Where files go, and how they are written so that a reader, or a crash, never sees half of one."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import platformdirs


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file that takes the place of `path` at the end, unless the block raises; its folder is
    made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Call `write` with a new file and put that in the place of `path`, making its folder."""
    with replacing(path) as file:
        write(file)


def shown(path: Path) -> str:
    """A path as help texts name it, with ~ for the user's own folder; % stands doubled, which
    argparse would take for a placeholder."""
    home = Path.home()
    told = f"~{os.sep}{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
    return told.replace("%", "%%")


def data_folder() -> Path:
    """The folder below the user's own data folder where all is kept that has no place elsewhere."""
    return platformdirs.user_data_path("lrpseg", appauthor=False)
