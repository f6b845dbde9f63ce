"""A workspace's folder and database: how it is read from, written to, and put right."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from lrpseg.core.errors import DiskFullError
from lrpseg.workspace.connecting import hold, snapshot, transaction
from lrpseg.workspace.errors import UnavailableError
from lrpseg.workspace.item import Item
from lrpseg.workspace.quota import MAP_BYTES, Quota
from lrpseg.workspace.reserve import Reserve
from lrpseg.workspace.rows import all_items, find_item, get_item
from lrpseg.workspace.schema import FILE_NAME
from lrpseg.workspace.syncing import sync_soon

T = TypeVar("T")


class Stored:
    """The pictures' rows. Holds nothing but the folder, and a connection to be fast.

    read_only: why nothing can be changed, "" where it can. quota: of a visitor; None: no limits.
    """

    read_only = ""

    def __init__(
        self, folder: Path, reserve: Reserve | None = None, quota: Quota | None = None
    ) -> None:
        self.folder = folder
        self.quota = quota
        self._reserve = reserve or Reserve(folder / "reserve")
        self._path = folder / FILE_NAME
        self._held: sqlite3.Connection | None = None

    def rest(self) -> None:
        """Close what is kept open to be fast; the next write opens it again."""
        held, self._held = self._held, None
        if held is not None:
            held.close()

    def items(self) -> list[Item]:
        """All pictures in the order in which they came."""
        with self._reading() as db:
            return all_items(db)

    def item(self, id: str) -> Item:
        """One picture; raises `NoSuchItem`."""
        with self._reading() as db:
            return get_item(db, id)

    def serial(self) -> int:
        """A number that rises with every change."""
        with self._reading() as db:
            (value,) = db.execute("SELECT value FROM state WHERE key='serial'").fetchone()
        return int(value)

    def check_room(self, more: int) -> None:
        """Raise `UnavailableError` where `more` bytes are more than a visitor gets; what pictures
        that wait are going to need counts."""
        if self.quota is None:
            return
        with self._reading() as db:
            (pixels,) = db.execute(
                "SELECT SUM(width * height) FROM items WHERE status IN ('waiting', 'running')"
            ).fetchone()
        self.quota.check_bytes(self.folder, more + MAP_BYTES * int(pixels or 0))

    # ----------------------------------------------------------------------------------- inside

    def _check_database(self) -> None:
        """As `check_room`, as fast as a stroke needs it: of the database alone."""
        if self.quota is None:
            return
        size = 0
        for path in (self._path, self._path.with_name(f"{FILE_NAME}-wal")):
            with suppress(OSError):
                size += path.stat().st_size
        if size > self.quota.size // 2:
            self.check_room(0)

    def _find(self, id: str) -> Item | None:
        with self._reading() as db:
            return find_item(db, id)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """See `connecting.snapshot`. A full disk keeps nobody from reading."""
        with ExitStack() as stack:
            yield self._sparing(lambda: stack.enter_context(snapshot(self._path)))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """See `connecting.transaction`; raises `UnavailableError` where nothing can be changed."""
        if self.read_only:
            raise UnavailableError(self.read_only)
        if self._held is None:
            self._held = hold(self._path)
        with transaction(self._path) as db:
            yield db
        sync_soon(self._path)

    def _repair(self, action: Callable[[sqlite3.Connection], object]) -> None:
        """Put something right, or leave it as it is where nothing can be changed now."""
        with suppress(DiskFullError, UnavailableError, OSError), self._writing() as db:
            action(db)

    def _sparing(self, action: Callable[[], T]) -> T:
        """What `action` gives; where the disk is full, once more with the room held back."""
        try:
            return action()
        except DiskFullError:
            if not self._reserve.give_up():
                raise
            return action()
