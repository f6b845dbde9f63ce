"""Cuts what is trained on out of corrected pictures."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lrpseg.core.images import enlarge_to
from lrpseg.models.networks import INPUT_SIZE

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

PATCH = 2 * INPUT_SIZE
"""Side of what is kept of a larger picture around each correction."""

MOST = 12
"""Patches that are kept of one picture."""

ZOOM = (0.7, 1.4)
BRIGHTNESS = (0.75, 1.25)
CONTRAST = (0.8, 1.2)


@dataclass(frozen=True, eq=False)
class Patch:
    """A part of a picture: image (H, W, 3) uint8, mask (H, W) bool, and `focus` (H, W) bool, the
    pixels that crops show most: damage, and what a person changed."""

    image: Image
    mask: Mask
    focus: Mask


def patches(image: Image, mask: Mask, changed: Mask, random: np.random.Generator) -> list[Patch]:
    """The parts of a picture that are worth learning from; their sides are 224 at least.

    A picture of up to 448 pixels a side is one patch. Of a larger one: windows of that size
    around damage and changes, up to 12, and one anywhere.

    Args:
        image: (H, W, 3) uint8. mask, changed: (H, W) bool; `changed` is what a person drew.
    """
    large = enlarge_to(image, INPUT_SIZE)
    if large is not image:
        mask, changed = (_enlarged(m, large.shape[:2]) for m in (mask, changed))
    focus = mask | changed
    height, width = focus.shape
    size = (min(PATCH, height), min(PATCH, width))

    def cut(y: int, x: int) -> Patch:
        y, x = min(max(0, y), height - size[0]), min(max(0, x), width - size[1])
        window = np.s_[y : y + size[0], x : x + size[1]]
        open_[window] = False
        return Patch(large[window].copy(), mask[window].copy(), focus[window].copy())

    open_ = focus.copy()
    if size == (height, width):
        return [cut(0, 0)]
    found: list[Patch] = []
    while open_.any() and len(found) < MOST:
        y, x = divmod(int(np.argmax(open_)), width)  # the uppermost that no patch shows
        found.append(cut(y - PATCH // 4, x - PATCH // 2))
    found.append(cut(int(random.integers(height)), int(random.integers(width))))
    return found


def _enlarged(mask: Mask, shape: tuple[int, ...]) -> Mask:
    return cv2.resize(mask.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST) > 0


def crop(patch: Patch, size: int, random: np.random.Generator) -> tuple[Image, Mask]:
    """A random square of `size` pixels (up to 160), image (size, size, 3) and mask (size, size).

    Three of four show some of the patch's focus, where there is one. Zoomed, flipped, turned by
    right angles, brighter or darker, with more or less contrast.
    """
    height, width = patch.mask.shape
    window = min(round(size / random.uniform(*ZOOM)), height, width)
    limit = np.array((height - window, width - window))
    spots = np.argwhere(patch.focus)
    if len(spots) and random.random() < 0.75:
        spot = spots[random.integers(len(spots))]
        y, x = random.integers(np.maximum(0, spot - window + 1), np.minimum(spot, limit) + 1)
    else:
        y, x = random.integers(limit + 1)
    part = np.s_[y : y + window, x : x + window]
    image = cv2.resize(patch.image[part], (size, size), interpolation=cv2.INTER_LINEAR)
    covered = cv2.resize(patch.mask[part].astype(np.float32), (size, size))
    turns, flip = int(random.integers(4)), bool(random.integers(2))
    image, mask = np.rot90(image, turns), np.rot90(covered >= 0.5, turns)
    if flip:
        image, mask = image[:, ::-1], mask[:, ::-1]
    values = image.astype(np.float32)
    mean = values.mean()
    values = (values - mean) * random.uniform(*CONTRAST) + mean
    values *= random.uniform(*BRIGHTNESS)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8), mask.copy()
