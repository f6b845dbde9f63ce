"""What a workspace gives out: its pictures, and the maps and masks that belong to them."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lrpseg.core.cache import Cache
from lrpseg.core.images import read_image
from lrpseg.masks import read_mask
from lrpseg.masks.corrections import Mask, apply, clean
from lrpseg.thresholders import Fitted
from lrpseg.workspace.errors import NoSuchItem, WorkspaceError
from lrpseg.workspace.item import Item, from_row
from lrpseg.workspace.schema import FILE_NAME, connect

_CACHE_BYTES = 400_000_000

Arrays = Cache[Any]


def _bytes(value: Any) -> int:
    return value.likelihood.nbytes if isinstance(value, Fitted) else value.nbytes


def make_cache() -> Arrays:
    """A cache that workspaces may share."""
    return Cache(_CACHE_BYTES, _bytes)


class Readable:
    """The reading half of a `Workspace`. Holds nothing but the folder and a cache."""

    def __init__(self, folder: Path, cache: Arrays | None = None) -> None:
        self.folder = folder
        self._path = folder / FILE_NAME
        self._cache = cache or make_cache()

    def items(self) -> list[Item]:
        """All pictures in the order in which they came."""
        connection = connect(self._path)
        try:
            rows = connection.execute("SELECT * FROM items ORDER BY position").fetchall()
        finally:
            connection.close()
        return [from_row(row) for row in rows]

    def item(self, id: str) -> Item:
        """One picture; raises `NoSuchItem`."""
        item = self._find(id)
        if item is None:
            raise NoSuchItem("There is no such picture in this workspace.")
        return item

    def _find(self, id: str) -> Item | None:
        connection = connect(self._path)
        try:
            row = connection.execute("SELECT * FROM items WHERE id = ?", (id,)).fetchone()
        finally:
            connection.close()
        return None if row is None else from_row(row)

    def serial(self) -> int:
        """A number that rises with every change."""
        connection = connect(self._path)
        try:
            (value,) = connection.execute("SELECT value FROM state WHERE key='serial'").fetchone()
        finally:
            connection.close()
        return int(value)

    def original(self, id: str) -> bytes:
        """The picture's file as it came."""
        return (self._folder(self.item(id)) / "original").read_bytes()

    def image(self, id: str) -> NDArray[np.uint8]:
        """The picture, (H, W, 3) uint8, upright; not to be written to."""
        item = self.item(id)
        if item.status == "failed" and not item.width:
            raise WorkspaceError(item.reason or "This picture cannot be read.")
        path = self._folder(item) / "original"
        return self._cache.get(("image", item.id), lambda: _frozen(read_image(path)))

    def thumbnail(self, id: str) -> bytes:
        """A small JPEG of the picture."""
        path = self._folder(self.item(id)) / "thumbnail.jpg"
        if not path.is_file():
            raise NoSuchItem("This picture cannot be shown.")
        return path.read_bytes()

    def relevance(self, id: str) -> NDArray[np.float32]:
        """(H, W) float32; all 0 where the picture was classified intact and not explained."""
        return self._relevance(self.item(id))

    def evidence(self, id: str) -> NDArray[np.float32]:
        """(H, W) float32: what the thresholder gets; see `lrpseg.Result.evidence`."""
        return self._evidence(self.item(id))

    def fitted(self, id: str) -> Fitted:
        """Likelihood and own threshold under the picture's thresholder and refiner."""
        return self._fitted(self.item(id))

    def likelihood(self, id: str) -> NDArray[np.float32]:
        """(H, W) float32 in [0, 1]."""
        return self.fitted(id).likelihood

    def corrections(self, id: str) -> NDArray[np.uint8]:
        """(H, W) uint8: 0 nothing drawn, 1 added, 2 removed."""
        return self._corrections(self.item(id))

    def automatic_mask(self, id: str) -> Mask:
        """What the thresholder alone gives, at its own threshold."""
        item = self.item(id)
        if not item.explained:
            return np.zeros((item.height, item.width), bool)
        return self.fitted(id).mask

    def cleaned_mask(self, id: str) -> Mask:
        """The mask at the chosen threshold and cleaning, without what was drawn."""
        item = self.item(id)
        if not item.explained:
            return np.zeros((item.height, item.width), bool)
        return clean(self.fitted(id).at(item.used_threshold), item.min_area, item.max_hole)

    def mask(self, id: str) -> Mask:
        """(H, W) bool: the mask as it is now, with everything that was drawn."""
        return apply(self.cleaned_mask(id), self.corrections(id))

    def truth(self, id: str) -> Mask | None:
        """The true mask, where one was given."""
        item = self.item(id)
        return read_mask(self._folder(item) / "truth.png") if item.has_truth else None

    def _relevance(self, item: Item) -> NDArray[np.float32]:
        if not item.analysis:
            raise WorkspaceError("This picture is still waiting for its analysis.")
        if not item.explained:
            return np.zeros((item.height, item.width), np.float32)
        return np.load(self._folder(item) / f"relevance-{item.analysis}.npy", mmap_mode="r")

    def _evidence(self, item: Item) -> NDArray[np.float32]:
        own = self._folder(item) / f"likelihood-{item.analysis}.npy"
        return np.load(own, mmap_mode="r") if own.is_file() else self._relevance(item)

    def _fitted(self, item: Item) -> Fitted:
        settings = item.settings
        key = ("fitted", item.id, item.analysis, settings.thresholder, settings.refiner)

        def fit() -> Fitted:
            relevance, evidence = (
                np.array(a) for a in (self._relevance(item), self._evidence(item))
            )
            return settings.fit(self.image(item.id), relevance, evidence)

        return self._cache.get(key, fit)

    def _folder(self, item: Item) -> Path:
        return self.folder / "items" / item.id

    def _corrections(self, item: Item) -> NDArray[np.uint8]:
        path = self._folder(item) / "corrections.png"
        if not path.is_file():
            return np.zeros((item.height, item.width), np.uint8)
        return np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8)


def _frozen(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    array.flags.writeable = False
    return array
