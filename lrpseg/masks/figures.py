"""Figures of masks: IoU, precision and recall, and what they are where a mask is empty.

Defined here and nowhere else: page, endpoints, learning, reports and exports use these. The page's
JavaScript computes them in the browser and is checked against the same cases as this module
(`tests/cases/figures.json`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Figures:
    """IoU, precision and recall of a mask, or of many, each 0 to 1."""

    iou: float
    precision: float
    recall: float

    def as_json(self) -> dict[str, float]:
        """The same by name."""
        return asdict(self)


@dataclass(frozen=True)
class Counts:
    """Pixels of one picture: true positives, false positives, false negatives."""

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
        """tp / (tp + fn); 1 where the truth is empty: there was nothing to miss."""
        return _ratio(self.tp, self.tp + self.fn, 1.0)

    @property
    def figures(self) -> Figures:
        """All three."""
        return Figures(self.iou, self.precision, self.recall)


def _ratio(part: int, whole: int, otherwise: float) -> float:
    return part / whole if whole else otherwise


def count(mask: Mask, truth: Mask) -> Counts:
    """Counts of a mask against a true one, both (H, W) bool.

    Raises `ValueError` where the two differ in size.

    >>> truth = np.array([[True, True, False, False]])
    >>> count(np.array([[True, False, True, False]]), truth)
    Counts(tp=1, fp=1, fn=1)
    >>> count(np.zeros((1, 4), bool), truth).figures
    Figures(iou=0.0, precision=0.0, recall=0.0)
    """
    if mask.shape != truth.shape:
        raise ValueError(f"the mask has shape {mask.shape} and the truth {truth.shape}")
    both = int(np.count_nonzero(mask & truth))
    return Counts(both, int(np.count_nonzero(mask)) - both, int(np.count_nonzero(truth)) - both)


def iou(first: Mask, second: Mask) -> float:
    """Intersection over union of two masks (H, W) bool; 1 where both are empty."""
    return count(first, second).iou


def means(counts: Sequence[Counts]) -> Figures:
    """Means over pictures, as the paper's tables are (their rows obey no pooled identity).

    >>> means([Counts(tp=1, fp=0, fn=1), Counts(tp=3, fp=0, fn=0)])
    Figures(iou=0.75, precision=1.0, recall=0.75)
    """
    return Figures(
        float(np.mean([c.iou for c in counts])),
        float(np.mean([c.precision for c in counts])),
        float(np.mean([c.recall for c in counts])),
    )


def pooled(counts: Iterable[Counts]) -> Figures:
    """Figures of all pixels together; they obey IoU = 1 / (1/P + 1/R - 1).

    >>> pooled([Counts(tp=1, fp=0, fn=1), Counts(tp=3, fp=0, fn=0)])
    Figures(iou=0.8, precision=1.0, recall=0.8)
    """
    return sum(counts, Counts(0, 0, 0)).figures
