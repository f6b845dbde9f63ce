"""Takes over what versions 1 and 2 of a workspace kept of the only class of a picture.

These had one column for each thing that is known of a class now, and files `corrections.png`
(0 nothing drawn, 1 added, 2 removed), `truth.png` and `mask.png`. Nothing in here may change when
the code around it does: it reads what was written once.
"""

import json
import shutil
import sqlite3
import struct
from pathlib import Path

import cv2
import numpy as np

from lrpseg.domains import known_domain

_START, _END = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", b"IEND\xaeB`\x82"
"""Of a whole PNG file."""

_GONE = "damaged"
"""The class of pictures whose domain is gone."""


def take_over_classes(db: sqlite3.Connection, folder: Path) -> None:
    """Fill `layers` and `strokes` from `items` and the files below `folder`."""
    names: dict[str, str] = {}
    for row in db.execute("SELECT * FROM items ORDER BY position").fetchall():
        domain = _domain(row["settings"])
        if domain not in names:
            found = known_domain(domain)
            names[domain] = _GONE if found is None else found.classes[0].name
        layer = db.execute(
            "INSERT INTO layers (item, class, place, probability, damaged, explained, threshold, "
            "own_threshold, min_area, max_hole, drawn, truth) "
            "VALUES (?, ?, 0, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
            (
                row["id"], names[domain], row["probability"], row["damaged"], row["explained"],
                row["threshold"], row["own_threshold"], row["min_area"], row["max_hole"],
                "truth.png" if row["has_truth"] else "",
            ),
        ).lastrowid  # fmt: skip
        drawn = folder / "items" / row["id"] / "corrections.png"
        if drawn.is_file() and layer is not None:
            png = _read(drawn)
            if png is None:
                _put_aside(db, row["id"], drawn)
            else:
                _take_over_strokes(db, layer, png, bool(row["drawn"]))


def _domain(settings: object) -> str:
    """The domain that settings name; "" where they are damaged."""
    try:
        return str(json.loads(settings)["domain"])  # type: ignore[arg-type]
    except (ValueError, TypeError, KeyError):
        return ""


def _read(path: Path) -> bytes | None:
    """The PNG file at `path`; None where it is damaged."""
    try:
        png = path.read_bytes()
    except OSError:
        return None
    return png if png.startswith(_START) and png.endswith(_END) else None


def _put_aside(db: sqlite3.Connection, id: str, path: Path) -> None:
    """Keep a damaged file under another name, so that it costs its picture's corrections alone."""
    shutil.copyfile(path, path.with_name("corrections-damaged.png"))
    db.execute(
        "UPDATE items SET reason=?, status=CASE status WHEN 'accepted' THEN 'edited' ELSE status "
        "END WHERE id=?",
        ("What was drawn on this picture is damaged, and kept as corrections-damaged.png.", id),
    )


def _take_over_strokes(db: sqlite3.Connection, layer: int, png: bytes, drawn: bool) -> None:
    """The file as it is, as one stroke; `drawn`: that something in it is not 0."""
    if not drawn:  # undone altogether; or a kill came between the file and its row
        values = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
        if values is None or not np.any(values):
            return
    width, height = struct.unpack(">II", png[16:24])
    db.execute(
        "INSERT INTO strokes (layer, x, y, w, h, seen_x, seen_y, pixels) "
        "VALUES (?, 0, 0, ?, ?, -1, -1, ?)",
        (layer, width, height, png),
    )
    db.execute("UPDATE layers SET drawn=1 WHERE id=?", (layer,))


def remove_files_of_version_2(folder: Path) -> None:
    """Files that the database holds now, or that nobody reads."""
    for name in ("corrections.png", "mask.png"):
        for path in (folder / "items").glob(f"*/{name}"):
            path.unlink(missing_ok=True)
