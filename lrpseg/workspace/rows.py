"""Reading and writing a workspace's rows; each function runs inside a transaction."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from lrpseg.workspace.decoding import from_rows
from lrpseg.workspace.errors import NoSuchItem
from lrpseg.workspace.item import Item
from lrpseg.workspace.known import Known

_ORDER = "ORDER BY place IS NULL, place, id"


def find_item(db: sqlite3.Connection, id: str) -> Item | None:
    """The picture `id` with its layers; None where there is none."""
    row = db.execute("SELECT * FROM items WHERE id=?", (id,)).fetchone()
    if row is None:
        return None
    return from_rows(row, db.execute(f"SELECT * FROM layers WHERE item=? {_ORDER}", (id,)))


def get_item(db: sqlite3.Connection, id: str) -> Item:
    """As `find_item`; raises `NoSuchItem`."""
    item = find_item(db, id)
    if item is None:
        raise NoSuchItem("There is no such picture in this workspace.")
    return item


def all_items(db: sqlite3.Connection) -> list[Item]:
    """All pictures in the order in which they came."""
    layers: dict[str, list[sqlite3.Row]] = {}
    for row in db.execute(f"SELECT * FROM layers {_ORDER}"):
        layers.setdefault(row["item"], []).append(row)
    rows = db.execute("SELECT * FROM items ORDER BY position")
    return [from_rows(row, layers.get(row["id"], ())) for row in rows]


def touch(db: sqlite3.Connection, id: str, edited: bool = True, **values: Any) -> int:
    """Count a change of a picture, with columns that it sets; returns the new revision.

    edited: an analysed picture counts as edited.
    """
    sets = "".join(f"{name} = ?, " for name in values)
    if edited:
        sets += (
            "status = CASE WHEN status IN ('todo', 'empty', 'accepted') THEN 'edited' "
            "ELSE status END, accept = 0, "
        )
    row = db.execute(
        f"UPDATE items SET {sets}revision = revision + 1, updated = ? WHERE id = ? "
        "RETURNING revision",
        (*values.values(), now(), id),
    ).fetchone()
    if row is None:
        raise NoSuchItem("There is no such picture in this workspace.")
    bump(db)
    return int(row["revision"])


def adopt(
    db: sqlite3.Connection,
    item: Item,
    key: str,
    known: Sequence[Known],
    own: Sequence[float | None],
) -> None:
    """Make the analysis `key` the one that is shown: what it says of each class, and the
    thresholder's own thresholds on them."""
    arrange(db, item.id, [found.name for found in known])
    for place, (found, threshold) in enumerate(zip(known, own, strict=True)):
        values = (
            found.probability, found.damaged, found.explained, found.network, found.witness,
            threshold,
        )  # fmt: skip
        db.execute(
            "UPDATE layers SET probability=?, damaged=?, explained=?, network=?, witness=?, "
            "own_threshold=? WHERE item=? AND place=?",
            (*values, item.id, place),
        )
    explained = any(found.explained for found in known)
    status = "edited" if item.drawn else "todo" if explained else "empty"
    status = "accepted" if item.accept else status
    touch(db, item.id, edited=False, analysis=key, status=status, accept=0, reason=None)


def arrange(db: sqlite3.Connection, id: str, names: Sequence[str]) -> None:
    """Make `names` the classes of a picture, in this order.

    A class keeps what was drawn and chosen by its name; from one class to one other it goes along,
    whatever that is called. Nothing that was drawn or given is lost: of a class that is not among
    `names` it is kept until the class comes back.
    """
    held = db.execute(
        f"SELECT class, place, min_area, max_hole FROM layers WHERE item=? {_ORDER}", (id,)
    ).fetchall()
    before = [row for row in held if row["place"] is not None]
    if [row["class"] for row in before] == list(names):
        return
    if len(before) == len(names) == 1 and names[0] not in [row["class"] for row in held]:
        db.execute(
            "UPDATE layers SET class=? WHERE item=? AND class=?",
            (names[0], id, before[0]["class"]),
        )
        return
    cleaning = (before[0]["min_area"], before[0]["max_hole"]) if before else (0, 0)
    db.execute("UPDATE layers SET place=NULL WHERE item=?", (id,))
    for place, name in enumerate(names):
        db.execute(
            "INSERT INTO layers (item, class, place, min_area, max_hole) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (item, class) DO UPDATE SET place=excluded.place",
            (id, name, place, *cleaning),
        )
    db.execute(
        "DELETE FROM layers WHERE item=? AND place IS NULL AND NOT drawn AND truth=''", (id,)
    )
    db.execute(  # what was found and chosen belongs to an analysis that is no longer shown
        "UPDATE layers SET probability=NULL, damaged=0, explained=0, network=NULL, "
        "witness=NULL, threshold=NULL, own_threshold=NULL WHERE item=? AND place IS NULL",
        (id,),
    )


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
