"""Connectedness and holes at every threshold at once: grey-scale reconstruction (Vincent 1993, DOI
10.1109/83.217222)."""

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.morphology import reconstruction

Field = NDArray[np.float32]
Mask = NDArray[np.bool_]


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
    the marker; both (H, W), `marker <= likelihood`."""
    found = reconstruction(marker, likelihood, method="dilation", footprint=np.ones((3, 3)))
    return np.asarray(found, np.float32)


def filled(likelihood: Field) -> Field:
    """Holes filled at every threshold: a pixel gets the highest level that encloses it."""
    start = likelihood.copy()
    start[1:-1, 1:-1] = likelihood.max()
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    found = reconstruction(start, likelihood, method="erosion", footprint=cross)
    return np.asarray(found, np.float32)
