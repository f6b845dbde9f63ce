"""Scores masks and likelihoods of many systems on the damaged pictures of a split (paper, 4)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve

from lrpseg.masks.figures import Counts, Figures, Mask, count, means, pooled
from lrpseg.pipeline.curves import UNION
from lrpseg.thresholders import Fitted
from training.reports.metrics import interval

Fit = Callable[[NDArray[np.float32]], Fitted]


@dataclass(frozen=True, eq=False)
class Pictures:
    """N damaged pictures, (H, W, 3) uint8 each, with true masks (H, W) of all damage, and regions.

    masks: by class the N masks (H, W) of that class; empty where there is one class.
    """

    images: Sequence[NDArray[np.uint8]]
    truth: Sequence[Mask]
    regions: Sequence[str]
    masks: Mapping[str, Sequence[Mask]] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """Those that are scored each for itself."""
        return tuple(self.masks)

    def of(self, kind: str) -> "Pictures":
        """For `UNION` itself; for a class those that show it, with its masks as truth."""
        if kind == UNION:
            return self
        there = self.showing(kind)
        return Pictures(
            [self.images[i] for i in there],
            [self.masks[kind][i] for i in there],
            [self.regions[i] for i in there],
        )

    def showing(self, kind: str) -> list[int]:
        """Indices of the pictures in which a pixel shows the class; all of them for `UNION`."""
        if kind == UNION:
            return list(range(len(self.images)))
        return [i for i, mask in enumerate(self.masks[kind]) if mask.any()]

    def scored(self, systems: Sequence["Segmented"], seed: int) -> list["Score"]:
        """The score of each system on all of them, of all damage together."""
        return [score(s, self.truth, self.regions, seed) for s in systems]

    def scored_by_class(self, made: Mapping[str, "Segmented"], seed: int) -> dict[str, "Score"]:
        """The score of each class by itself, on the pictures that show it."""
        found = {}
        for kind in self.classes:
            there, shown = self.showing(kind), self.of(kind)
            if there:
                system = made[kind].among(there)
                found[kind] = score(system, shown.truth, shown.regions, seed)
        return found


@dataclass(frozen=True)
class Score:
    """Figures of one system. `found` counts images that were not missed by the classifier.

    mean, pooled: with an empty mask where the classifier says intact, as a user gets it;
    low, high: 95 % interval of the mean IoU by resampling regions; anyway: mean figures with a
    mask made of every image all the same; average_precision: of the pooled pixels' likelihood,
    of every image.
    """

    name: str
    mean: Figures
    pooled: Figures
    low: float
    high: float
    anyway: Figures
    average_precision: float
    found: int
    images: int


@dataclass(frozen=True, eq=False)
class Segmented:
    """What a system makes of N damaged pictures: for each a likelihood and a mask, both (H, W),
    and whether it was found, that is classified damaged. shown: the masks that a user gets, where
    it is not all or nothing, as only some of the classes were found."""

    name: str
    likelihood: Sequence[NDArray[np.float32]]
    mask: Sequence[Mask]
    found: NDArray[np.bool_]
    shown: Sequence[Mask] | None = None

    def used(self, i: int) -> Mask:
        """The mask that a user gets of picture `i`: empty where it was classified intact."""
        if self.shown is not None:
            return self.shown[i]
        return self.mask[i] if self.found[i] else np.zeros_like(self.mask[i])

    def among(self, indices: Sequence[int]) -> "Segmented":
        """The same of some of the pictures."""
        shown = None if self.shown is None else [self.shown[i] for i in indices]
        return Segmented(
            self.name,
            [self.likelihood[i] for i in indices],
            [self.mask[i] for i in indices],
            self.found[list(indices)],
            shown,
        )


def segment(
    name: str,
    fits: Iterable[Sequence[Fitted]],
    found: NDArray[np.bool_],
    classes: Sequence[str] = (),
) -> dict[str, Segmented]:
    """What N pictures' fits, one for each of K classes, make: for `UNION`, and where `classes`
    names several for each of them. found: (N, K), which the network says are there."""
    rows = list(fits)

    def of_class(kind: int, title: str) -> Segmented:
        own = [row[kind] for row in rows]
        return Segmented(title, [f.likelihood for f in own], [f.mask for f in own], found[:, kind])

    if len(classes) < 2:
        return {UNION: of_class(0, name)}
    each = {c: of_class(k, f"{name} ({c})") for k, c in enumerate(classes)}
    layers = list(each.values())
    union = Segmented(
        name,
        [reduce(np.maximum, (s.likelihood[i] for s in layers)) for i in range(len(rows))],
        [reduce(np.logical_or, (s.mask[i] for s in layers)) for i in range(len(rows))],
        np.asarray(found.any(axis=1)),
        [reduce(np.logical_or, (s.used(i) for s in layers)) for i in range(len(rows))],
    )
    return {UNION: union, **each}


def fits_of(maps: NDArray[np.float32], fit: Fit) -> list[list[Fitted]]:
    """Maps (N, K, H, W) through a thresholder: a fit for each picture and class."""
    return [[fit(m) for m in row] for row in maps]


def score(system: Segmented, truth: Sequence[Mask], regions: Sequence[str], seed: int = 0) -> Score:
    """Score a system against the N true masks; `regions` (N,) for the interval."""
    every = [count(m, t) for m, t in zip(system.mask, truth, strict=True)]
    used = [count(system.used(i), t) for i, t in enumerate(truth)]
    low, high = interval([c.iou for c in used], regions, seed)
    return Score(
        system.name,
        means(used),
        pooled(used),
        low,
        high,
        means(every),
        float(average_precision_score(pixels(truth), pixels(system.likelihood))),
        int(system.found.sum()),
        len(truth),
    )


def ious(system: Segmented, truth: Sequence[Mask]) -> NDArray[np.float64]:
    """(N,) IoU of each picture's mask as a user gets it."""
    counts: list[Counts] = [count(system.used(i), t) for i, t in enumerate(truth)]
    return np.array([c.iou for c in counts])


def pixels(pictures: Sequence[NDArray]) -> NDArray:
    """All values of all pictures, which may differ in size, in one row."""
    return np.concatenate([np.ravel(p) for p in pictures])


def curve(
    system: Segmented, truth: Sequence[Mask], points: int = 400
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(recall, precision) of the pooled pixels, thinned to about `points` spread over recall.

    Ascending in recall, from 0 on. Below the recall that the highest likelihood reaches there is no
    threshold: the line goes on at that precision. (scikit-learn adds a point of precision 1 there,
    which would draw a saturated map as if it could be ever surer.)
    """
    precision, recall, _ = precision_recall_curve(pixels(truth), pixels(system.likelihood))
    precision, recall = precision[:-1][::-1], recall[:-1][::-1]
    index = np.searchsorted(recall, np.linspace(0, 1, points)).clip(max=len(recall) - 1)
    index = np.unique(index)
    return np.r_[0, recall[index]], np.r_[precision[0], precision[index]]


def saturation(system: Segmented) -> float:
    """Share of the pixels in the masks whose likelihood is exactly 1.

    The GMM's background Gaussians are so narrow that their densities underflow to zero at moderate
    relevance: the posterior is then exactly 1, and no threshold can raise the precision (paper,
    beginning of section 4).
    """
    inside = pixels(system.likelihood)[pixels(system.mask)]
    return float(np.mean(inside == 1)) if inside.size else 0.0
