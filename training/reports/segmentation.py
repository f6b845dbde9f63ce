"""Scores masks and likelihoods of many systems on the damaged pictures of a split (paper, 4)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve

from lrpseg.thresholders import Fitted
from training.reports.metrics import Counts, Figures, Mask, count, interval, means, pooled

Fit = Callable[[NDArray[np.float32]], Fitted]


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
    and whether it was found, that is classified damaged."""

    name: str
    likelihood: Sequence[NDArray[np.float32]]
    mask: Sequence[Mask]
    found: NDArray[np.bool_]

    def used(self, i: int) -> Mask:
        """The mask that a user gets of picture `i`: empty where it was classified intact."""
        return self.mask[i] if self.found[i] else np.zeros_like(self.mask[i])


def segment(
    name: str, maps: Iterable[NDArray[np.float32]], fit: Fit, found: NDArray[np.bool_]
) -> Segmented:
    """Threshold each map; `found` (N,) says which images the classifier calls damaged."""
    fits = [fit(m) for m in maps]
    return Segmented(name, [f.likelihood for f in fits], [f.mask for f in fits], found)


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
