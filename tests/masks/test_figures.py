"""Figures of masks, which are defined once: literal cases, which the page's JavaScript shares."""

import json
from pathlib import Path

import numpy as np
import pytest

from lrpseg.masks.figures import Counts, count, iou, means, pooled

CASES = json.loads((Path(__file__).parents[1] / "cases" / "figures.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['tp']}-{c['fp']}-{c['fn']}")
def test_figures_of_counts(case: dict[str, float]) -> None:
    found = Counts(int(case["tp"]), int(case["fp"]), int(case["fn"]))
    for name in ("iou", "precision", "recall"):
        assert getattr(found, name) == pytest.approx(case[name]), name
        assert found.figures.as_json()[name] == getattr(found, name)


def test_empty_masks_are_among_the_cases() -> None:
    kinds = {(bool(c["tp"]), bool(c["fp"]), bool(c["fn"])) for c in CASES}
    assert (False, False, False) in kinds, "nothing marked and nothing there"
    assert (False, True, False) in kinds, "marked, and nothing there"
    assert (False, False, True) in kinds, "something there, and nothing marked"


@pytest.mark.parametrize("seed", range(5))
def test_counts_pixel_by_pixel(seed: int) -> None:
    random = np.random.default_rng(seed)
    mask, truth = random.random((2, 9, 11)) < random.random()
    slow = {"tp": 0, "fp": 0, "fn": 0}
    for a, b in zip(mask.ravel(), truth.ravel(), strict=True):
        if a or b:
            slow["tp" if a and b else "fp" if a else "fn"] += 1
    assert count(mask, truth) == Counts(**slow)
    assert iou(mask, truth) == iou(truth, mask) == count(mask, truth).iou


def test_masks_of_two_sizes_are_no_pair() -> None:
    with pytest.raises(ValueError, match="shape"):
        count(np.zeros((2, 3), bool), np.zeros((3, 2), bool))


def test_means_and_pooled_figures_of_pictures() -> None:
    pictures = [Counts(1, 0, 1), Counts(0, 0, 0), Counts(3, 3, 0)]
    assert means(pictures).iou == pytest.approx((0.5 + 1 + 0.5) / 3)
    assert means(pictures).recall == pytest.approx((0.5 + 1 + 1) / 3)
    whole = pooled(pictures)
    assert (whole.iou, whole.precision, whole.recall) == (4 / 8, 4 / 7, 4 / 5)
    assert whole.iou == pytest.approx(1 / (1 / whole.precision + 1 / whole.recall - 1))
