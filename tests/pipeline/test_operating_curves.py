"""Curves: measured against a slow reference, and what is chosen from literal ones."""

import json
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from lrpseg.core.errors import OptionError
from lrpseg.domains import load_domain
from lrpseg.lrp import RULE_SETS
from lrpseg.masks.figures import count, means
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.operating_curve import OperatingPoint, OperatingPoints, points_of
from lrpseg.pipeline.settings import MEASURED
from lrpseg.refiners import REFINERS
from lrpseg.thresholders import THRESHOLDERS, Fitted
from training.reports import operating_points as maker
from training.reports.metrics import interval
from training.reports.operating_points import (
    GRID,
    RECALL_STEPS,
    Resampling,
    average_precision,
    rates,
)

REGIONS = ("a", "a", "b", "c", "c", "c")
LIMIT = 800_000
"""Bytes that a domain's file may have."""


# ------------------------------------------------------------------------------------- measuring


@pytest.fixture(scope="module")
def maps() -> tuple[list[NDArray[np.float32]], list[NDArray[np.bool_]]]:
    """Six drawn likelihood maps (20, 30): graded, saturated, flat, tied with thresholds, wrong."""
    random = np.random.default_rng(0)
    truths = []
    for size in (2, 3, 5, 8, 12, 1):
        truth = np.zeros((20, 30), bool)
        y, x = random.integers(0, 8, 2)
        truth[y : y + size, x : x + size] = True
        truths.append(truth)
    noise = [random.random((20, 30), np.float32) for _ in truths]
    graded = [(0.6 * n + 0.4 * t).astype(np.float32) for n, t in zip(noise, truths, strict=True)]
    likelihoods = [
        graded[0],
        (graded[1] > 0.5).astype(np.float32),
        np.zeros((20, 30), np.float32),
        np.round(graded[3], 1),  # float32 values that thresholds hit exactly
        1 - graded[4],
        np.clip(3 * graded[5] - 1, 0, 1),
    ]
    return likelihoods, truths


def slow(
    likelihoods: list[NDArray[np.float32]], truths: list[NDArray[np.bool_]], threshold: float
) -> list[tuple[float, float, float]]:
    """The definition: one comparison per image and threshold."""
    counts = [
        count(likelihood >= np.float32(threshold), truth)
        for likelihood, truth in zip(likelihoods, truths, strict=True)
    ]
    return [(c.precision, c.recall, c.iou) for c in counts]


def test_rates_are_those_of_a_comparison_per_threshold(maps: Any) -> None:
    thresholds = np.array([0, 0.0001, 0.1, 0.25, 0.3, 0.5, 0.7, 0.7001, 0.9999, 1])
    found = rates(*maps, thresholds)
    expected = np.array([slow(*maps, t) for t in thresholds])  # (T, N, 3)
    assert_allclose(found.precision, expected[..., 0].T, rtol=0, atol=0)
    assert_allclose(found.recall, expected[..., 1].T, rtol=0, atol=0)
    assert_allclose(found.iou, expected[..., 2].T, rtol=0, atol=0)
    # The flat map has an empty mask from the second threshold on: 0, not 1 and not NaN.
    assert found.precision[2, 1:].max() == found.recall[2, 1:].max() == 0


def entry_of(maps: Any, own: float = 0.3) -> dict[str, Any]:
    likelihoods, truths = maps
    fitted = [
        Fitted(m, float(np.float32(own + 0.1 * (i % 2))), True, 1)
        for i, m in enumerate(likelihoods)
    ]
    return maker.curve_of(fitted, truths, Resampling(REGIONS, seed=3))


def test_a_stored_curve_is_the_slow_one(maps: Any) -> None:
    stored = points_of(entry_of(maps)["curve"])
    assert stored[0].threshold == 0
    assert stored[-1].threshold == 1
    for point in stored:
        each = slow(*maps, point.threshold)
        assert_allclose((point.precision, point.recall, point.iou), np.mean(each, 0), atol=5.1e-5)
        for values, low_high in zip(
            zip(*each, strict=True),
            (point.precision_interval, point.recall_interval, point.iou_interval),
            strict=True,
        ):
            assert_allclose(low_high, interval(values, REGIONS, seed=3), atol=5.1e-5)


def test_the_own_point_takes_each_images_own_threshold(maps: Any) -> None:
    (own,) = points_of(entry_of(maps)["own"])
    counts = [
        count(likelihood >= np.float32(0.3 + 0.1 * (i % 2)), truth)
        for i, (likelihood, truth) in enumerate(zip(*maps, strict=True))
    ]
    figures = means(counts)
    assert_allclose(
        (own.threshold, own.precision, own.recall, own.iou),
        (0.35, figures.precision, figures.recall, figures.iou),
        atol=5.1e-5,
    )


def test_average_precision_of_literal_curves() -> None:
    # From the top: 0.5 of recall at precision 1, then 0.25 at 0.5, then 0.25 at 0.2.
    precision, recall = np.array([0.2, 0.5, 1.0, 0.0]), np.array([1.0, 0.75, 0.5, 0.0])
    assert average_precision(precision, recall) == pytest.approx(0.5 + 0.125 + 0.05)
    both = average_precision(np.stack([precision, np.ones(4)]), np.stack([recall, recall]))
    assert_allclose(both, [0.675, 1])


def test_average_precision_of_the_mean_curve_and_its_interval(maps: Any) -> None:
    entry = entry_of(maps)
    each = np.array([slow(*maps, t) for t in GRID[::100]])  # slow: every hundredth threshold
    coarse = average_precision(each[..., 0].mean(1), each[..., 1].mean(1))
    assert entry["average_precision"] == pytest.approx(float(coarse), abs=0.02)
    low, high = entry["average_precision_interval"]
    assert 0 <= low < entry["average_precision"] < high <= 1


def test_average_precision_is_scikit_learns_for_one_image(maps: Any) -> None:
    likelihood, truth = np.round(maps[0][0], 3), maps[1][0]  # no two values within one step
    found = rates([likelihood], [truth], GRID)
    expected = average_precision_score(truth.ravel(), likelihood.ravel())
    assert average_precision(found.precision[0], found.recall[0]) == pytest.approx(expected)


def test_points_are_spread_evenly_in_recall() -> None:
    recall = (1 - GRID) ** 6  # falls fast: points even in threshold would leave wide gaps
    iou = np.exp(-((GRID - 0.1234) ** 2))
    chosen = maker.selected(recall, iou)
    assert 40 <= len(chosen) <= 60
    assert np.abs(np.diff(recall[chosen])).max() <= 1.05 / (RECALL_STEPS - 1)
    assert np.diff(GRID[chosen]).max() <= 0.05 + 1e-9
    assert {0, 1234, len(GRID) - 1} <= set(chosen.tolist())


def test_both_sides_of_a_jump_in_recall_are_kept() -> None:
    recall = np.where(GRID == 0, 1, np.where(GRID <= 0.42, 0.6, 0.1))
    chosen = GRID[maker.selected(recall, np.zeros_like(recall))]
    assert {0, 0.0001, 0.42, 0.4201} <= set(chosen.tolist())


# -------------------------------------------------------------------------------------- choosing


def point(threshold: float, precision: float, recall: float, iou: float) -> OperatingPoint:
    return OperatingPoint(threshold, precision, recall, iou, (0, 1), (0.2, 0.8), (0, iou))


# Precision is not monotone: 0.9 is passed at 0.4, lost at 0.6, and passed again at 0.8.
CURVE = (
    point(0.0, 0.10, 1.00, 0.10),
    point(0.2, 0.50, 0.90, 0.47),
    point(0.4, 0.90, 0.60, 0.56),
    point(0.6, 0.80, 0.50, 0.56),
    point(0.8, 0.95, 0.30, 0.29),
    point(1.0, 0.00, 0.00, 0.00),
)
LITERAL = OperatingPoints(
    CURVE, CURVE[2], 0.7, (0.6, 0.8), "val", 6, 3, metric="words", stale=False, pictures={}
)


@pytest.mark.parametrize(
    ("least", "threshold"), [(0, 0.0), (0.5, 0.2), (0.51, 0.4), (0.9, 0.4), (0.91, 0.8)]
)
def test_at_precision_keeps_most_recall(least: float, threshold: float) -> None:
    assert LITERAL.at_precision(least).threshold == threshold


@pytest.mark.parametrize(
    ("least", "threshold"), [(1, 0.0), (0.9, 0.2), (0.6, 0.4), (0.5, 0.4), (0.3, 0.8), (0, 0.8)]
)
def test_at_recall_keeps_most_precision(least: float, threshold: float) -> None:
    assert LITERAL.at_recall(least).threshold == threshold


def test_equal_points_are_told_apart_by_what_is_better() -> None:
    assert LITERAL.best_iou() is CURVE[2]  # as good as at 0.6, and more precise
    twins = replace(LITERAL, curve=(point(0, 0.5, 0.5, 0.4), point(1, 0.7, 0.5, 0.4)))
    assert twins.at_precision(0.5).threshold == 1
    assert twins.best_iou().threshold == 1


def test_what_is_never_reached_is_said_with_what_is() -> None:
    with pytest.raises(OptionError, match=r"precision of 0\.96 .* highest is 0\.95.* 0\.8\."):
        LITERAL.at_precision(0.96)
    low = replace(LITERAL, curve=(point(0, 0.1, 0.9, 0.1), point(1, 0.2, 0.1, 0.1)))
    with pytest.raises(OptionError, match=r"recall of 1 .* highest is 0\.9, at the threshold 0"):
        low.at_recall(1)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_values_outside_of_0_to_1_are_refused(value: float) -> None:
    for method in (LITERAL.at_precision, LITERAL.at_recall, LITERAL.nearest):
        with pytest.raises(OptionError, match="0 to 1"):
            method(value)


def test_nearest_is_linear_between_its_neighbours() -> None:
    between = LITERAL.nearest(0.25)  # a quarter of the way from 0.2 to 0.4
    assert between.threshold == 0.25
    assert_allclose(
        (between.precision, between.recall, between.iou), (0.6, 0.825, 0.75 * 0.47 + 0.25 * 0.56)
    )
    assert_allclose(between.iou_interval, (0, between.iou))
    assert_allclose(between.recall_interval, (0.2, 0.8))
    for measured in CURVE:
        assert LITERAL.nearest(measured.threshold) == measured


def test_what_to_expect_is_as_in_the_cases_that_the_page_shares() -> None:
    cases = json.loads((Path(__file__).parents[1] / "cases" / "nearest.json").read_text("utf-8"))

    def row(point: dict[str, Any]) -> list[float]:
        return np.hstack([point[name] for name in sorted(point)]).tolist()

    def point(stored: dict[str, Any]) -> OperatingPoint:
        return OperatingPoint(
            **{n: tuple(v) if isinstance(v, list) else v for n, v in stored.items()}
        )

    points = replace(LITERAL, curve=tuple(map(point, cases["curve"])))
    assert len(cases["expected"]) > 5
    for expected in cases["expected"]:
        found = asdict(points.nearest(expected["threshold"]))
        assert_allclose(row(found), row(expected), rtol=0, atol=1e-12)


def test_all_networks_fit_the_limit(maps: Any) -> None:
    curves, entry = [], entry_of(maps)
    shipped = load_domain("magnetic-tile").checkpoints
    for network, rule_set, *names in product(
        shipped, RULE_SETS, THRESHOLDERS, REFINERS, ("none", "dinov2")
    ):
        if NETWORKS[network].evidence == "likelihood" and rule_set != "ours":
            continue
        whole = (network, rule_set, *names, "log-odds", "average")
        curves.append(dict(zip(MEASURED, whole, strict=True)) | entry)
    assert len(maker.as_text({"metric": maker.METRIC}, curves)) < LIMIT
