"""What a person drew on top of an automatic mask; the same as the editor does, to the pixel.

Corrections are (H, W) uint8: 0 nothing drawn, 1 added, 2 removed. They lie above the automatic mask
and stay when its threshold, thresholder or network changes. They are drawn stroke by stroke; each
stroke replaces a rectangle of them.
"""

from collections.abc import Iterable
from functools import reduce

import cv2
import numpy as np
from numpy.typing import NDArray

from lrpseg.core.errors import ImageError

NONE, ADDED, REMOVED = 0, 1, 2
Mask = NDArray[np.bool_]


def clean(mask: Mask, min_area: int = 0, max_hole: int = 0) -> Mask:
    """Remove spots smaller than `min_area` pixels, then fill holes of up to `max_hole` pixels.

    Spots are 8-connected. Holes are 4-connected parts of the background that do not touch the
    picture's edge. 0 switches a step off.

    >>> ring = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 0, 1], [1, 1, 1, 0, 0]], bool)
    >>> clean(ring, min_area=2, max_hole=1).astype(int)
    array([[1, 1, 1, 0, 0],
           [1, 1, 1, 0, 0],
           [1, 1, 1, 0, 0]])
    """
    if min_area > 1:
        _, labels, stats, _ = cv2.connectedComponentsWithStats(
            mask.astype(np.uint8), connectivity=8
        )
        keep = stats[:, cv2.CC_STAT_AREA] >= min_area
        keep[0] = False
        mask = keep[labels]
    if max_hole > 0:
        _, labels, stats, _ = cv2.connectedComponentsWithStats(
            (~mask).astype(np.uint8), connectivity=4
        )
        fill = stats[:, cv2.CC_STAT_AREA] <= max_hole
        fill[0] = False  # the mask itself
        for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
            fill[edge] = False
        mask = mask | fill[labels]
    return mask


def apply(mask: Mask, corrections: NDArray[np.uint8]) -> Mask:
    """The mask with what was added and without what was removed.

    >>> apply(np.array([[True, True, False]]), np.array([[0, 2, 1]], np.uint8))
    array([[ True, False,  True]])
    """
    if corrections.shape != mask.shape:
        raise ImageError(
            f"The corrections have {_size(corrections)} pixels and the picture {_size(mask)}."
        )
    return (mask | (corrections == ADDED)) & (corrections != REMOVED)


def from_mask(automatic: Mask, wanted: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The corrections that turn `automatic` into `wanted`.

    Raises `ImageError` where the two differ in size.

    >>> from_mask(np.array([[True, True, False]]), np.array([[True, False, True]]))
    array([[0, 2, 1]], dtype=uint8)
    """
    if wanted.shape != automatic.shape:
        raise ImageError(
            f"The mask has {_size(wanted)} pixels and the picture {_size(automatic)}. Export it at "
            "the picture's size."
        )
    found = np.zeros(automatic.shape, np.uint8)
    found[wanted & ~automatic] = ADDED
    found[~wanted & automatic] = REMOVED
    return found


def union(masks: Iterable[Mask]) -> Mask:
    """What is in some of the masks, at least one; a single one as it is."""
    return reduce(np.logical_or, masks)


def fold(
    corrections: NDArray[np.uint8], strokes: Iterable[tuple[int, int, NDArray[np.uint8]]]
) -> NDArray[np.uint8]:
    """The corrections after `strokes`, each (x, y, values) with values (h, w) that replace the
    rectangle whose upper left corner is (x, y); those that were given stay as they are.

    >>> fold(np.zeros((2, 3), np.uint8), [(0, 0, np.ones((2, 2), np.uint8)),
    ...                                   (1, 1, np.array([[2, 0]], np.uint8))])
    array([[1, 1, 0],
           [1, 2, 0]], dtype=uint8)
    """
    folded = corrections.copy()
    for x, y, values in strokes:
        height, width = values.shape
        folded[y : y + height, x : x + width] = values
    return folded


def _size(array: NDArray) -> str:
    return "x".join(str(side) for side in array.shape[1::-1])
