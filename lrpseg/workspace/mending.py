"""Puts right what is damaged in a workspace: one row or file costs its picture alone.

What can be made again is made again; what cannot is put aside, in a file beside the picture's
others, and the picture says so. Nothing is dropped without a word.
"""

import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from lrpseg.core.errors import ImageError
from lrpseg.core.files import atomically
from lrpseg.core.images import read_image
from lrpseg.domains import known_domain
from lrpseg.workspace.decoding import UNKNOWN, read_text, repairs, wrong_values
from lrpseg.workspace.decoding import lost as lost_values
from lrpseg.workspace.item import settings_text
from lrpseg.workspace.rows import arrange, bump, touch

_log = logging.getLogger(__name__)


def mend_row(db: sqlite3.Connection, id: str, folder: Path) -> None:
    """Give the damaged values of a picture's rows others, so that it can be used again; it is
    failed until settings are chosen. `folder`: of the picture."""
    row = db.execute("SELECT * FROM items WHERE id=?", (id,)).fetchone()
    if row is None:
        return
    layers = db.execute("SELECT * FROM layers WHERE item=?", (id,)).fetchall()
    wrong = wrong_values(row, layers)
    if not wrong:
        return
    _log.warning("damaged in the workspace, and mended: %s of %s", wrong, [*row])
    values = repairs(row) | lost_values(wrong)
    settings = read_text(row["settings"])
    if settings is None:
        settings = UNKNOWN
        values["settings"] = settings_text(settings)
    if "width" in values or "height" in values:
        values["height"], values["width"] = _size(folder / "original")
    _set(db, "items", row["id"], values)
    for layer in layers:
        found = repairs(layer, of_layer=True)
        if "drawn" in found:
            query = "SELECT COUNT(*) > 0 FROM strokes WHERE layer=?"
            (found["drawn"],) = db.execute(query, (layer["id"],)).fetchone()
        _set(db, "layers", layer["id"], found)
    if "classes" in wrong:
        domain = known_domain(settings.domain)
        arrange(db, id, domain.classes.names if domain else ["damaged"])
    bump(db)


def put_aside(
    db: sqlite3.Connection, id: str, folder: Path, strokes: Sequence[tuple[int, bytes]]
) -> None:
    """Take damaged strokes, (id, pixels) each, out of a picture and into its folder; the picture
    says so, and an accepted mask is no longer accepted."""
    for stroke, packed in strokes:
        atomically(folder / f"damaged-stroke-{stroke}.png", lambda f, p=packed: f.write(p))  # type: ignore[misc]
        db.execute("DELETE FROM strokes WHERE id=?", (stroke,))
    touch(db, id, reason=put_aside_reason(len(strokes)))
    _log.warning("%d damaged strokes were put aside in %s", len(strokes), folder)


def put_aside_reason(count: int) -> str:
    """What a picture says whose strokes were damaged."""
    which = "A stroke on this picture was" if count == 1 else f"{count} strokes here were"
    return (
        f"{which} damaged, and is kept in its folder as damaged-stroke-*.png. The mask is without "
        "it: look at it again."
    )


def make_again(db: sqlite3.Connection, id: str, folder: Path, analysis: str) -> None:
    """Remove an analysis whose files are damaged; a picture that shows it waits for it again, and
    is accepted then if it was."""
    for path in folder.glob(f"*-{analysis}*"):
        path.unlink(missing_ok=True)
    db.execute(
        "UPDATE items SET accept = accept OR status='accepted', status='waiting', analysis='' "
        "WHERE id=? AND analysis=? AND status NOT IN ('waiting', 'running')",
        (id, analysis),
    )
    db.execute("UPDATE items SET analysis='' WHERE id=? AND analysis=?", (id, analysis))
    bump(db)


def _set(db: sqlite3.Connection, table: str, id: object, values: dict[str, object]) -> None:
    for name, value in values.items():
        db.execute(f"UPDATE {table} SET {name}=? WHERE id=?", (value, id))


def _size(original: Path) -> tuple[int, int]:
    """(height, width) of a picture, 0 where it cannot be read."""
    try:
        height, width = read_image(original).shape[:2]
    except ImageError:
        return 0, 0
    return height, width
