"""Masks of simple shapes."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
SHAPE = (100, 120)


def disk(y: int, x: int, radius: int, shape: tuple[int, int] = SHAPE) -> Mask:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def blank(shape: tuple[int, int] = SHAPE) -> Mask:
    return np.zeros(shape, bool)
