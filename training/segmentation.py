"""Scores masks and likelihoods of many systems on the damaged crops of a split (paper, 4)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve

from lrpseg.thresholders import Fitted
from training.metrics import Counts, Figures, count, interval, means, pooled

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
    """What a system makes of N damaged crops: likelihoods (N, 224, 224) and masks alike."""

    name: str
    likelihood: NDArray[np.float32]
    mask: NDArray[np.bool_]
    found: NDArray[np.bool_]


def segment(name: str, maps: NDArray[np.float32], fit: Fit, found: NDArray[np.bool_]) -> Segmented:
    """Threshold each map; `found` (N,) says which images the classifier calls damaged."""
    fits = [fit(m) for m in maps]
    return Segmented(
        name, np.stack([f.likelihood for f in fits]), np.stack([f.mask for f in fits]), found
    )


def score(
    system: Segmented, truth: NDArray[np.bool_], regions: Sequence[str], seed: int = 0
) -> Score:
    """Score a system against the true masks (N, 224, 224); `regions` (N,) for the interval."""
    every = [count(m, t) for m, t in zip(system.mask, truth, strict=True)]
    nothing = np.zeros(truth.shape[1:], bool)
    used: list[Counts] = [
        counts if found else count(nothing, t)
        for counts, found, t in zip(every, system.found, truth, strict=True)
    ]
    low, high = interval([c.iou for c in used], regions, seed)
    return Score(
        system.name,
        means(used),
        pooled(used),
        low,
        high,
        means(every),
        float(average_precision_score(truth.ravel(), system.likelihood.ravel())),
        int(system.found.sum()),
        len(truth),
    )


def curve(
    system: Segmented, truth: NDArray[np.bool_], points: int = 400
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(recall, precision) of the pooled pixels, thinned to about `points` spread over recall."""
    precision, recall, _ = precision_recall_curve(truth.ravel(), system.likelihood.ravel())
    wanted = np.linspace(0, 1, points)
    order = np.argsort(recall, kind="stable")
    index = np.unique(np.clip(np.searchsorted(recall[order], wanted), 0, len(recall) - 1))
    return recall[order][index], precision[order][index]


def saturation(system: Segmented) -> float:
    """Share of the pixels in the masks whose likelihood is exactly 1.

    The GMM's background Gaussians are so narrow that their densities underflow to zero at moderate
    relevance: the posterior is then exactly 1, and no threshold can raise the precision (paper,
    beginning of section 4).
    """
    inside = system.likelihood[system.mask]
    return float(np.mean(inside == 1)) if inside.size else 0.0
