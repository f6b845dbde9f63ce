"""What a browser shows of a picture: its likelihood as levels, views, heatmaps."""

import gzip
import io
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lrpseg.core.cache import Cache
from lrpseg.core.errors import LrpsegError
from lrpseg.domains import load_domain
from lrpseg.masks.levels import level_values, quantise
from lrpseg.masks.render import blend
from lrpseg.pipeline.curves import operating_points_file
from lrpseg.pipeline.operating_curve import OperatingPoints
from lrpseg.pipeline.operating_points import load_operating_points, weights_hash
from lrpseg.pipeline.settings import MEASURED, Settings
from lrpseg.workspace import Item, Workspace

VIEW_PIXELS = 6_000_000
"""A larger picture is reduced to this for looking at; masks keep every pixel."""


@dataclass(frozen=True, eq=False)
class Levels:
    """A likelihood map as the browser gets it: mask at level k is `quantised >= k`.

    values: ascending thresholds, (n,) float32, n <= 256; packed: gzip of (H, W) uint8.
    """

    values: NDArray[np.float32]
    packed: bytes


class LevelCache:
    """Keeps the last level maps, up to a number of bytes: a slider move needs no new fit."""

    def __init__(self, limit: int = 256_000_000) -> None:
        self._cache: Cache[Levels] = Cache(limit, lambda levels: len(levels.packed))

    def of(self, workspace: Workspace, item: Item, class_name: str | None = None) -> Levels:
        """The levels of an item's present analysis and thresholder, of one class.

        class_name: None: the first one, which is the only one of most domains.
        """
        name = item.layers[0].name if class_name is None else class_name
        own = item.layer(name).own_threshold
        key = (str(workspace.folder), item.id, name, analysis_name(item), own)
        return self._cache.get(key, lambda: _levels(workspace, item, name))

    def clear(self) -> None:
        """Forget all of them."""
        self._cache.clear()


def _levels(workspace: Workspace, item: Item, name: str) -> Levels:
    layer = item.layer(name)
    if not layer.explained:  # the mask is empty at any threshold: nothing to fit
        shape = (item.height, item.width)
        return Levels(np.array([0, 0.5, 1], np.float32), pack(np.zeros(shape, np.uint8)))
    likelihood = workspace.likelihood(item.id, name)
    points = operating_points(item.settings, name)
    extra = [p.threshold for p in points.curve] if points else []
    values = level_values(likelihood, layer.own_threshold or 0.5, extra)
    return Levels(values, pack(quantise(likelihood, values)))


def pack(array: NDArray[np.uint8]) -> bytes:
    """gzip of an array's bytes; fast rather than small."""
    return gzip.compress(array.tobytes(), compresslevel=1, mtime=0)


def analysis_name(item: Item) -> str:
    """Names the likelihood map that levels and thresholds refer to."""
    return f"{item.analysis}-{item.settings.thresholder}-{item.settings.refiner}"


_POINTS: Cache[OperatingPoints | None] = Cache(4096, lambda points: 1)


def operating_points(settings: Settings, class_name: str | None = None) -> OperatingPoints | None:
    """The operating points of these settings, or None where nothing was measured.

    Kept as long as the file of points and the weights stay what they are.
    """
    try:
        domain = load_domain(settings.domain)
        changed = operating_points_file(domain).stat().st_mtime_ns
        weights = weights_hash(domain, settings)
    except (LrpsegError, OSError):
        return None
    chosen = {name: getattr(settings, name) for name in MEASURED}

    def read() -> OperatingPoints | None:
        try:
            return load_operating_points(settings.domain, class_name=class_name, **chosen)
        except LrpsegError:
            return None  # never measured: the page says so

    key = (str(domain.folder), class_name, changed, weights, *chosen.values())
    return _POINTS.get(key, read)


def nearest_level(values: NDArray[np.float32], threshold: float | None) -> int:
    """Index of the level nearest to a threshold; the middle one where there is none."""
    if threshold is None:
        return len(values) // 2
    return int(np.argmin(np.abs(values.astype(np.float64) - float(np.float32(threshold)))))


def view_size(height: int, width: int) -> tuple[int, int]:
    """(height, width) of the picture as it is shown."""
    scale = min(1.0, (VIEW_PIXELS / max(1, height * width)) ** 0.5)
    return max(1, round(height * scale)), max(1, round(width * scale))


def reduced(array: NDArray, size: tuple[int, int]) -> NDArray:
    """An array (H, W[, C]) at `size` (height, width), by area; itself if it has that size."""
    if array.shape[:2] == size:
        return array
    return np.asarray(cv2.resize(array, size[::-1], interpolation=cv2.INTER_AREA))


def view(image: NDArray[np.uint8]) -> bytes:
    """The picture to look at: PNG where it is small, else a JPEG of high quality."""
    return encode(reduced(image, view_size(*image.shape[:2])))


def heatmap_view(image: NDArray[np.uint8], relevance: NDArray[np.float32], colormap: str) -> bytes:
    """Relevance over the picture, both reduced to what is shown."""
    size = view_size(*image.shape[:2])
    return encode(blend(reduced(image, size), reduced(relevance, size), colormap))


def encode(image: NDArray[np.uint8], lossless: int = 500_000) -> bytes:
    """PNG of up to `lossless` pixels, JPEG of more."""
    file = io.BytesIO()
    if image.shape[0] * image.shape[1] <= lossless:
        Image.fromarray(image).save(file, "PNG", compress_level=1)
    else:
        Image.fromarray(image).save(file, "JPEG", quality=92)
    return file.getvalue()
