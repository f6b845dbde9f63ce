"""Strokes as the database keeps them: each replaces a rectangle of a class's corrections.

Those of one layer (a class of a picture), in the order of their ids, make its corrections. A stroke
costs what its rectangle costs: what lies below it is not read. Strokes that are hidden altogether
go; many are folded into one of the whole picture, outside of the transaction of any stroke.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lrpseg.masks.corrections import fold
from lrpseg.workspace.connecting import transaction
from lrpseg.workspace.errors import WorkspaceError

MANY = 256
"""So many strokes of a layer are folded into one."""

LARGE = 8
"""Strokes are folded where their rectangles are so many times the picture."""

_END = b"IEND\xaeB`\x82"
"""The end of every PNG file (PNG specification, 11.2.5)."""

Corrections = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Stroke:
    """values: (h, w) uint8 of 0, 1 and 2 that replace the rectangle whose upper left corner is
    (x, y)."""

    x: int
    y: int
    values: Corrections


@dataclass(frozen=True)
class _Place:
    """Where a kept stroke is; `seen`: a pixel of it that is not 0, see `schema`."""

    id: int
    x: int
    y: int
    w: int
    h: int
    seen_x: int | None
    seen_y: int | None

    def covers(self, x: int, y: int) -> bool:
        return self.x <= x < self.x + self.w and self.y <= y < self.y + self.h


def append(db: sqlite3.Connection, layer: int, stroke: Stroke, packed: bytes) -> None:
    """Add a stroke to the layer with the id `layer`, and note whether anything is drawn there now.

    packed: `pack` of its values, made before the transaction began.
    """
    height, width = stroke.values.shape
    right, lower = stroke.x + width, stroke.y + height
    db.execute(  # what lies below it altogether
        "DELETE FROM strokes WHERE layer=? AND x>=? AND y>=? AND x+w<=? AND y+h<=?",
        (layer, stroke.x, stroke.y, right, lower),
    )
    first = int(np.argmax(stroke.values > 0))
    row, column = divmod(first, width)
    drawn = bool(stroke.values[row, column])
    seen = (stroke.x + column, stroke.y + row) if drawn else (None, None)
    db.execute(
        "INSERT INTO strokes (layer, x, y, w, h, seen_x, seen_y, pixels) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (layer, stroke.x, stroke.y, width, height, *seen, packed),
    )
    if not drawn and not _any_left(db, layer):
        drop(db, layer)
        return
    db.execute("UPDATE layers SET drawn=1 WHERE id=?", (layer,))


def drop(db: sqlite3.Connection, layer: int) -> None:
    """Nothing is drawn on a layer any more."""
    db.execute("DELETE FROM strokes WHERE layer=?", (layer,))
    db.execute("UPDATE layers SET drawn=0 WHERE id=?", (layer,))


def _any_left(db: sqlite3.Connection, layer: int) -> bool:
    """Whether some pixel of a layer is drawn: told by a pixel of a stroke that no later stroke
    covers; only where there is none by all pixels."""
    rows = db.execute(
        "SELECT id, x, y, w, h, seen_x, seen_y FROM strokes WHERE layer=? ORDER BY id DESC",
        (layer,),
    )
    places = [_Place(*row) for row in rows]
    if all(place.seen_x is None for place in places):
        return False
    for index, place in enumerate(places):
        x, y = place.seen_x, place.seen_y
        if x is None or y is None or x < 0:
            continue
        if not any(later.covers(x, y) for later in places[:index]):
            return True
    width = max(place.x + place.w for place in places)
    height = max(place.y + place.h for place in places)
    try:
        folded = folded_from(np.zeros((height, width), np.uint8), read(db, layer))
    except (
        DamagedStrokesError
    ):  # found and told when the layer is looked at; nothing goes till then
        return True
    y, x = divmod(int(np.argmax(folded > 0)), width)
    if not folded[y, x]:
        return False
    top = next(place for place in places if place.covers(x, y))  # the next question is cheap again
    db.execute("UPDATE strokes SET seen_x=?, seen_y=? WHERE id=?", (x, y, top.id))
    return True


class DamagedStrokesError(WorkspaceError):
    """damaged: id and pixels, as they are kept, of strokes that cannot be read."""

    def __init__(self, damaged: list[tuple[int, bytes]]) -> None:
        super().__init__("A stroke in the workspace is damaged: restore it from a copy.")
        self.damaged = damaged


def read(db: sqlite3.Connection, layer: int, after: int = 0) -> list[Stroke]:
    """The strokes of a layer with ids above `after`, in their order.

    Raises `DamagedStrokesError` where there are some that cannot be read.
    """
    rows = db.execute(
        "SELECT id, x, y, w, h, pixels FROM strokes WHERE layer=? AND id>? ORDER BY id",
        (layer, after),
    )
    found: list[Stroke] = []
    damaged: list[tuple[int, bytes]] = []
    for row in rows:
        try:
            values = unpack(row["pixels"])
            if values.shape != (row["h"], row["w"]):
                raise WorkspaceError("The stroke has another size than its row says.")
            found.append(Stroke(row["x"], row["y"], values))
        except WorkspaceError:
            kept = (
                row["pixels"] if isinstance(row["pixels"], bytes) else str(row["pixels"]).encode()
            )
            damaged.append((row["id"], kept))
    if damaged:
        raise DamagedStrokesError(damaged)
    return found


def ids(db: sqlite3.Connection, layer: int) -> list[int]:
    """Ids of the strokes of a layer, in their order."""
    rows = db.execute("SELECT id FROM strokes WHERE layer=? ORDER BY id", (layer,))
    return [row["id"] for row in rows]


def folded_from(below: Corrections, strokes: Sequence[Stroke]) -> Corrections:
    """The corrections `below` with strokes on top."""
    return fold(below, ((s.x, s.y, s.values) for s in strokes))


def overgrown(db: sqlite3.Connection, layer: int, pixels: int) -> bool:
    """Whether the strokes of a layer of a picture of so many pixels are to be folded into one."""
    (count, area) = db.execute(
        "SELECT COUNT(*), SUM(w * h) FROM strokes WHERE layer=?", (layer,)
    ).fetchone()
    return count > 0 and (count % MANY == 0 or (count > LARGE and area > LARGE * pixels))


def compact(path: Path, layer: int, folded: list[int], corrections: Corrections) -> bool:
    """Put one stroke of the whole picture in the place of those with the ids `folded`, which are
    all that there were when they were folded into `corrections`; returns whether that was done.

    Nothing happens where somebody else replaced some of them meanwhile. The new one takes the last
    one's id, so that what was drawn since stays above it.
    """
    packed = pack(corrections)
    last = folded[-1]
    height, width = corrections.shape
    y, x = divmod(int(np.argmax(corrections > 0)), width)
    seen = (x, y) if corrections[y, x] else (None, None)
    with transaction(path) as db:
        if [id for id in ids(db, layer) if id <= last] != folded:
            return False
        db.execute("DELETE FROM strokes WHERE layer=? AND id<?", (layer, last))
        db.execute(
            "UPDATE strokes SET x=0, y=0, w=?, h=?, seen_x=?, seen_y=?, pixels=? WHERE id=?",
            (width, height, *seen, packed, last),
        )
    return True


def pack(values: Corrections) -> bytes:
    """Values (h, w) uint8 as a PNG file, fast rather than small."""
    _, encoded = cv2.imencode(".png", values, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return encoded.tobytes()


def unpack(packed: bytes) -> Corrections:
    """The inverse of `pack`; raises `WorkspaceError` for what is no such file."""
    # OpenCV makes something of half a file, too.
    whole = isinstance(packed, bytes) and packed.endswith(_END)
    values = cv2.imdecode(np.frombuffer(packed, np.uint8), cv2.IMREAD_GRAYSCALE) if whole else None
    if values is None:
        raise WorkspaceError("A stroke in the workspace is damaged: restore it from a copy.")
    return np.asarray(values, np.uint8)
