"""What every thresholder shares: its result, its entry in the registry, its look at the input."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrpseg.core.errors import RelevanceError

FloatMap = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)  # eq would compare arrays, which has no single truth value
class Fitted:
    """What a thresholder makes of one relevance map.

    `likelihood` is (H, W) float32 in [0, 1], a damage score per pixel. `threshold` in [0, 1] is
    the thresholder's own operating point, a value that float32 holds exactly, so that comparing
    in float32 or in float64 gives the same mask. `converged` is False when `iterations` reached
    the stated limit first; the result is usable all the same.
    """

    likelihood: NDArray[np.float32]
    threshold: float
    converged: bool
    iterations: int

    def at(self, threshold: float) -> NDArray[np.bool_]:
        """The (H, W) bool mask `likelihood >= threshold`."""
        return self.likelihood >= np.float32(threshold)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The (H, W) bool mask at the thresholder's own operating point."""
        return self.at(self.threshold)


@dataclass(frozen=True)
class Thresholder:
    """One way from relevance to a likelihood map; `description` is one sentence for a lay user."""

    name: str
    title: str
    description: str
    fit: Callable[[NDArray[Any]], Fitted]


def no_evidence(shape: tuple[int, ...]) -> Fitted:
    """The result for a map that says nothing about damage: likelihood 0, hence an empty mask."""
    return Fitted(np.zeros(shape, np.float32), threshold=0.5, converged=True, iterations=0)


def scaled_relevance(relevance: NDArray[Any]) -> FloatMap | None:
    """Check a relevance map and divide it by its largest magnitude; None if it has no evidence.

    Parameters: `relevance` (H, W), any real dtype, both sides at least 1, all values finite.

    Returns a new (H, W) map in [-1, 1]; float64 where the input has more digits than float32
    holds (float64, integers of 32 bits and more), else float32. The division keeps what follows
    clear of overflow and of subnormal numbers, and makes every thresholder independent of the
    map's scale, which LRP leaves arbitrary.

    None means that no value is positive, or that all values are equal: relevance speaks for
    damage by being positive and locates it by differing between pixels.

    Raises `RelevanceError` for another number of axes, no pixels, a non-real dtype, NaN or inf.
    """
    relevance = np.asarray(relevance)
    if relevance.ndim != 2:
        raise RelevanceError(
            f"A relevance map has two axes (height, width); this array has shape "
            f"{relevance.shape}. Pass one map at a time, summed over its colour channels."
        )
    if relevance.size == 0:
        raise RelevanceError(
            f"The relevance map is empty (shape {relevance.shape}). Pass at least one pixel."
        )
    if relevance.dtype.kind not in "fiub":
        raise RelevanceError(
            f"A relevance map holds real numbers; this one holds {relevance.dtype}. "
            "Convert it to float32 first."
        )
    narrow = np.can_cast(relevance.dtype, np.float32, casting="safe")
    values: FloatMap = relevance.astype(np.float32 if narrow else np.float64)
    low, high = values.min(), values.max()
    # A NaN anywhere makes min and max NaN, an infinity shows as one of them.
    if not (np.isfinite(low) and np.isfinite(high)):
        bad = int(values.size - np.count_nonzero(np.isfinite(values)))
        raise RelevanceError(
            f"The relevance map has {bad} values that are NaN or infinite. Run LRP in float32 "
            "or float64 (half precision overflows) and check the checkpoint's weights."
        )
    if high <= 0 or low == high:
        return None
    values /= max(high, -low)  # high > 0, so the divisor is positive
    return values


def to_unit_interval(values: FloatMap, low: float, high: float) -> NDArray[np.float32]:
    """The affine map that takes `low` to 0 and `high` to 1, clipped to [0, 1], as float32.

    `values` of any shape; `low < high`, so the division is safe.
    """
    unit = (values - values.dtype.type(low)) / values.dtype.type(high - low)
    return np.clip(unit, 0, 1).astype(np.float32, copy=False)
