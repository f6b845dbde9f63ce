"""The named readings of the paper's sentences about the BMM, each a small frozen dataclass."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from lrpseg.core.registry import Registry

BACKGROUND, DAMAGE = 0, 1

Floats = NDArray[np.float64]
Values = NDArray[np.floating[Any]]

# (log densities (2, G) on demand, counts (G,), damage's share of the pixels) -> log prior odds,
# damage over background
Weighting = Callable[[Callable[[], Floats], Floats, float], float]


def mixture_weights(densities: Callable[[], Floats], counts: Floats, share: float) -> float:
    """Log of the ratio of the components' sums of responsibilities: ordinary mixture weights."""
    # Half a pixel keeps the logarithm finite for a component that has lost all its pixels.
    least = 0.5 / float(counts.sum())
    return math.log(max(share, least)) - math.log(max(1 - share, least))


def equal_weights(densities: Callable[[], Floats], counts: Floats, share: float) -> float:
    """0: the components count the same, however few pixels are damage."""
    return 0.0


def density_sums(densities: Callable[[], Floats], counts: Floats, share: float) -> float:
    """Log of the ratio of the sums over pixels of each component's density."""
    background, damage = logsumexp(densities(), axis=1, b=counts)
    return float(damage - background)


def largest_half(ordered: Values) -> Values:
    """The largest ceil(N/2) of N ascending values: 50 % of the image, zeros included."""
    return ordered[ordered.size // 2 :]


def largest_positive_half(ordered: Values) -> Values:
    """The largest half of the positive ones among N ascending values.

    A positive value exists, so at least one is kept.
    """
    return largest_half(ordered[int(np.searchsorted(ordered, 0, side="right")) :])


@dataclass(frozen=True)
class Reading:
    """One way to read the paper's description of the BMM (paper, section 3.3.2).

    `keep`: which values "remove 50% of the smallest relevance values" leaves, from ascending
    values with negatives at zero. `weigh`: how "we weight the probabilities of each component by
    the sum of the component's probabilities" acts in the E-step; `weigh_final`: the same in the
    likelihood of the result. `hard`: whether the two sentences that assign pixels "with a
    probability of 100%" apply (in the E-step, and then in the result as well, see `bmm.fit`).
    `threshold`: likelihood from which a pixel is damage; the paper names none for the BMM.
    """

    name: str
    description: str
    keep: Callable[[Values], Values]
    weigh: Weighting
    weigh_final: Weighting
    hard: bool
    threshold: float

    @property
    def operating_point(self) -> float:
        """`threshold` rounded to float32, as `Fitted` wants it."""
        return float(np.float32(self.threshold))


READINGS: Registry[Reading] = Registry("BMM reading")
for _reading in (
    Reading(
        "mixture-positive",
        # Where most smoothed relevance is negative, most of the upper half of an image is zeros.
        # A Beta density has no place for a spike at 0: the fit then hangs on where 0 is clipped.
        "As mixture, but the 50 % are counted among the positive values; mask from 0.99.",
        largest_positive_half,
        mixture_weights,
        mixture_weights,
        hard=True,
        threshold=0.99,
    ),
    Reading(
        "mixture",
        "Ordinary mixture weights in the E-step and in the result; hard assignments.",
        largest_half,
        mixture_weights,
        mixture_weights,
        hard=True,
        threshold=0.5,
    ),
    Reading(
        "equal-posterior",
        "Ordinary mixture weights in the E-step, equal weights in the result; hard assignments.",
        largest_half,
        mixture_weights,
        equal_weights,
        hard=True,
        threshold=0.5,
    ),
    Reading(
        "literal",
        # Dividing a component's responsibilities by their sum leaves its weighted moments as
        # they were; all that it does is to take the components' sizes out of the comparison.
        "Responsibilities divided by their sum, that is equal weights; hard assignments.",
        largest_half,
        equal_weights,
        equal_weights,
        hard=True,
        threshold=0.5,
    ),
    Reading(
        "product",
        "Densities multiplied by their own sum over the pixels; hard assignments.",
        largest_half,
        density_sums,
        density_sums,
        hard=True,
        threshold=0.5,
    ),
    Reading(
        "product-soft",
        "Densities multiplied by their own sum over the pixels; no hard assignments.",
        largest_half,
        density_sums,
        density_sums,
        hard=False,
        threshold=0.5,
    ),
):
    READINGS.add(_reading.name, _reading)
