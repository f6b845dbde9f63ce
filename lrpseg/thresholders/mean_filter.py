"""The 5x5 mean filter that GMM and BMM apply to the relevance map (paper, section 3.3.2)."""

from typing import Any

import cv2
import numpy as np

from lrpseg.thresholders.base import FloatMap

SIZE = 5

# Rounding leaves a filtered map that should be flat with a spread of some units in the last
# place; stretching those to [0, 1] would segment noise.
FLAT_UNITS = 16


def mean_filtered(values: FloatMap) -> FloatMap | None:
    """Replace each value by the mean of the 5x5 window around it; None if no evidence is left.

    The map is continued beyond its border by reflection with the edge pixel repeated
    (`dcb|abcd|cba`): every window then averages 25 real relevance values, so borders are neither
    darkened (as by zeros) nor dominated by one edge pixel (as by replication).

    `values` is (H, W), float32 or float64, in [-1, 1]; the result has its shape and dtype, and
    sums are taken in float64. None: the filtered map has no positive value or is flat.
    """
    blurred = cv2.blur(values, (SIZE, SIZE), borderType=cv2.BORDER_REFLECT)
    smooth: FloatMap = np.asarray(blurred, dtype=values.dtype)
    low, high = float(smooth.min()), float(smooth.max())
    if high <= 0 or is_flat(low, high, smooth.dtype):
        return None
    return smooth


def is_flat(low: float, high: float, dtype: np.dtype[np.floating[Any]]) -> bool:
    """Whether filtered values between `low` and `high` differ by no more than rounding."""
    return high - low <= FLAT_UNITS * float(np.finfo(dtype).eps) * max(abs(low), abs(high))
