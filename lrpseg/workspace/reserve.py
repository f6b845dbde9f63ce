"""Room that a workspace holds back, to be given up where the disk is full.

To delete, SQLite has to write first; so on a full disk nobody could make room on the page. A file
of some megabytes is there for that: it goes when the disk is full, and comes back when there is
room.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lrpseg.core.files import atomically, disk_of

BYTES = 4_000_000
_ROOM = 10
"""It is made where so many of it would fit."""


@dataclass(frozen=True)
class Reserve:
    """The file at `path`."""

    path: Path

    def fill(self) -> None:
        """Hold room back, unless that is done already, or there is too little."""
        with suppress(OSError):  # what is held back is never worth an error
            if not self.path.exists() and disk_of(self.path)[1] > _ROOM * BYTES:
                data = os.urandom(BYTES)  # some file systems keep no room for zeros
                atomically(self.path, lambda file: file.write(data), sync=False)

    def give_up(self) -> bool:
        """Give the room back; returns whether there was some."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True
