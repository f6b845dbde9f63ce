"""What scores of left-out pictures say of a method."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from training.reports.classification import (
    Bin,
    Classified,
    Rate,
    calibration_error,
    classified,
    reliability,
)

ROUNDS = 500
FALSE_ALARMS = (0.01, 0.05)
"""Shares of intact pictures at whose scores recall is told."""

Scores = NDArray[np.float64]
Labels = NDArray[np.bool_]


@dataclass(frozen=True)
class Figures:
    """Of one method on N pictures that were left out.

    decided: at a probability of 0.5, which was fitted on the other folds' scores. recall: at each
    of `FALSE_ALARMS`, with intervals over regions. regions: of each damaged region the pictures
    that were called, and all. bins: reliability of the probabilities.
    """

    auroc: Rate
    decided: Classified
    recall: tuple[Rate, ...]
    regions: dict[str, tuple[int, int]]
    bins: tuple[Bin, ...]

    @property
    def missed(self) -> tuple[str, ...]:
        """Damaged regions none of whose pictures was called."""
        return tuple(region for region, (called, _) in self.regions.items() if not called)

    @property
    def calibration_error(self) -> float:
        """Of the probabilities, 0 to 1; see `training.reports.classification`."""
        return calibration_error(self.bins)


def cross_fitted(scores: Scores, labels: Labels, folds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Log-odds (N,) from scores (N, M) of M methods: a logistic function (Platt 1999), for each
    fold fitted on the others' scores, with both kinds of pictures weighing the same."""
    odds = np.zeros(len(labels))
    for fold in np.unique(folds):
        here = folds == fold
        scaler = StandardScaler().fit(scores[~here])
        fit = LogisticRegression(class_weight="balanced", C=100)
        fit.fit(scaler.transform(scores[~here]), labels[~here])
        odds[here] = fit.decision_function(scaler.transform(scores[here]))
    return odds


def figures(
    scores: Scores,
    labels: Labels,
    regions: Sequence[str],
    folds: NDArray[np.int64],
    seed: int = 0,
) -> Figures:
    """Of scores (N, M) of one method, or of several together, of N left-out pictures."""
    odds = cross_fitted(scores, labels, folds)
    # One method's own scores rank pictures; a logistic function of each fold may shift them.
    ranked = scores[:, 0] if scores.shape[1] == 1 else odds
    probability = 1 / (1 + np.exp(-odds))
    names = np.array(regions)
    called = odds > 0
    of = {str(r): called[labels & (names == r)] for r in np.unique(names[labels])}
    return Figures(
        _resampled(ranked, labels, names, lambda s, y: float(roc_auc_score(y, s)), seed),
        classified("left out", labels, regions, probability, seed),
        tuple(
            _resampled(ranked, labels, names, partial(recall_at, share=share), seed)
            for share in FALSE_ALARMS
        ),
        {region: (int(c.sum()), len(c)) for region, c in of.items()},
        reliability(labels, probability),
    )


def recall_at(scores: Scores, labels: Labels, share: float) -> float:
    """Share of the damaged pictures above the score that `share` of the intact ones exceed."""
    limit = np.quantile(scores[~labels], 1 - share)
    return float((scores[labels] > limit).mean())


def _resampled(
    scores: Scores,
    labels: Labels,
    names: NDArray[np.str_],
    value: Callable[[Scores, Labels], float],
    seed: int,
) -> Rate:
    """A figure with its 95 % interval: damaged and intact regions are resampled, each by itself."""
    random = np.random.default_rng(seed)
    groups = [
        [np.flatnonzero((labels == kind) & (names == r)) for r in np.unique(names[labels == kind])]
        for kind in (True, False)
    ]
    found = []
    for _ in range(ROUNDS):
        rows = np.concatenate(
            [
                members[i]
                for members in groups
                for i in random.integers(len(members), size=len(members))
            ]
        )
        found.append(value(scores[rows], labels[rows]))
    low, high = np.quantile(found, [0.025, 0.975])
    return Rate(value(scores, labels), float(low), float(high))


def best_iou(maps: Sequence[NDArray[np.float32]], masks: Sequence[NDArray[np.bool_]]) -> float:
    """Highest mean IoU over pictures that one threshold for all of them gives, of maps that are
    enlarged to their masks. An upper bound, chosen on what it is measured on: to compare maps."""
    large = [
        cv2.resize(m, mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
        for m, mask in zip(maps, masks, strict=True)
    ]
    values = np.concatenate([m.ravel()[::50] for m in large])
    limits = np.quantile(values, np.linspace(0.9, 0.9995, 40))
    return max(
        float(
            np.mean(
                [
                    ((m > limit) & mask).sum() / max(1, ((m > limit) | mask).sum())
                    for m, mask in zip(large, masks, strict=True)
                ]
            )
        )
        for limit in limits
    )
