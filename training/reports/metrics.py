"""Segmentation figures: IoU, precision and recall per image, pooled, and with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Counts:
    """Pixels of one image: true positives, false positives, false negatives."""

    tp: int
    fp: int
    fn: int

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def iou(self) -> float:
        """tp / (tp + fp + fn); 1 where both masks are empty."""
        return _ratio(self.tp, self.tp + self.fp + self.fn, 1.0)

    @property
    def precision(self) -> float:
        """tp / (tp + fp); for an empty mask 0, or 1 where the truth is empty too."""
        return _ratio(self.tp, self.tp + self.fp, float(self.fn == 0))

    @property
    def recall(self) -> float:
        """tp / (tp + fn); 1 where the truth is empty."""
        return _ratio(self.tp, self.tp + self.fn, 1.0)


@dataclass(frozen=True)
class Figures:
    """IoU, precision and recall of a set of images."""

    iou: float
    precision: float
    recall: float


def _ratio(part: int, whole: int, otherwise: float) -> float:
    return part / whole if whole else otherwise


def count(mask: Mask, truth: Mask) -> Counts:
    """Counts of a predicted against a true mask, both (H, W) bool."""
    if mask.shape != truth.shape:
        raise ValueError(f"the mask has shape {mask.shape} and the truth {truth.shape}")
    return Counts(
        int(np.count_nonzero(mask & truth)),
        int(np.count_nonzero(mask & ~truth)),
        int(np.count_nonzero(~mask & truth)),
    )


def means(counts: Sequence[Counts]) -> Figures:
    """Means over images, as the paper's tables are (their rows obey no pooled identity)."""
    return Figures(
        float(np.mean([c.iou for c in counts])),
        float(np.mean([c.precision for c in counts])),
        float(np.mean([c.recall for c in counts])),
    )


def pooled(counts: Sequence[Counts]) -> Figures:
    """Figures of all pixels together; they obey IoU = 1 / (1/P + 1/R - 1)."""
    total = sum(counts, Counts(0, 0, 0))
    return Figures(total.iou, total.precision, total.recall)


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
