"""The workspace's database: its tables, its version, and how an older one is brought up to date."""

import sqlite3
from collections.abc import Callable
from itertools import chain
from pathlib import Path

from lrpseg.workspace.connecting import connect, snapshot, told, transaction
from lrpseg.workspace.errors import WorkspaceError
from lrpseg.workspace.migration import remove_files_of_version_2, take_over_classes
from lrpseg.workspace.rows import all_items
from lrpseg.workspace.syncing import sync

__all__ = ["FILE_NAME", "MIGRATIONS", "VERSION", "connect", "prepare", "snapshot", "transaction"]

Part = str | Callable[[sqlite3.Connection, Path], None]
"""SQL statements, or a function of the connection and the workspace's folder."""

_PICTURES = """
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
"""
_ACCEPTED_ELSEWHERE = "ALTER TABLE items ADD COLUMN accept INTEGER NOT NULL DEFAULT 0"

# place: in the order of the domain's classes; NULL: the picture's domain has no such class, but
# something of it was drawn or given. truth: name of its file, '' for none. seen: a pixel of the
# stroke that is not 0, (-1, -1) where it is not known, NULL for none. Ids of strokes are never used
# twice, so that what was folded up to one can be told by its id.
_CLASSES_AND_STROKES = """
    CREATE TABLE layers (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        item TEXT NOT NULL,
        class TEXT NOT NULL,
        place INTEGER,
        probability REAL,
        damaged INTEGER NOT NULL DEFAULT 0,
        explained INTEGER NOT NULL DEFAULT 0,
        threshold REAL,
        own_threshold REAL,
        min_area INTEGER NOT NULL DEFAULT 0,
        max_hole INTEGER NOT NULL DEFAULT 0,
        drawn INTEGER NOT NULL DEFAULT 0,
        truth TEXT NOT NULL DEFAULT '',
        UNIQUE (item, class)
    );
    CREATE TABLE strokes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        layer INTEGER NOT NULL,
        x INTEGER NOT NULL,
        y INTEGER NOT NULL,
        w INTEGER NOT NULL,
        h INTEGER NOT NULL,
        seen_x INTEGER,
        seen_y INTEGER,
        pixels BLOB NOT NULL
    );
    CREATE INDEX strokes_layer ON strokes (layer);
"""
_NOW_OF_CLASSES = """
    ALTER TABLE items DROP COLUMN probability;
    ALTER TABLE items DROP COLUMN damaged;
    ALTER TABLE items DROP COLUMN explained;
    ALTER TABLE items DROP COLUMN threshold;
    ALTER TABLE items DROP COLUMN own_threshold;
    ALTER TABLE items DROP COLUMN min_area;
    ALTER TABLE items DROP COLUMN max_hole;
    ALTER TABLE items DROP COLUMN has_truth;
    ALTER TABLE items DROP COLUMN drawn;
"""
_HOW_IT_WAS_READ = "ALTER TABLE items ADD COLUMN read TEXT NOT NULL DEFAULT ''"

# Probabilities by each alone, where a witness was asked.
_WITNESS = """
    ALTER TABLE layers ADD COLUMN network REAL;
    ALTER TABLE layers ADD COLUMN witness REAL;
"""

MIGRATIONS: tuple[tuple[Part, ...], ...] = (
    (_PICTURES,),
    (_ACCEPTED_ELSEWHERE,),
    (_CLASSES_AND_STROKES, take_over_classes, _NOW_OF_CLASSES),
    (_HOW_IT_WAS_READ,),
    (_WITNESS,),
)
"""Step i brings a database of version i to version i + 1. A released step never changes."""

VERSION = len(MIGRATIONS)
FILE_NAME = "workspace.sqlite"
_READ_OF_STROKES = "SELECT id, layer, x, y, w, h, pixels FROM strokes LIMIT 1"


def prepare(path: Path) -> str:
    """Make the database, or bring an older one up to date; else nothing is written to it.

    Returns why it is only read: a newer lrpseg made it. "" where it may be changed.

    Raises `UnavailableError` and `DiskFullError` as `transaction` does, and `WorkspaceError` for a
    file that is no database, or a newer one in which this lrpseg cannot read.
    """
    version = _version(path)
    if version > VERSION:
        return _newer(path, version)
    if version == VERSION:
        return ""
    with told(path):
        connection = connect(path)
        try:
            connection.execute("PRAGMA journal_mode = WAL")  # readers never wait for a writer
        finally:
            connection.close()
    try:
        with transaction(path) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            for part in chain.from_iterable(MIGRATIONS[version:]):
                _take(part, connection, path.parent)
            connection.execute(f"PRAGMA user_version = {max(version, VERSION)}")
    except sqlite3.DatabaseError as error:
        raise WorkspaceError(
            f"{path} cannot be brought up to date: {error}. It is as it was. Open it with the "
            "lrpseg that made it, or use another folder."
        ) from error
    sync(path)
    if 0 < version < 3:  # now that the disk has the new ones: until then they may be needed
        remove_files_of_version_2(path.parent)
    return ""


def _version(path: Path) -> int:
    if not path.exists():
        return 0
    with snapshot(path) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _newer(path: Path, version: int) -> str:
    """Why a newer database is only read; raises `WorkspaceError` where its pictures cannot be.

    A step that gives a column another meaning must rename it: an older lrpseg reads what it knows.
    """
    made = (
        f"The workspace {path.parent} was made by a newer lrpseg (its version is {version}, this "
        f"one knows {VERSION})."
    )
    try:
        with snapshot(path) as connection:
            all_items(connection)
            connection.execute(_READ_OF_STROKES).fetchone()
    except (WorkspaceError, sqlite3.Error, KeyError, IndexError, TypeError) as error:
        raise WorkspaceError(f"{made} Update lrpseg, or use another folder.") from error
    return f"{made} It can be looked at and exported; update lrpseg to change it."


def _take(part: Part, connection: sqlite3.Connection, folder: Path) -> None:
    if callable(part):
        part(connection, folder)
        return
    for statement in part.split(";"):
        if statement.strip():
            connection.execute(statement)
