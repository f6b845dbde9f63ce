"""A likelihood map as 8 bits, with levels placed so that masks stay exact.

The page redraws masks in the browser. It gets the map once, as the index of the highest level that
each pixel reaches: then `quantised >= k` is `likelihood >= levels[k]` to the pixel, for each of up
to 256 levels. Even steps would not do: where the GMM's likelihood is 0 or nearly 1, all that
matters happens between two of them.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEVELS = 256
_GRID = 101
_SAMPLE = 1_000_000


def level_values(
    likelihood: NDArray[np.float32], own: float, extra: Sequence[float] = ()
) -> NDArray[np.float32]:
    """Thresholds for a map: ascending, without doubles, at most 256, from 0 to 1.

    Among them are 0, 1 and `own` (the thresholder's own threshold) always, then even steps of 0.01,
    then the thresholds in `extra` (operating points), then quantiles of the map's values between 0
    and 1, as many of each as there is room for.
    """
    chosen = dict.fromkeys(np.array([0, 1, own], np.float32).clip(0, 1).tolist())
    step = max(1, likelihood.size // _SAMPLE)  # a sample of a huge map places levels as well
    sample = likelihood.ravel()[::step]
    between = sample[(sample > 0) & (sample < 1)]
    spread = np.linspace(0, 1, LEVELS)
    quantiles = np.quantile(between, spread) if between.size else np.zeros(0)
    # From coarse to fine, so that those that find room are spread over the whole range.
    order = np.argsort([_fineness(i) for i in range(len(quantiles))], kind="stable")
    wanted = [*np.linspace(0, 1, _GRID), *extra, *(quantiles[i] for i in order)]
    for value in np.array(wanted, np.float32).clip(0, 1).tolist():
        if len(chosen) == LEVELS:
            break
        chosen.setdefault(value)
    return np.array(sorted(chosen), np.float32)


def _fineness(index: int) -> int:
    """0 for the ends and the middle of 256 positions, rising with each halving of the steps."""
    return 8 if index % 2 else 8 - min(8, (index & -index).bit_length()) if index else 0


def quantise(likelihood: NDArray[np.float32], levels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(H, W) uint8: for each pixel the index of the highest level that its likelihood reaches.

    `(result >= k) == (likelihood >= levels[k])` for every k. `levels` as `level_values` makes them.

    >>> levels = np.array([0, 0.25, 0.5, 1], np.float32)
    >>> quantise(np.array([[0, 0.3, 0.5, 1]], np.float32), levels)
    array([[0, 1, 2, 3]], dtype=uint8)
    """
    if not 1 <= len(levels) <= LEVELS or (np.diff(levels) <= 0).any():
        raise ValueError("levels must ascend, and be 1 to 256")
    found = np.empty(likelihood.shape, np.uint8)
    rows = max(1, _SAMPLE // max(1, likelihood.shape[1]))
    for top in range(0, likelihood.shape[0], rows):  # bounds the memory of the 64-bit indices
        part = likelihood[top : top + rows]
        index = np.searchsorted(levels, part, side="right") - 1
        found[top : top + rows] = index.clip(min=0)
    return found
