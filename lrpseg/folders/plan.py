"""The plan of a run: all its pictures in their order, on disk, cut into blocks.

A block is what one worker does at a time and what a resumed run does again or not at all. Batches
never reach over a block's end: so the numbers of a block do not depend on what came before it.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from lrpseg.core.errors import ImageError
from lrpseg.folders.sources import Source
from lrpseg.formats.names import folded

BLOCK = 32
"""Pictures in a block, unless somebody says otherwise; the plan remembers it."""

_SCHEMA = """
CREATE TABLE pictures (
    position INTEGER PRIMARY KEY, name TEXT NOT NULL, stem TEXT NOT NULL,
    path TEXT NOT NULL, member TEXT NOT NULL, stem_key TEXT
);
CREATE UNIQUE INDEX names ON pictures (name);
"""

_DISPUTED = """
CREATE INDEX keys ON pictures (stem_key);
CREATE TEMP TABLE disputed AS SELECT position, name FROM pictures WHERE stem_key IN
    (SELECT stem_key FROM pictures GROUP BY stem_key HAVING COUNT(*) > 1) ORDER BY position;
UPDATE pictures SET stem_key = NULL WHERE position IN (SELECT position FROM disputed);
DROP INDEX keys;
CREATE UNIQUE INDEX stems ON pictures (stem_key);
"""


@dataclass(frozen=True)
class Planned:
    """One picture of the plan. stem: its name without suffix, unlike any other's."""

    position: int
    stem: str
    source: Source


class Plan:
    """The pictures of a run, read from the file as they are needed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def folder(self) -> Path:
        """Where the plan lies."""
        return self.path.parent

    def __len__(self) -> int:
        """How many pictures there are."""
        with closing(self._connect()) as db:
            return int(db.execute("SELECT COUNT(*) FROM pictures").fetchone()[0])

    @cached_property
    def size(self) -> int:
        """Pictures in a block."""
        with closing(self._connect()) as db:
            return int(db.execute("PRAGMA user_version").fetchone()[0])

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return -(-len(self) // self.size)

    def block(self, number: int) -> list[Planned]:
        """The pictures of a block, in order."""
        with closing(self._connect()) as db:
            rows = db.execute(
                "SELECT position, stem, name, path, member FROM pictures "
                "WHERE position >= ? AND position < ? ORDER BY position",
                (number * self.size, (number + 1) * self.size),
            ).fetchall()
        return [Planned(row[0], row[1], Source(*row[2:])) for row in rows]

    def sorts_apart(self, ending: str, other: str) -> bool:
        """Whether the flat stems ("__" for each "/") sort in another order with one ending than
        with the other one."""
        flat, order = "REPLACE(stem, '/', '__')", "SELECT position FROM pictures ORDER BY {} || ?"
        with closing(self._connect()) as db:
            one = db.execute(order.format(flat), (ending,))
            two = db.execute(order.format(flat), (other,))
            return any(a != b for a, b in zip(one, two, strict=True))

    def __iter__(self) -> Iterator[Planned]:
        for number in range(self.blocks):
            yield from self.block(number)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True)


def make_plan(sources: Iterable[Source], path: Path, block: int = BLOCK) -> Plan:
    """Write the plan of `sources` to `path`, in place of an older one.

    Names that are taken get a number. Stems are those that `unique_stems` gives, without holding
    all names in memory.

    Raises `ImageError` where there is no picture.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with closing(sqlite3.connect(part)) as db:
        db.executescript(_SCHEMA)
        db.execute(f"PRAGMA user_version = {int(block)}")
        count = 0
        for source in sources:
            _insert(db, count, source)
            count += 1
        _settle(db)
        db.commit()
    if not count:
        part.unlink()
        raise ImageError("No images were found. Give image files, folders, patterns or zips.")
    part.replace(path)
    return Plan(path)


def _insert(db: sqlite3.Connection, position: int, source: Source) -> None:
    """Add a picture under a name of its own, and the stem that this has if nobody disputes it."""
    path, name, number = PurePosixPath(source.name), source.name, 2
    while db.execute("SELECT 1 FROM pictures WHERE name = ?", (name,)).fetchone():
        name, number = str(path.with_name(f"{path.stem}-{number}{path.suffix}")), number + 1
    stem = str(PurePosixPath(name).with_suffix(""))
    db.execute(
        "INSERT INTO pictures VALUES (?, ?, ?, ?, ?, ?)",
        # Absolute: a run may be resumed, or opened in the page, from another folder.
        (position, name, stem, os.path.abspath(source.path), source.member, folded(stem)),
    )


def _settle(db: sqlite3.Connection) -> None:
    """Give the pictures that share a stem one of their own, with their suffix."""
    db.executescript(_DISPUTED)
    for position, name in db.execute("SELECT position, name FROM disputed ORDER BY rowid"):
        stem, number = name, 2
        while db.execute("SELECT 1 FROM pictures WHERE stem_key = ?", (folded(stem),)).fetchone():
            stem, number = f"{name}-{number}", number + 1
        db.execute(
            "UPDATE pictures SET stem = ?, stem_key = ? WHERE position = ?",
            (stem, folded(stem), position),
        )
