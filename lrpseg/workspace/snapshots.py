"""A picture with all that was drawn on it, as it was at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lrpseg.workspace.item import Item
from lrpseg.workspace.strokes import Corrections


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A picture and all that was drawn on it at one moment. corrections: (H, W) uint8 by class,
    where something was drawn, as `lrpseg.masks.corrections` has them."""

    item: Item
    corrections: Mapping[str, Corrections]

    def of(self, class_name: str) -> Corrections:
        """The corrections of a class; all 0 where nothing was drawn."""
        found = self.corrections.get(class_name)
        return np.zeros((self.item.height, self.item.width), np.uint8) if found is None else found


Which = str | Item | Snapshot
"""A picture by its id; or as it was read before, which saves reading it again. What is drawn on an
`Item` is not known: then it is read anew, together with the picture."""
