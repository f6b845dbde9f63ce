"""What several writes to a workspace's rows have in common; each runs inside a transaction."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from lrpseg.workspace.item import Item


def adopt(
    db: sqlite3.Connection, item: Item, key: str, known: dict[str, Any], own: float | None
) -> None:
    """Make the analysis `key` the one that is shown, with the thresholder's own threshold on it."""
    status = "edited" if item.drawn else "todo" if known["explained"] else "empty"
    status = "accepted" if item.accept else status
    db.execute(
        "UPDATE items SET analysis=?, own_threshold=?, probability=?, damaged=?, explained=?, "
        "status=?, accept=0, reason=NULL, revision=revision+1, updated=? WHERE id=?",
        (
            key, own, known["probability"], known["damaged"], known["explained"], status, now(),
            item.id,
        ),
    )  # fmt: skip


def wait_again(db: sqlite3.Connection, item: Item) -> None:
    """After an analysis that is no longer wanted: the picture waits for the one that is, unless it
    shows that already. What was done to it since, such as accepting it, stays."""
    if item.analysis != item.analysis_key:
        db.execute("UPDATE items SET status='waiting' WHERE id=?", (item.id,))
        bump(db)


def bump(db: sqlite3.Connection) -> None:
    """Say that something has changed."""
    db.execute("UPDATE state SET value = value + 1 WHERE key = 'serial'")


def free_name(db: sqlite3.Connection, name: str) -> str:
    """`name`, or with a number where it is taken."""
    stem, dot, suffix = name.rpartition(".")
    tries: Sequence[str] = (name,)
    number = 1
    while db.execute("SELECT 1 FROM items WHERE name = ?", (tries[-1],)).fetchone():
        number += 1
        tries = (f"{stem} ({number}){dot}{suffix}" if stem else f"{name} ({number})",)
    return tries[-1]


def now() -> str:
    """The time in UTC, to the millisecond, as text that sorts by time."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
