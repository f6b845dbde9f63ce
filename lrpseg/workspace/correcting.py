"""The correcting half of a workspace: strokes, true masks, thresholds and cleaning of classes."""

import uuid
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from lrpseg.core.errors import ImageError, LrpsegError
from lrpseg.core.files import writing
from lrpseg.masks import read_mask
from lrpseg.masks.corrections import Mask
from lrpseg.masks.render import mask_image, save_png
from lrpseg.workspace import strokes
from lrpseg.workspace.analysing import Analysable
from lrpseg.workspace.errors import WorkspaceError
from lrpseg.workspace.item import Item
from lrpseg.workspace.quota import check_size
from lrpseg.workspace.rows import get_item, touch
from lrpseg.workspace.strokes import Stroke


class Correctable(Analysable):
    """Takes what a person draws and chooses. Methods that are about one class take its name; None
    is the only class."""

    def set_threshold(
        self, id: str, threshold: float | None, class_name: str | None = None
    ) -> None:
        """The likelihood from which on a pixel is in the mask, 0 to 1; None: the thresholder's.

        class_name: None: the same for all classes.
        """
        if threshold is not None and not 0 <= threshold <= 1:
            raise WorkspaceError(f"A threshold is 0 to 1; {threshold} was given.")
        self._choose(id, class_name, threshold=threshold)

    def set_cleaning(
        self, id: str, min_area: int, max_hole: int, class_name: str | None = None
    ) -> None:
        """Smaller spots go and smaller holes are filled; in pixels, 0 for neither.

        class_name: None: the same for all classes.
        """
        self._choose(id, class_name, min_area=max(0, min_area), max_hole=max(0, max_hole))

    def set_truth(self, id: str, truth: bytes | Mask, class_name: str | None = None) -> None:
        """Keep the true mask: a file as `read_mask` takes it, or (H, W) bool.

        Raises:
            ImageError: it is no image, or of another size.
            WorkspaceError: there are several classes and none is named.
        """
        item = self.item(id)
        layer = item.drawable(class_name)
        shape = (item.height, item.width)
        if isinstance(truth, bytes):
            check_size(truth, shape)
            self.check_room(len(truth))
        mask = read_mask(truth, shape) if isinstance(truth, bytes) else truth
        if mask.shape != shape:
            raise ImageError(
                f"The mask has {mask.shape[1]}x{mask.shape[0]} pixels and the picture "
                f"{item.width}x{item.height}. Export it at the picture's size."
            )
        file = layer.truth or f"truth-{uuid.uuid4().hex[:12]}.png"
        with writing(self._folder(item), "Look whether its disk is there."):
            save_png(mask_image(mask), self._folder(item) / file)
        with self._writing() as db:
            before = get_item(db, id).drawable(layer.name)
            db.execute("UPDATE layers SET truth=? WHERE id=?", (file, before.id))
            touch(db, id, edited=False)
        if before.truth not in ("", file):  # somebody else gave the first one at the same moment
            (self._folder(item) / before.truth).unlink(missing_ok=True)

    def patch_corrections(
        self,
        id: str,
        x: int,
        y: int,
        w: int,
        h: int,
        values: bytes | NDArray[np.uint8],
        class_name: str | None = None,
    ) -> int:
        """Replace a rectangle of the corrections by (h, w) values of 0, 1 and 2; returns the new
        revision. The stroke is stored before this returns.

        Raises `WorkspaceError` for what does not fit the picture, and where there are several
        classes and none is named.
        """
        flat = np.frombuffer(values, np.uint8) if isinstance(values, bytes) else values.ravel()
        if min(x, y) < 0 or min(w, h) <= 0 or flat.size != w * h:
            raise WorkspaceError("The stroke does not fit the picture. Reload the page.")
        if flat.max() > 2:
            raise WorkspaceError("Corrections hold 0, 1 and 2 alone.")
        stroke = Stroke(x, y, flat.reshape(h, w))
        packed = strokes.pack(stroke.values)
        self._check_database()
        with self._writing() as db:
            item = get_item(db, id)
            if x + w > item.width or y + h > item.height:
                raise WorkspaceError("The stroke does not fit the picture. Reload the page.")
            layer = item.drawable(class_name).id
            strokes.append(db, layer, stroke, packed)
            revision = touch(db, id)
            grown = strokes.overgrown(db, layer, item.width * item.height)
        if grown:
            with suppress(LrpsegError):  # the stroke is stored; folding is tried again with others
                self._compact(item, layer)
        return revision

    def keep_class(self, id: str, class_name: str) -> None:
        """Let a picture have something drawn of a class that its domain does not have."""
        with self._writing() as db:
            item = get_item(db, id)
            if class_name not in [layer.name for layer in (*item.layers, *item.kept)]:
                db.execute("INSERT INTO layers (item, class) VALUES (?, ?)", (id, class_name))

    # ---------------------------------------------------------------------------------- inside

    def _choose(self, id: str, class_name: str | None, **values: float | int | None) -> None:
        sets = ", ".join(f"{name} = ?" for name in values)
        with self._writing() as db:
            for layer in get_item(db, id).chosen(class_name):
                db.execute(f"UPDATE layers SET {sets} WHERE id = ?", (*values.values(), layer.id))
            touch(db, id)

    def _compact(self, item: Item, layer: int) -> None:
        """Fold the strokes of a layer into one, while others may read and draw."""
        with self._reading() as db:
            ids = strokes.ids(db, layer)
            corrections = self._folded(db, item, layer)
        if len(ids) > 1:
            strokes.compact(self._path, layer, ids, corrections)
