"""Simple: one threshold halfway between the mean below it and the mean above it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrpseg.thresholders.base import (
    Fitted,
    Thresholder,
    no_evidence,
    scaled_relevance,
    to_unit_interval,
)


@dataclass(frozen=True)
class SimpleConfig:
    """`iteration_limit`: updates of the threshold before giving up (maps need about ten)."""

    iteration_limit: int = 1000


DEFAULT = SimpleConfig()


def fit(relevance: NDArray[Any], config: SimpleConfig = DEFAULT) -> Fitted:
    """Threshold a relevance map by the fixed point of Ridler and Calvard (ISODATA).

    With x the relevance mapped affinely to [0, 1] (this is the likelihood), t_0 = mean(x) and

        t_{n+1} = (mean of x below t_n + mean of x at or above t_n) / 2

    until t no longer changes. No filter is applied. The update never decreases when t grows, so
    the t_n are monotone; between them lie finitely many values, so they come to rest exactly:
    the tolerance is 0. Values are sorted once, and their prefix sums (float64) make an update
    cost one binary search.

    Parameters: `relevance` (H, W), any real dtype, finite.
    Returns: `Fitted`, likelihood (H, W) float32. A map without evidence gets an empty mask.
    Raises: `RelevanceError`, see `scaled_relevance`.

    Source: paper, section 3.3.2 (Seibold et al., VISAPP 2022, DOI 10.5220/0010893600003124), after
    Umbaugh, Digital Image Processing and Analysis (2017); Ridler and Calvard (1978), DOI
    10.1109/TSMC.1978.4310039.

    >>> fitted = fit(np.array([[0.0, 1.0, 2.0, 9.0, 10.0]]))
    >>> round(fitted.threshold, 3), fitted.mask
    (0.525, array([[False, False, False,  True,  True]]))
    """
    scaled = scaled_relevance(relevance)
    if scaled is None:
        return no_evidence(np.shape(relevance))
    likelihood = to_unit_interval(scaled, float(scaled.min()), float(scaled.max()))
    threshold, iterations, converged = _iterate(np.sort(likelihood, axis=None), config)
    return Fitted(likelihood, float(threshold), converged, iterations)


def fixed_point(ordered: NDArray[np.float32]) -> float | None:
    """The threshold at which the mean-of-means iteration comes to rest.

    `ordered`: (N,) float32, finite, ascending. None where all values are equal.
    """
    if ordered[0] == ordered[-1]:
        return None
    return float(_iterate(ordered, DEFAULT)[0])


def _iterate(ordered: NDArray[np.float32], config: SimpleConfig) -> tuple[np.float32, int, bool]:
    """(threshold, iterations, whether it came to rest) for ascending values that differ."""
    sums = np.cumsum(ordered, dtype=np.float64)
    size, total = ordered.size, float(sums[-1])

    # Rounding t to float32 keeps the update monotone and the mask equal to the last partition.
    threshold = np.float32(total / size)
    for iteration in range(1, config.iteration_limit + 1):
        # min < t <= max: neither side is ever empty.
        below = int(np.searchsorted(ordered, threshold, side="left"))
        sum_below = float(sums[below - 1])
        mean_above = (total - sum_below) / (size - below)
        update = np.float32((sum_below / below + mean_above) / 2)
        if update == threshold:
            return threshold, iteration, True
        threshold = update
    return threshold, config.iteration_limit, False


SIMPLE = Thresholder(
    name="simple",
    title="Simple",
    description=(
        "Splits the relevance map at the value halfway between the average background "
        "and the average damage."
    ),
    fit=fit,
)
