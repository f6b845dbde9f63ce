"""What the browser is told about a picture: its levels, views, operating points and verdict."""

import gzip
import io
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lrpseg.app import words
from lrpseg.core.errors import LrpsegError
from lrpseg.domains import known_domain
from lrpseg.masks.levels import level_values, quantise
from lrpseg.masks.render import COLORMAPS, blend
from lrpseg.pipeline.operating_curve import OperatingPoints
from lrpseg.pipeline.operating_points import load_operating_points
from lrpseg.pipeline.results import Settings
from lrpseg.workspace import Cache, Item, Workspace

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

    def of(self, workspace: Workspace, item: Item) -> Levels:
        """The levels of an item's present analysis and thresholder."""
        key = (str(workspace.folder), item.id, analysis_name(item), item.own_threshold)
        return self._cache.get(key, lambda: _levels(workspace, item))


def _levels(workspace: Workspace, item: Item) -> Levels:
    if not item.explained:  # the mask is empty at any threshold: nothing to fit
        shape = (item.height, item.width)
        return Levels(np.array([0, 0.5, 1], np.float32), pack(np.zeros(shape, np.uint8)))
    likelihood = workspace.likelihood(item.id)
    points = operating_points(item.settings)
    extra = [p.threshold for p in points.curve] if points else []
    values = level_values(likelihood, item.own_threshold or 0.5, extra)
    return Levels(values, pack(quantise(likelihood, values)))


def pack(array: NDArray[np.uint8]) -> bytes:
    """gzip of an array's bytes; fast rather than small."""
    return gzip.compress(array.tobytes(), compresslevel=1, mtime=0)


def analysis_name(item: Item) -> str:
    """Names the likelihood map that levels and thresholds refer to."""
    return f"{item.analysis}-{item.settings.thresholder}-{item.settings.refiner}"


@lru_cache(maxsize=64)
def _points(
    domain: str,
    network: str,
    rule_set: str,
    thresholder: str,
    refiner: str,
    start: str,
    pooling: str,
) -> OperatingPoints | None:
    try:
        return load_operating_points(
            domain, network=network, rule_set=rule_set, thresholder=thresholder,
            refiner=refiner, start=start, pooling=pooling,
        )  # fmt: skip
    except LrpsegError:
        return None  # never measured: the page says so


def operating_points(settings: Settings) -> OperatingPoints | None:
    """The operating points of these settings, or None where nothing was measured."""
    return _points(
        settings.domain, settings.network, settings.rule_set, settings.thresholder,
        settings.refiner, settings.start, settings.pooling,
    )  # fmt: skip


def summary(item: Item) -> dict[str, Any]:
    """What the strip of thumbnails shows."""
    return {
        "id": item.id,
        "name": item.name,
        "status": item.status,
        "reason": item.reason,
        "probability": item.probability,
        "width": item.width,
        "height": item.height,
        "revision": item.revision,
        "analysis": analysis_name(item) if item.analysis else None,
        "tiles_done": item.tiles_done,
        "tiles": item.tiles,
    }


def details(workspace: Workspace, item: Item, levels: Levels) -> dict[str, Any]:
    """All that the editor needs beside the maps."""
    height, width = view_size(item.height, item.width)
    points = operating_points(item.settings)
    chosen = item.own_threshold if item.threshold is None else item.threshold
    return summary(item) | {
        "explained": item.explained,
        "verdict": words.verdict(item, known_domain(item.settings.domain)),
        "levels": [float(v) for v in levels.values],
        "level": nearest_level(levels.values, chosen),
        "own_level": nearest_level(levels.values, item.own_threshold),
        "min_area": item.min_area,
        "max_hole": item.max_hole,
        "view_width": width,
        "view_height": height,
        "has_truth": item.has_truth,
        "points": _points_json(points),
        "note": words.points_note(points, item, workspace.image(item.id) if points else None),
        "colourbars": colourbars(),
        "choice": asdict(item.settings) | {"explain_intact": item.explain_intact},
    }


def _points_json(points: OperatingPoints | None) -> dict[str, Any] | None:
    if points is None:
        return None
    return {
        "curve": [asdict(p) for p in points.curve],
        "split": points.split,
        "images": points.images,
        "regions": points.regions,
        "stale": points.stale,
    }


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


@lru_cache(maxsize=1)
def colourbars() -> dict[str, list[str]]:
    """16 colours of each colormap, from its lowest relevance to its highest."""
    ramp = {"signed": np.linspace(-1, 1, 16), "positive": np.linspace(0, 1, 16)}
    bars = {}
    for name in COLORMAPS:
        row = ramp.get(name, ramp["signed"]).astype(np.float32)[None]
        drawn = blend(np.full((1, 16, 3), 128, np.uint8), row, name, opacity=1)[0]
        bars[name] = ["#{:02x}{:02x}{:02x}".format(*rgb) for rgb in drawn.tolist()]
    return bars
