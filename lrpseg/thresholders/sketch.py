"""A weighted sketch of many values: sorted groups that EM can run on instead of every pixel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

VALUE_BINS = 512
COUNT_BINS = 512


@dataclass(frozen=True, eq=False)
class Sketch:
    """Groups of neighbouring values, in ascending order; each field is (G,) float64.

    `count`: values in the group (at least 1); `mean` and `variance`: of those values; `low` and
    `high`: the smallest and the largest of them. Sums of any function that is constant in a
    group, times 1, x or x^2, come out as over the single values.
    """

    count: Floats
    mean: Floats
    variance: Floats
    low: Floats
    high: Floats

    def share_up_to(self, edge: float) -> Floats:
        """The share of each group's values that are <= `edge`, (G,) in [0, 1].

        Exact for a group on one side of the edge and for a single value; inside a group the
        values are taken as evenly spread.
        """
        width = self.high - self.low
        # Where the width is 0 the answer is the comparison, and 1 only stands in as divisor.
        inside = np.clip((edge - self.low) / np.where(width > 0, width, 1.0), 0.0, 1.0)
        return np.where(width > 0, inside, (self.mean <= edge).astype(np.float64))

    def clipped(self, least: float, most: float) -> "Sketch":
        """The same groups with mean, low and high clipped to [least, most]."""
        mean, low, high = (
            np.clip(field, least, most) for field in (self.mean, self.low, self.high)
        )
        return Sketch(self.count, mean, self.variance, low, high)


def sketch_pixels(values: NDArray[np.float32]) -> Sketch:
    """The sketch that keeps every value as a group of its own: (N,) values, sorted or not."""
    mean = values.astype(np.float64)
    return Sketch(np.ones_like(mean), mean, np.zeros_like(mean), mean, mean)


def sketch_sorted(ordered: NDArray[np.float32]) -> Sketch:
    """Group ascending (N,) float32 values, N >= 1, into at most VALUE_BINS + COUNT_BINS groups.

    A group ends at every edge of VALUE_BINS bins of equal width, which resolves the sparse tail
    where damage lies, and of COUNT_BINS bins of equal count, which resolves the crowd of
    background values that a heavy tail squeezes into a few equal-width bins. Equal values stay
    together. Memory beyond the input: two float32 arrays of its size.
    """
    size = ordered.size
    edges = np.linspace(ordered[0], ordered[-1], VALUE_BINS + 1, dtype=np.float32)[1:-1]
    quantiles = ordered[np.arange(1, COUNT_BINS) * size // COUNT_BINS]
    # Both kinds of edge are values, and a value goes wholly to the right of its edge.
    starts = np.unique(np.searchsorted(ordered, np.concatenate([[ordered[0]], edges, quantiles])))
    stops = np.append(starts[1:], size)
    count = (stops - starts).astype(np.float64)
    mean = np.add.reduceat(ordered, starts, dtype=np.float64) / count
    # Deviations from the group's mean, not E[x^2] - E[x]^2, which cancels in a narrow group.
    deviation = ordered - np.repeat(mean.astype(np.float32), stops - starts)
    np.square(deviation, out=deviation)
    variance = np.add.reduceat(deviation, starts, dtype=np.float64) / count
    return Sketch(
        count,
        mean,
        variance,
        ordered[starts].astype(np.float64),
        ordered[stops - 1].astype(np.float64),
    )
