"""Draws damage into pictures of intact surfaces: more shapes and places than were photographed.

A dozen damaged regions cannot show a network every blowhole at every edge. Blowholes and cracks of
random shape are therefore darkened into intact training crops. What is drawn needs no label of a
person, so it adds nothing to the image-level labels; its exact mask is known all the same
(the idea of CutPaste, DOI 10.1109/CVPR46437.2021.00954, and of DRAEM,
DOI 10.1109/ICCV48922.2021.00822).
"""

import math

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from training.draw_samples import VISIBLE, Blowhole, Crack, Field, blowhole, crack, engrave, soften

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_MARGIN = 8
"""Pixels around the damage that its soft edge may darken."""


def draw_damage(image: Image, random: Generator) -> tuple[Image, Mask]:
    """A copy of `image` (H, W, 3) uint8 with a blowhole (60 %) or a crack drawn in, and its mask.

    The damage lies inside the picture at least in part, is 3 to 30 pixels large (blowholes) or 20
    to 200 long (cracks), and takes 25 to 75 % of the light. The mask (H, W) bool is never empty.

    Raises:
        ValueError: the picture is smaller than 32 pixels on a side.
    """
    height, width = image.shape[:2]
    if min(height, width) < 32:
        raise ValueError(f"Damage is drawn into pictures of 32 pixels at least, not {image.shape}.")
    while True:
        coverage = _shape(image.shape[:2], random)
        mask = soften(coverage) >= VISIBLE
        if mask.sum() >= 12:  # all but outside of the picture: draw again
            break
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    window = np.s_[
        max(0, rows[0] - _MARGIN) : rows[-1] + 1 + _MARGIN,
        max(0, columns[0] - _MARGIN) : columns[-1] + 1 + _MARGIN,
    ]
    depth = float(random.uniform(0.25, 0.75))
    ones = np.ones(coverage[window].shape)
    factor = engrave(random, ones, coverage[window], depth)
    if random.random() < 0.3:  # without the bright rim that engraving leaves
        factor = np.minimum(factor, 1)
    # Inside of damage the surface's own streaks are fainter.
    part = image[window].astype(np.float32)
    smooth = gaussian_filter(part, (2, 2, 0))
    inside = (soften(coverage[window]) * random.uniform(0.3, 1.0))[..., None]
    part = (part * (1 - inside) + smooth * inside) * factor[..., None]
    drawn = image.copy()
    drawn[window] = np.clip(np.rint(part), 0, 255).astype(np.uint8)
    return drawn, mask


def _shape(shape: tuple[int, int], random: Generator) -> Field:
    """Coverage (H, W), 0 to 1, of a random blowhole or crack."""
    height, width = shape
    if random.random() < 0.6:
        # Small ones are what is missed: radii are drawn evenly on a log scale.
        radius = math.exp(random.uniform(math.log(2.2), math.log(16)))
        centre = (random.uniform(0, height), random.uniform(0, width))
        return blowhole(random, shape, Blowhole(centre, radius, random.uniform(0.35, 1.0)))
    start = (random.uniform(-0.1, 0.9) * height, random.uniform(0, 1) * width)
    heading = random.normal(0, 0.4) if random.random() < 0.6 else random.uniform(-1.6, 1.6)
    length = min(math.exp(random.uniform(math.log(20), math.log(200))), 1.2 * max(shape))
    branches = int(random.integers(0, 2))
    return crack(random, shape, Crack(start, heading, length, random.uniform(1.6, 5.5), branches))
