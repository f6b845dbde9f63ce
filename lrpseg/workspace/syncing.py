"""Brings what was written to databases to the disk, a moment later and in the background.

A stroke that waited for the disk would take ten times as long. So the log of the database, to which
each transaction is appended, is synced by itself: within `SECONDS` of the first change since.
"""

import atexit
import os
import threading
from contextlib import suppress
from pathlib import Path

from lrpseg.core.files import sync_folder

SECONDS = 1.0
"""What a power cut may cost, and the time that a disk takes."""

_lock = threading.Lock()
_changed: set[Path] = set()


def sync_soon(path: Path) -> None:
    """Say that the database at `path` was written to."""
    with _lock:
        first = not _changed
        _changed.add(path)
    if first:
        timer = threading.Timer(SECONDS, sync_now)
        timer.daemon = True  # the end of the process does not wait for it, see below
        timer.start()


@atexit.register
def sync_now() -> None:
    """Bring all to the disk that `sync_soon` was told of."""
    with _lock:
        paths = list(_changed)
        _changed.clear()
    for path in paths:
        sync(path)


def sync(path: Path) -> None:
    """Bring what was written to the database at `path` to the disk now: before files are removed
    that it would name again after a power cut."""
    # Never the database itself: to close a file gives up all locks that this process has on it
    # (POSIX), SQLite's among them; it has none on its log.
    with suppress(OSError):  # the log went into the database meanwhile, or the workspace is gone
        handle = os.open(path.with_name(f"{path.name}-wal"), os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        sync_folder(path.parent)  # SQLite has not, where it has just made the log
