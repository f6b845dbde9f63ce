"""Operating points as they are used and as they are stored: figures along the thresholds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from lrpseg.core.errors import OptionError

Interval = tuple[float, float]


@dataclass(frozen=True)
class OperatingPoint:
    """Figures at one threshold; all are 0 to 1, intervals are (low, high) at 95 %."""

    threshold: float
    precision: float
    recall: float
    iou: float
    precision_interval: Interval
    recall_interval: Interval
    iou_interval: Interval


@dataclass(frozen=True)
class OperatingPoints:
    """The measured curve of one network, rule set, thresholder and refiner.

    curve: ascending in threshold, from 0 to 1; recall never rises along it, precision may do
    either. own: the thresholder's own choice; it may set another threshold for every image, of
    which `own.threshold` is the mean. average_precision: area under precision over recall, 0 to 1,
    with its 95 % interval. split, images, regions: what it was measured on. metric: the figures'
    definition in words. stale: the weights are not (or no longer) those that were measured.
    pictures: the range of each trait of the measured pictures, for `picture_kind.unlike`.

    A point that was chosen for being the best is a little too good: the same images chose it.
    """

    curve: tuple[OperatingPoint, ...]
    own: OperatingPoint
    average_precision: float
    average_precision_interval: Interval
    split: str
    images: int
    regions: int
    metric: str
    stale: bool
    pictures: Mapping[str, tuple[float, float]]

    def at_precision(self, least: float) -> OperatingPoint:
        """The point of highest recall among those with a precision of at least `least` (0 to 1).

        Raises `OptionError` if there is none; the message says the highest precision reached.
        """
        return self._best("precision", least, key="recall")

    def at_recall(self, least: float) -> OperatingPoint:
        """The point of highest precision among those with a recall of at least `least` (0 to 1).

        Raises `OptionError` if there is none; the message says the highest recall reached.
        """
        return self._best("recall", least, key="precision")

    def best_iou(self) -> OperatingPoint:
        """The point of highest IoU; of equal ones that of highest precision."""
        return max(self.curve, key=lambda p: (p.iou, p.precision))

    def nearest(self, threshold: float) -> OperatingPoint:
        """What to expect at `threshold` (0 to 1): linear between the two neighbours on the curve.

        Raises `OptionError` for a threshold outside of 0 to 1.
        """
        _check(threshold, "threshold")
        table = np.array([_row(point) for point in self.curve])
        at = [float(np.interp(threshold, table[:, 0], column)) for column in table.T[1:]]
        return _point([float(threshold), *at])

    def _best(self, limited: str, least: float, key: str) -> OperatingPoint:
        _check(least, limited)
        reaching = [p for p in self.curve if getattr(p, limited) >= least]
        if not reaching:
            top = max(self.curve, key=lambda p: float(getattr(p, limited)))
            reached = getattr(top, limited)
            raise OptionError(
                f"No threshold reaches a {limited} of {least:g} on the {self.images} {self.split} "
                f"images; the highest is {reached:.4g}, at the threshold {top.threshold:g}. "
                "Ask for no more than that, or choose another thresholder."
            )
        # Of equal ones the point that exceeds the limit most: it costs nothing.
        return max(reaching, key=lambda p: (getattr(p, key), getattr(p, limited)))


def columns(points: Sequence[OperatingPoint]) -> dict[str, list[float]]:
    """Points as the file stores them: a list per figure, rounded to 4 digits."""
    rows = [[round(value, 4) for value in _row(point)] for point in points]
    return {
        name: list(column) for name, column in zip(_COLUMNS, zip(*rows, strict=True), strict=True)
    }


def points_of(stored: dict[str, list[float]]) -> tuple[OperatingPoint, ...]:
    """The reverse of `columns`; raises `ValueError` or `KeyError` for what is no such table."""
    rows = list(zip(*(map(float, stored[name]) for name in _COLUMNS), strict=True))
    if not all(0 <= value <= 1 for row in rows for value in row):
        raise ValueError("a figure is outside of 0 to 1")
    return tuple(map(_point, rows))


_FIGURES = ("precision", "recall", "iou")
_COLUMNS = (
    "threshold", *_FIGURES, *(f"{f}_{end}" for f in _FIGURES for end in ("low", "high"))
)  # fmt: skip


def _row(point: OperatingPoint) -> list[float]:
    """A point's numbers in the order of `_COLUMNS`."""
    values = [getattr(point, f.name) for f in fields(point)]
    return [*values[:4], *(end for interval in values[4:] for end in interval)]


def _point(row: Sequence[float]) -> OperatingPoint:
    threshold, precision, recall, iou, a, b, c, d, e, f = row
    return OperatingPoint(threshold, precision, recall, iou, (a, b), (c, d), (e, f))


def _check(value: float, name: str) -> None:
    if not 0 <= value <= 1:  # NaN too
        raise OptionError(f"A {name} is 0 to 1; {value} was given.")
