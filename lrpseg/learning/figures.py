"""How good a network's masks are on pictures whose masks are known."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lrpseg.core.images import enlarge_to
from lrpseg.models.inputs import Normalisation
from lrpseg.models.networks import INPUT_SIZE
from lrpseg.models.self_trained import Decider
from lrpseg.pipeline.tiling import TileGrid

THRESHOLD = 0.5
"""Likelihood from which on a pixel is in a mask."""


@dataclass(frozen=True)
class Figures:
    """Means over pictures, each 0 to 1; where neither mask has a pixel, all are 1."""

    iou: float
    precision: float
    recall: float


@torch.inference_mode()
def predict(
    model: Decider,
    image: NDArray[np.uint8],
    normalise: Normalisation,
    device: torch.device,
    batch: int = 8,
) -> NDArray[np.bool_]:
    """The mask (H, W) of a picture (H, W, 3) uint8 of any size, whatever a classifier says."""
    enlarged = enlarge_to(image, INPUT_SIZE)
    height, width = enlarged.shape[:2]
    grid = TileGrid(height, width)
    merged = np.zeros((height, width), np.float32)
    tiles = list(grid)
    for first in range(0, len(tiles), batch):
        part = tiles[first : first + batch]
        x = normalise(torch.from_numpy(np.stack([t.of(enlarged) for t in part])).to(device))
        likelihood = model.likelihood(x)[:, 0]
        for tile, found in zip(part, likelihood.cpu().numpy(), strict=True):
            grid.add(merged, tile, found)
    if merged.shape != image.shape[:2]:
        merged = np.asarray(
            cv2.resize(merged, image.shape[1::-1], interpolation=cv2.INTER_AREA), np.float32
        )
    return merged >= THRESHOLD


def figures_of(pairs: Iterable[tuple[NDArray[np.bool_], NDArray[np.bool_]]]) -> Figures:
    """Mean figures of (mask, true mask) pairs, both (H, W); at least one pair."""
    return Figures(*np.mean([astuple(_figures(*pair)) for pair in pairs], axis=0).tolist())


def _figures(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Figures:
    both, found, true = (int(np.count_nonzero(m)) for m in (mask & truth, mask, truth))

    def share(part: int, whole: int) -> float:
        return part / whole if whole else float(not (found or true))

    return Figures(share(both, found + true - both), share(both, found), share(both, true))
