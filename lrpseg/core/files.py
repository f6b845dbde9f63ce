"""Where files go, and how they are written so that neither a reader, nor a crash, nor a power cut
ever leaves half of one."""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import platformdirs

from lrpseg.core.errors import DiskFullError, LrpsegError

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def replacing(path: Path, sync: bool = True) -> Iterator[IO[bytes]]:
    """A new file that takes the place of `path` at the end, unless the block raises; its folder is
    made.

    sync: it is on the disk before this returns, and takes its place only then, so that a power cut
    leaves the old one or the new one, whole. Without, only a kill does: for files of which many are
    written, after which `sync_all` is called once.
    """
    make_folder(path.parent, sync)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.chmod(temporary, 0o644)
            if sync:
                os.fsync(file.fileno())
        os.replace(temporary, path)
        if sync:
            sync_folder(path.parent)
    finally:
        Path(temporary).unlink(missing_ok=True)


def atomically(path: Path, write: Callable[[IO[bytes]], object], sync: bool = True) -> None:
    """Call `write` with a new file and put that in the place of `path`, making its folder; see
    `replacing`."""
    with replacing(path, sync) as file:
        write(file)


def remove_halves(folder: Path) -> None:
    """Remove what kills have left below a folder of writes that were cut off (`replacing`); nobody
    else may be writing there."""
    for part in folder.rglob(".*.part"):
        part.unlink(missing_ok=True)


def make_folder(path: Path, sync: bool = True) -> None:
    """Make a folder and those above it where they are missing; `sync`: a power cut leaves them."""
    if path.is_dir():
        return
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    if sync:
        for folder in missing:
            sync_folder(folder.parent)


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    if os.name == "nt":  # folders cannot be opened there, and NTFS keeps a journal of names
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems refuse it
            os.fsync(handle)
    finally:
        os.close(handle)


def sync_all() -> None:
    """Bring to the disk all that was written without `sync`, where the system can."""
    if hasattr(os, "sync"):
        os.sync()


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk, or one's share of it, is full."""
    return isinstance(error, OSError) and error.errno in _FULL


def disk_of(path: Path) -> tuple[Path, int]:
    """The disk on which `path` is or would be: where it is mounted, and the bytes that are free."""
    there = path.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    free = shutil.disk_usage(there).free
    while not os.path.ismount(there) and there != there.parent:
        there = there.parent
    return there, free


def disk_full(path: Path) -> DiskFullError:
    """The error for a file that cannot be written as its disk is full."""
    try:
        mount, free = disk_of(path)
        disk = f"{mount} ({free / 1e6:.1f} MB free)"
    except OSError:
        disk = f"of {path}"
    return DiskFullError(
        f"The disk {disk} is full, or your share of it is: {path} cannot be written. What was "
        "saved before is whole. Delete something on that disk, then try again."
    )


@contextmanager
def writing(path: Path, advice: str = "Choose another place.") -> Iterator[None]:
    """Tell in a sentence why a file could not be written in this block; `path`: where it was to
    go, if the error does not know; `advice`: what helps unless the disk is full.

    Raises:
        DiskFullError: its disk is full.
        LrpsegError: anything else that the system says.
    """
    try:
        yield
    except OSError as error:
        name = error.filename if isinstance(error.filename, str) else None
        if is_full(error):
            raise disk_full(Path(name) if name else path) from error
        if isinstance(error, LrpsegError):  # some are a kind of OSError, too
            raise
        raise LrpsegError(
            f"{name or path} cannot be written: {error.strerror or error}. {advice}"
        ) from error


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder; what vanishes meanwhile, or cannot be seen, counts
    nothing."""
    total = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    total += folder_bytes(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def shown(path: Path) -> str:
    """A path as help texts name it, with ~ for the user's own folder; % stands doubled, which
    argparse would take for a placeholder."""
    home = Path.home()
    told = f"~{os.sep}{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
    return told.replace("%", "%%")


def data_folder() -> Path:
    """The folder below the user's own data folder where all is kept that has no place elsewhere."""
    return platformdirs.user_data_path("lrpseg", appauthor=False)
