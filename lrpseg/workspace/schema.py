"""The workspace's database: its tables, its version, and how an older one is brought up to date."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lrpseg.workspace.errors import WorkspaceError

MIGRATIONS = (
    """
    CREATE TABLE items (
        id TEXT PRIMARY KEY,
        position INTEGER NOT NULL,
        name TEXT NOT NULL UNIQUE,
        sha256 TEXT NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        status TEXT NOT NULL,
        reason TEXT,
        settings TEXT NOT NULL,
        explain_intact INTEGER NOT NULL DEFAULT 0,
        weights TEXT NOT NULL,
        analysis TEXT NOT NULL DEFAULT '',
        probability REAL,
        damaged INTEGER NOT NULL DEFAULT 0,
        explained INTEGER NOT NULL DEFAULT 0,
        threshold REAL,
        own_threshold REAL,
        min_area INTEGER NOT NULL DEFAULT 0,
        max_hole INTEGER NOT NULL DEFAULT 0,
        seconds REAL NOT NULL DEFAULT 0,
        has_truth INTEGER NOT NULL DEFAULT 0,
        drawn INTEGER NOT NULL DEFAULT 0,
        revision INTEGER NOT NULL DEFAULT 0,
        tiles_done INTEGER NOT NULL DEFAULT 0,
        tiles INTEGER NOT NULL DEFAULT 0,
        created TEXT NOT NULL,
        updated TEXT NOT NULL
    );
    CREATE INDEX items_position ON items (position);
    CREATE TABLE state (key TEXT PRIMARY KEY, value INTEGER NOT NULL);
    INSERT INTO state VALUES ('serial', 0), ('position', 0);
    """,
    """
    ALTER TABLE items ADD COLUMN accept INTEGER NOT NULL DEFAULT 0;
    """,
)
"""Step i brings a database of version i to version i + 1. A released step never changes."""

VERSION = len(MIGRATIONS)
FILE_NAME = "workspace.sqlite"


def connect(path: Path) -> sqlite3.Connection:
    """A connection of one's own; each thread and process takes its own for each operation."""
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


@contextmanager
def transaction(path: Path) -> Iterator[sqlite3.Connection]:
    """One write transaction: all of it happens, or nothing."""
    connection = connect(path)
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    finally:
        connection.close()


def prepare(path: Path) -> None:
    """Make the database, or bring an older one up to date.

    Raises `WorkspaceError` for one of a newer version, or a file that is no database.
    """
    try:
        connection = connect(path)
        try:
            connection.execute("PRAGMA journal_mode = WAL")  # readers never wait for a writer
        finally:
            connection.close()
        with transaction(path) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise WorkspaceError(
                    f"The workspace {path.parent} was made by a newer lrpseg (its version is "
                    f"{version}, this one knows {VERSION}). Update lrpseg, or use another folder."
                )
            for step in MIGRATIONS[version:]:
                for statement in step.split(";"):
                    if statement.strip():
                        connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
    except sqlite3.DatabaseError as error:
        raise WorkspaceError(
            f"{path} cannot be opened: {error}. Move it away, or use another folder."
        ) from error
