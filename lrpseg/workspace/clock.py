"""The time by which visitors' workspaces grow old: a clock that is set or jumps deletes none.

It counts the seconds that the page runs. It begins with the system's time, and goes on after a
restart where it was: time in which nobody could use the page makes no workspace older.
"""

import time
from contextlib import suppress
from pathlib import Path

from lrpseg.core.files import atomically


class PageClock:
    """Seconds that are comparable to times of files. Kept in the file at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begin, self._steady = _kept(path), time.monotonic()

    def now(self) -> float:
        """The page's time."""
        return self._begin + time.monotonic() - self._steady

    def save(self) -> None:
        """Keep the time for the next start."""
        text = repr(self.now()).encode()
        with suppress(OSError):  # a full disk: then less time has passed
            atomically(self._path, lambda file: file.write(text), sync=False)


def _kept(path: Path) -> float:
    try:
        kept = float(path.read_text())
    except (OSError, ValueError):
        return time.time()
    return kept if 0 < kept < float("inf") else time.time()
