"""Connections to a workspace's database, its transactions, and what SQLite says in sentences.

A commit returns when the system has the change: a kill loses nothing. The disk has it within a
second (`syncing`), so that a stroke need not wait for it: at a power cut the last second may be
lost, and nothing before it. Either way the database is whole.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lrpseg.core.files import disk_full, disk_of
from lrpseg.workspace.errors import UnavailableError, WorkspaceError

_NEARLY_FULL = 100_000
"""Bytes: SQLite takes a disk with fewer for a broken one, where it cannot make its index."""

_HARD = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_CLOSED = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, *_HARD)


def connect(path: Path) -> sqlite3.Connection:
    """A connection of one's own; each thread and process takes its own for each operation."""
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA synchronous = NORMAL")  # whole after a power cut, see above
    return connection


def hold(path: Path) -> sqlite3.Connection:
    """A connection to keep and not to use. Without one each that is closed is the last: SQLite then
    copies its log into the database and waits for the disk, which costs far more than a stroke."""
    with told(path):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA user_version").fetchone()  # opens the file
    return connection


@contextmanager
def transaction(path: Path) -> Iterator[sqlite3.Connection]:
    """One write transaction: all of it happens, or nothing.

    Raises `DiskFullError`, `UnavailableError` where it would go well at another time, and
    `WorkspaceError` for a damaged database.
    """
    with told(path):
        connection = connect(path)
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                if connection.in_transaction:  # on a full disk SQLite has done so itself
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        finally:
            connection.close()


@contextmanager
def snapshot(path: Path) -> Iterator[sqlite3.Connection]:
    """One read transaction: all that is read in it is of the same moment; nobody waits for it.
    Raises as `transaction` does."""
    with told(path):
        try:
            connection = _begun(connect(path))
        except sqlite3.Error:
            found = _without_writing(path)
            if found is None:
                raise
            connection = found
        try:
            yield connection
        finally:
            connection.close()


def _begun(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()  # only now it reads
    except BaseException:
        connection.close()
        raise
    return connection


def _without_writing(path: Path) -> sqlite3.Connection | None:
    """To read where nothing can be written, not even the index of SQLite's log; None where there is
    something in the log, which such a connection does not see."""
    log = path.with_name(f"{path.name}-wal")
    try:
        if not path.is_file() or (log.exists() and log.stat().st_size):
            return None
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?immutable=1", uri=True, isolation_level=None
        )
        connection.row_factory = sqlite3.Row
        return _begun(connection)
    except (OSError, sqlite3.Error):
        return None


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Say in a sentence what keeps SQLite, or the system, from doing what is asked for in this
    block. A mistake of ours, such as a wrong statement, stays what it is."""
    try:
        yield
    except sqlite3.Error as error:
        sentence = _sentence(error, path)
        if sentence is None:
            raise
        raise sentence from error


def _sentence(error: sqlite3.Error, path: Path) -> Exception | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without what it says in detail
    if code == sqlite3.SQLITE_FULL or (code in _HARD and _nearly_full(path)):
        return disk_full(path)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return UnavailableError(
            f"The workspace {path.parent} is used by another program. Try again in a moment."
        )
    if code in _DAMAGED:
        return WorkspaceError(
            f"{path} cannot be opened: {error}. It is damaged, or no workspace: put a copy from "
            f"before in its place, or use another folder. The pictures as they came are in "
            f"{path.parent / 'items'}."
        )
    if code in _CLOSED:
        return UnavailableError(
            f"{path} cannot be read or written: {error}. Look whether its disk is there, and "
            "whether you may write to it."
        )
    return None


def _nearly_full(path: Path) -> bool:
    try:
        return disk_of(path)[1] < _NEARLY_FULL
    except OSError:
        return False
