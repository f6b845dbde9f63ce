"""Intervals of figures over pictures; the figures themselves are `lrpseg.masks.figures`."""

from collections.abc import Sequence

import numpy as np


def interval(
    values: Sequence[float],
    groups: Sequence[str],
    seed: int = 0,
    rounds: int = 2000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Bootstrap interval of the mean of `values` that resamples whole groups (regions).

    Pictures of one region are near-identical: resampling pictures would make it far too narrow.
    """
    names = sorted(set(groups))
    index = {name: i for i, name in enumerate(names)}
    sums, sizes = np.zeros(len(names)), np.zeros(len(names))
    for value, group in zip(values, groups, strict=True):
        sums[index[group]] += value
        sizes[index[group]] += 1
    drawn = np.random.default_rng(seed).integers(len(names), size=(rounds, len(names)))
    resampled = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
