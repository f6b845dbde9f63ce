"""Connectedness and holes at every threshold at once: grey-scale reconstruction (Vincent 1993, DOI
10.1109/83.217222)."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.morphology import reconstruction

Field = NDArray[np.float32]
Mask = NDArray[np.bool_]

_MANY = 1000


def touching(mask: Mask, marker: Mask) -> Mask:
    """The 8-connected components of `mask` that share a pixel with `marker`; both (H, W) bool.

    >>> mask = np.array([[True, True, False, True]])
    >>> touching(mask, np.array([[True, False, False, False]]))
    array([[ True,  True, False, False]])
    """
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    kept = np.zeros(count, bool)
    kept[labels[mask & marker]] = True
    return kept[labels]


def connected(marker: Field, likelihood: Field) -> Field:
    """`likelihood`, at every threshold only of the 8-connected components that share a pixel with
    the marker; both (H, W), 0 or more, `marker <= likelihood`."""
    found = np.zeros_like(likelihood, np.float32)
    for window, part in _parts(likelihood):
        start = np.minimum(marker[window], part)
        if start.any():
            grown = reconstruction(start, part, method="dilation", footprint=np.ones((3, 3)))
            np.maximum(found[window], grown, out=found[window], casting="same_kind")
    return found


def filled(likelihood: Field) -> Field:
    """Holes filled at every threshold: a pixel gets the highest level that encloses it; (H, W), 0
    or more."""
    found = np.zeros_like(likelihood, np.float32)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    for window, part in _parts(likelihood):
        start = part.copy()
        start[1:-1, 1:-1] = part.max()
        closed = reconstruction(start, part, method="erosion", footprint=cross)
        np.maximum(found[window], closed, out=found[window], casting="same_kind")
    return found


def _parts(likelihood: Field) -> Iterator[tuple[tuple[slice, slice], Field]]:
    """The 8-connected components of what is above 0, each alone in its bounding box: what is
    connected to one, and what it encloses, is found there. Reconstruction sorts all pixels that it
    gets, of a large picture mostly zeros.

    Very many are given together: each by itself would cost more.
    """
    above = (likelihood > 0).astype(np.uint8)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    if count > _MANY:
        x, y, w, h = cv2.boundingRect(above)
        window = np.s_[y : y + h, x : x + w]
        yield window, likelihood[window]
        return
    for label in range(1, count):
        x, y, w, h = boxes[label, :4].tolist()
        window = np.s_[y : y + h, x : x + w]
        yield window, np.where(labels[window] == label, likelihood[window], 0)
