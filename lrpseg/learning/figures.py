"""How good a network's masks are on pictures whose masks are known."""

from collections.abc import Iterable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lrpseg.core.images import enlarge_to
from lrpseg.masks.figures import Figures, Mask, count, means
from lrpseg.models.inputs import Normalisation
from lrpseg.models.self_trained import Decider
from lrpseg.pipeline.tiling import TileGrid

THRESHOLD = 0.5
"""Likelihood from which on a pixel is in a mask."""


@torch.inference_mode()
def predict(
    model: Decider,
    image: NDArray[np.uint8],
    normalise: Normalisation,
    device: torch.device,
    batch: int = 8,
) -> Mask:
    """The mask (H, W) of a picture (H, W, 3) uint8 of any size, whatever a classifier says."""
    side = model.classifier.tile
    enlarged = enlarge_to(image, side)
    height, width = enlarged.shape[:2]
    grid = TileGrid(height, width, tile=side)
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


def figures_of(pairs: Iterable[tuple[Mask, Mask]]) -> Figures:
    """Mean figures of (mask, true mask) pairs, both (H, W); at least one pair."""
    return means([count(mask, truth) for mask, truth in pairs])
