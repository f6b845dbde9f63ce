"""What a workspace gives out: its pictures, and the maps and masks that belong to them.

Methods that are about one class take its name; None is the only class, and of several their union
where there is one. Arrays must not be written to.
"""

import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrpseg.core.cache import Cache
from lrpseg.core.errors import ImageError
from lrpseg.core.files import atomically
from lrpseg.core.images import read_image
from lrpseg.masks import read_mask
from lrpseg.masks.corrections import ADDED, Mask, apply, clean, union
from lrpseg.masks.render import thumbnail
from lrpseg.pipeline.results import fit, highest
from lrpseg.thresholders import Fitted
from lrpseg.workspace import strokes
from lrpseg.workspace.errors import DamagedMapError, NoSuchItem, WorkspaceError
from lrpseg.workspace.item import Item, ItemLayer
from lrpseg.workspace.mending import make_again, put_aside, put_aside_reason
from lrpseg.workspace.quota import Quota
from lrpseg.workspace.reserve import Reserve
from lrpseg.workspace.rows import get_item
from lrpseg.workspace.snapshots import Snapshot, Which
from lrpseg.workspace.stored import Stored
from lrpseg.workspace.strokes import Corrections, DamagedStrokesError

_CACHE_BYTES = 400_000_000
_JPEG = b"\xff\xd8", b"\xff\xd9"
"""How a JPEG file begins and ends (ITU-T T.81, B.1.1.3)."""

Arrays = Cache[Any]
Map = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Folded:
    """The strokes of a layer up to the one with the id `last`."""

    last: int
    values: Corrections


def _bytes(value: Any) -> int:
    if isinstance(value, Fitted):
        return value.likelihood.nbytes
    return value.values.nbytes if isinstance(value, _Folded) else value.nbytes


def make_cache() -> Arrays:
    """A cache that workspaces may share."""
    return Cache(_CACHE_BYTES, _bytes)


class Readable(Stored):
    """The reading half of a `Workspace`, with a cache of arrays."""

    def __init__(
        self,
        folder: Path,
        cache: Arrays | None = None,
        reserve: Reserve | None = None,
        quota: Quota | None = None,
    ) -> None:
        super().__init__(folder, reserve, quota)
        self._cache = cache or make_cache()

    def snapshot(self, which: Which) -> Snapshot:
        """One picture and what is drawn on it, of one moment.

        Raises `NoSuchItem`, and once `WorkspaceError` where a stroke was damaged: it is put aside,
        so that somebody hears of it before the mask is used.
        """
        if isinstance(which, Snapshot):
            return which
        id = which if isinstance(which, str) else which.id
        try:
            with self._reading() as db:
                item = get_item(db, id)
                drawn = [layer for layer in (*item.layers, *item.kept) if layer.drawn]
                folded = {layer.name: self._folded(db, item, layer.id) for layer in drawn}
                return Snapshot(item, folded)
        except DamagedStrokesError as error:
            damaged, folder = error.damaged, self.folder / "items" / id
            self._repair(lambda db: put_aside(db, id, folder, damaged))
            told = put_aside_reason(len(damaged))
            raise WorkspaceError(told) from error

    def original(self, which: Which) -> bytes:
        """The picture's file as it came; raises `WorkspaceError` where it is gone."""
        item = self._item(which)
        try:
            return (self._folder(item) / "original").read_bytes()
        except OSError as error:
            raise WorkspaceError(
                f"{item.name} cannot be read: {error.strerror}. Delete it and add it again."
            ) from error

    def image(self, which: Which) -> NDArray[np.uint8]:
        """The picture, (H, W, 3) uint8, upright."""
        item = self._item(which)
        if item.status == "failed" and not item.width:
            raise WorkspaceError(item.reason or "This picture cannot be read.")
        path = self._folder(item) / "original"
        return self._cache.get(("image", item.id), lambda: _frozen(read_image(path)))

    def thumbnail(self, which: Which) -> bytes:
        """A small JPEG of the picture; made again where its file is damaged or gone."""
        item = self._item(which)
        path = self._folder(item) / "thumbnail.jpg"
        with suppress(OSError):
            held = path.read_bytes()
            if held.startswith(_JPEG[0]) and held.endswith(_JPEG[1]):
                return held
        try:
            made = thumbnail(self.image(item))
        except (ImageError, WorkspaceError) as error:
            raise NoSuchItem("This picture cannot be shown.") from error
        with suppress(OSError):  # a full disk, or a folder that is only read: it can be shown
            if not self.read_only:
                atomically(path, lambda file: file.write(made))
        return made

    # ------------------------------------------------------------------------------------- maps

    def relevance(self, which: Which, class_name: str | None = None) -> Map:
        """(H, W) float32; all 0 where the class was not explained. Of several classes the highest
        at each pixel."""
        item = self._item(which)
        return highest([self._relevance(item, name) for name in _names(item, class_name)])

    def evidence(self, which: Which, class_name: str | None = None) -> Map:
        """(H, W) float32: what the thresholder gets, see `lrpseg.Result.evidence`. Of several
        classes the highest at each pixel."""
        item = self._item(which)
        return highest([self._evidence(item, name) for name in _names(item, class_name)])

    def has_evidence(self, which: Which) -> bool:
        """Whether the thresholder gets something else than relevance, see `evidence`."""
        item = self._item(which)
        return bool(item.analysis) and any(
            self._file(item, "likelihood", item.analysis, place).is_file()
            for place in range(len(item.layers))
        )

    def fitted(self, which: Which, class_name: str | None = None) -> Fitted:
        """Likelihood and own threshold under the picture's thresholder and refiner.

        Raises `WorkspaceError` where there are several classes and none is named.
        """
        item = self._item(which)
        return self._fitted(item, item.layer(class_name).name)

    def likelihood(self, which: Which, class_name: str | None = None) -> Map:
        """(H, W) float32 in [0, 1]. Of several classes the highest at each pixel."""
        item = self._item(which)
        return highest([self.fitted(item, name).likelihood for name in _names(item, class_name)])

    # ------------------------------------------------------------------------------------ masks

    def corrections(self, which: Which, class_name: str | None = None) -> Corrections:
        """(H, W) uint8: 0 nothing drawn, 1 added, 2 removed.

        Raises `WorkspaceError` where there are several classes and none is named.
        """
        seen = self.snapshot(which)
        return seen.of(seen.item.drawable(class_name).name)

    def automatic_mask(self, which: Which, class_name: str | None = None) -> Mask:
        """(H, W) bool: what the thresholder alone gives, at its own threshold."""
        item = self._item(which)
        return union(
            self.fitted(item, layer.name).mask if layer.explained else _empty(item)
            for layer in item.chosen(class_name)
        )

    def cleaned_mask(self, which: Which, class_name: str | None = None) -> Mask:
        """(H, W) bool: the mask at the chosen threshold and cleaning, without what was drawn."""
        item = self._item(which)
        return union(self._cleaned(item, layer) for layer in item.chosen(class_name))

    def mask(self, which: Which, class_name: str | None = None) -> Mask:
        """(H, W) bool: the mask as it is now, with everything that was drawn."""
        seen = self.snapshot(which)
        item = seen.item
        if class_name is None:
            return union(self.masks(seen).values())
        if class_name in {layer.name for layer in item.kept}:
            return seen.of(class_name) == ADDED
        return apply(self.cleaned_mask(item, class_name), seen.of(class_name))

    def masks(self, which: Which) -> dict[str, Mask]:
        """As `mask`, by class: of all classes of the picture, and of those that its domain does not
        have, but of which something was added."""
        seen = self.snapshot(which)
        item = seen.item
        found = {layer.name: self.mask(seen, layer.name) for layer in item.layers}
        kept = {layer.name: self.mask(seen, layer.name) for layer in item.kept if layer.drawn}
        return found | {name: mask for name, mask in kept.items() if mask.any()}

    def truth(self, which: Which, class_name: str | None = None) -> Mask | None:
        """(H, W) bool: the true mask, where one was given."""
        item = self._item(which)
        known = [layer.truth for layer in item.chosen(class_name) if layer.truth]
        return union(read_mask(self._folder(item) / name) for name in known) if known else None

    # ----------------------------------------------------------------------------------- inside

    def _item(self, which: Which) -> Item:
        if isinstance(which, str):
            return self.item(which)
        return which.item if isinstance(which, Snapshot) else which

    def _cleaned(self, item: Item, layer: ItemLayer) -> Mask:
        if not layer.explained:
            return _empty(item)
        fitted = self.fitted(item, layer.name)
        return clean(fitted.at(layer.used_threshold), layer.min_area, layer.max_hole)

    def _relevance(self, item: Item, class_name: str) -> Map:
        place = item.place(class_name)
        if not item.analysis:
            raise WorkspaceError("This picture is still waiting for its analysis.")
        if not item.layers[place].explained:
            return np.zeros((item.height, item.width), np.float32)
        return self._map(item, "relevance", item.analysis, place)

    def _evidence(self, item: Item, class_name: str) -> Map:
        place = item.place(class_name)
        if self._file(item, "likelihood", item.analysis, place).is_file():
            return self._map(item, "likelihood", item.analysis, place)
        return self._relevance(item, class_name)

    def _fitted(self, item: Item, class_name: str) -> Fitted:
        settings, place = item.settings, item.place(class_name)
        key = ("fitted", item.id, item.analysis, place, settings.thresholder, settings.refiner)

        def make() -> Fitted:
            relevance = np.array(self._relevance(item, class_name))
            evidence = np.array(self._evidence(item, class_name))
            return fit(settings, self.image(item), relevance, evidence)

        return self._cache.get(key, make)

    def _map(self, item: Item, kind: str, analysis: str, place: int) -> Map:
        """A stored map; raises `DamagedMapError` where that is damaged: it is made again."""
        try:
            found = np.load(self._file(item, kind, analysis, place), mmap_mode="r")
            if found.shape == (item.height, item.width) and found.dtype == np.float32:
                return found
        except (OSError, ValueError, EOFError):  # missing, short, or nothing that NumPy wrote
            pass

        def again(db: sqlite3.Connection) -> None:
            make_again(db, item.id, self._folder(item), analysis)

        self._repair(again)
        if self._find(item.id) is None:
            raise NoSuchItem("This picture was deleted.")
        raise DamagedMapError(
            f"The heatmap of {item.name} was damaged. It is made again; wait for its analysis."
        )

    def _file(self, item: Item, kind: str, analysis: str, place: int) -> Path:
        """Of the first class the name that it had when there was but one."""
        number = f"-{place}" if place else ""
        return self._folder(item) / f"{kind}-{analysis}{number}.npy"

    def _folder(self, item: Item) -> Path:
        return self.folder / "items" / item.id

    def _folded(self, db: sqlite3.Connection, item: Item, layer: int) -> Corrections:
        """The corrections of a layer with the id `layer`: those that were folded last, and the
        strokes since."""
        ids = strokes.ids(db, layer)
        if not ids:
            return np.zeros((item.height, item.width), np.uint8)
        key = ("corrections", item.id, layer)
        before: _Folded | None = self._cache.find(key)
        if before is not None and before.last == ids[-1]:
            return before.values
        # Where no stroke of before is left, something else may have become of what they made.
        if before is not None and ids[0] <= before.last < ids[-1]:
            below, after = before.values, before.last
        else:
            below, after = np.zeros((item.height, item.width), np.uint8), 0
        values = _frozen(strokes.folded_from(below, strokes.read(db, layer, after)))
        self._cache.put(key, _Folded(ids[-1], values))
        return values


def _names(item: Item, class_name: str | None) -> list[str]:
    return [layer.name for layer in item.chosen(class_name)]


def _empty(item: Item) -> Mask:
    return np.zeros((item.height, item.width), bool)


def _frozen(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    array.flags.writeable = False
    return array
