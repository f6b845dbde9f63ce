"""Draws damage into pictures of intact surfaces: more shapes and places than were photographed.

A dozen damaged regions cannot show a network every blowhole at every edge. Blowholes and cracks of
random shape are therefore darkened into intact training crops. What is drawn needs no label of a
person, so it adds nothing to the image-level labels; its exact mask is known all the same
(the idea of CutPaste, DOI 10.1109/CVPR46437.2021.00954, and of DRAEM,
DOI 10.1109/ICCV48922.2021.00822).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from training.data.draw_samples import (
    VISIBLE,
    Blowhole,
    Crack,
    Field,
    blowhole,
    crack,
    engrave,
    soften,
)

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

LEAST_SIDE = 32
"""Pixels along a side of pictures into which damage is drawn, at least."""

_MARGIN = 8
"""Pixels around the damage that its soft edge may darken."""


Range = tuple[float, float]


@dataclass(frozen=True)
class Drawing:
    """What is drawn; ranges are drawn from evenly on a log scale, so that small things are many.

    blowholes: share of the damages that are blowholes. radius: of a blowhole, in pixels. width,
    length: of a crack, in pixels. across: share of the cracks that begin at the picture's edge and
    run into it. depth: share of the light that damage takes (evenly).
    """

    blowholes: float
    radius: Range
    width: Range
    length: Range
    across: float
    depth: Range


DRAWINGS: dict[str, Drawing] = {
    "blowholes-and-cracks": Drawing(0.6, (2.2, 16), (1.6, 5.5), (20, 200), 0.2, (0.25, 0.75)),
    "cracks": Drawing(0.0, (2.2, 16), (1.5, 14), (120, 420), 0.8, (0.35, 0.9)),
}
"""What can be drawn, by name."""

OF_DOMAIN = {"magnetic-tile": "blowholes-and-cracks", "concrete-crack": "cracks"}
"""What is drawn for the shipped domains."""


def drawing_of(domain: str) -> str:
    """What is drawn for a domain: for one that is not shipped, the first there is."""
    return OF_DOMAIN.get(domain, next(iter(DRAWINGS)))


def draw_damage(
    image: Image, random: Generator, drawing: Drawing = DRAWINGS["blowholes-and-cracks"]
) -> tuple[Image, Mask]:
    """A copy of `image` (H, W, 3) uint8 with one damage drawn in, and its mask (H, W) bool.

    The damage lies inside the picture at least in part: the mask has 12 pixels or more.

    Raises:
        ValueError: the picture is smaller than 32 pixels on a side.
    """
    height, width = image.shape[:2]
    if min(height, width) < LEAST_SIDE:
        raise ValueError(
            f"Damage is drawn into pictures of {LEAST_SIDE} pixels at least, not {image.shape}."
        )
    while True:
        coverage = _shape((height, width), random, drawing)
        mask = soften(coverage) >= VISIBLE
        if mask.sum() >= 12:  # all but outside of the picture: draw again
            break
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    window = np.s_[
        max(0, rows[0] - _MARGIN) : rows[-1] + 1 + _MARGIN,
        max(0, columns[0] - _MARGIN) : columns[-1] + 1 + _MARGIN,
    ]
    depth = float(random.uniform(*drawing.depth))
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


def _log(random: Generator, within: Range) -> float:
    return math.exp(random.uniform(math.log(within[0]), math.log(within[1])))


def _shape(shape: tuple[int, int], random: Generator, how: Drawing) -> Field:
    """Coverage (H, W), 0 to 1, of a random blowhole or crack."""
    height, width = shape
    if random.random() < how.blowholes:
        centre = (random.uniform(0, height), random.uniform(0, width))
        radius = _log(random, how.radius)
        return blowhole(random, shape, Blowhole(centre, radius, random.uniform(0.35, 1.0)))
    length = min(_log(random, how.length), 1.5 * max(shape))
    start = (random.uniform(0, 1) * height, random.uniform(0, 1) * width)
    if random.random() < how.across:
        # From a point of the border towards a point inside.
        goal = (random.uniform(0.2, 0.8) * height, random.uniform(0.2, 0.8) * width)
        side = int(random.integers(4))
        start = (
            (start[0], -2.0) if side == 0 else (start[0], width + 1.0) if side == 1
            else (-2.0, start[1]) if side == 2 else (height + 1.0, start[1])
        )  # fmt: skip
        heading = math.atan2(goal[1] - start[1], goal[0] - start[0])
    else:
        heading = random.normal(0, 0.4) if random.random() < 0.6 else random.uniform(-1.6, 1.6)
    branches = int(random.integers(0, 2))
    return crack(random, shape, Crack(start, heading, length, _log(random, how.width), branches))
