"""Figures of masks and of classifications: by hand, and against scikit-learn."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import jaccard_score, precision_score, recall_score
from torch import Tensor, nn

from lrpseg.domains import Normalisation
from lrpseg.masks.figures import Counts, count, means, pooled
from training.data.datasets import DataError, Example
from training.loops.validation import (
    Scores,
    Validation,
    evaluation_crops,
    scores,
    scores_by_class,
    union_probability,
)
from training.reports.classification import classified
from training.reports.metrics import interval

CPU = torch.device("cpu")

# -------------------------------------------------------------------------------------- metrics


def random_masks(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    shape = random.integers(1, 40, 2)
    return random.random(shape) < random.random(), random.random(shape) < random.random()


@pytest.mark.parametrize("seed", range(20))
def test_counts_equal_scikit_learn(seed: int) -> None:
    mask, truth = random_masks(seed)
    counts = count(mask, truth)
    assert counts.tp + counts.fp == mask.sum()
    assert counts.tp + counts.fn == truth.sum()
    flat = truth.ravel(), mask.ravel()
    if mask.any() and truth.any():
        assert counts.iou == pytest.approx(jaccard_score(*flat), abs=1e-12)
        assert counts.precision == pytest.approx(precision_score(*flat), abs=1e-12)
        assert counts.recall == pytest.approx(recall_score(*flat), abs=1e-12)


def test_pooled_figures_are_those_of_all_pixels_and_obey_their_identity() -> None:
    pairs = [random_masks(seed) for seed in range(8)]
    figures = pooled([count(m, t) for m, t in pairs])
    mask, truth = (np.concatenate([pair[i].ravel() for pair in pairs]) for i in (0, 1))
    assert figures.iou == pytest.approx(jaccard_score(truth, mask), abs=1e-12)
    identity = 1 / (1 / figures.precision + 1 / figures.recall - 1)
    assert figures.iou == pytest.approx(identity, abs=1e-12)


def test_means_are_not_pooled_figures() -> None:
    counts = [Counts(tp=1, fp=1, fn=0), Counts(tp=90, fp=0, fn=10)]
    assert means(counts).iou == pytest.approx((0.5 + 0.9) / 2)
    assert means(counts).precision == pytest.approx((0.5 + 1) / 2)
    assert means(counts).recall == pytest.approx((1 + 0.9) / 2)
    assert pooled(counts).iou == pytest.approx(91 / 102)
    assert pooled(counts).precision == pytest.approx(91 / 92)
    assert pooled(counts).recall == pytest.approx(91 / 101)


@pytest.mark.parametrize(
    ("mask", "truth", "figures"),
    [
        ([0, 0], [0, 0], (1, 1, 1)),
        ([0, 0], [0, 1], (0, 0, 0)),
        ([1, 0], [0, 0], (0, 0, 1)),
        ([1, 0], [0, 1], (0, 0, 0)),
        ([1, 1], [1, 1], (1, 1, 1)),
        ([1, 1], [0, 1], (0.5, 0.5, 1)),
    ],
)
def test_figures_of_empty_and_tiny_masks(
    mask: list[int], truth: list[int], figures: tuple[float, float, float]
) -> None:
    counts = count(np.array([mask], bool), np.array([truth], bool))
    assert (counts.iou, counts.precision, counts.recall) == figures


def test_masks_of_two_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 4\).*\(4, 1\)"):
        count(np.ones((1, 4), bool), np.ones((4, 1), bool))


def test_intervals_resample_groups() -> None:
    assert interval([0.3] * 5, list("aabbc")) == pytest.approx((0.3, 0.3))
    assert interval([0.1, 0.9], ["a", "a"]) == pytest.approx((0.5, 0.5))  # one group: no spread
    # Four regions of ten near-identical pictures each: forty pictures tell no more than four.
    values = [v for v in (0.0, 0.0, 1.0, 1.0) for _ in range(10)]
    by_region = interval(values, [str(i // 10) for i in range(40)])
    by_picture = interval(values, [str(i) for i in range(40)])
    assert by_region == (0.0, 1.0)  # all four drawn alike: 1 of 16 draws at each end
    assert 0.3 < by_picture[0] < 0.4
    assert 0.6 < by_picture[1] < 0.7
    # Groups count by their size: of 0.0 once and 1.0 three times, the mean is 3/4, not 1/2.
    drawn = interval([0, 1, 1, 1], list("abbb"), level=0.2)
    assert drawn == (0.75, 0.75)
    assert interval(values, list("abcd") * 10, seed=1) == interval(values, list("abcd") * 10, 1)


# --------------------------------------------------------------------------------------- scores


def log_odds(*odds: float) -> Tensor:
    """Log-odds (N,) with the probability odds / (1 + odds) of damage."""
    return torch.tensor([math.log(o) for o in odds])


def test_scores_by_hand() -> None:
    found = scores(log_odds(3, 1 / 3, 1 / 3, 1 / 3, 3), torch.tensor([1, 1, 0, 0, 0]))
    assert (found.tpr, found.tnr) == pytest.approx((1 / 2, 2 / 3))
    assert found.balanced_accuracy == pytest.approx(7 / 12)
    good, bad = -math.log(3 / 4), -math.log(1 / 4)
    assert found.loss == pytest.approx(((good + bad) / 2 + (2 * good + bad) / 3) / 2)


def test_even_odds_count_as_intact() -> None:
    found = scores(torch.zeros(2), torch.tensor([0, 1]))
    assert found == Scores(0.5, tpr=0, tnr=1, loss=pytest.approx(math.log(2)))


def test_better_by_balanced_accuracy_then_by_loss() -> None:
    base = Scores(0.8, tpr=0.8, tnr=0.8, loss=0.5)
    assert replace(base, balanced_accuracy=0.81, loss=9).rank > base.rank
    assert replace(base, loss=0.4).rank > base.rank
    assert not replace(base, balanced_accuracy=0.79, loss=0.1).rank > base.rank
    assert Scores.mean([base, Scores(0.6, tpr=0.2, tnr=1, loss=1.5)]) == Scores(
        pytest.approx(0.7), tpr=pytest.approx(0.5), tnr=pytest.approx(0.9), loss=pytest.approx(1)
    )


class Brightness(nn.Module):
    """Log-odds (B, 1), positive where a tile has a pixel of the red channel above 200."""

    def forward(self, x: Tensor) -> Tensor:
        bright = x[:, 0].amax(dim=(1, 2)) - (200 / 255 - 0.485) / 0.229
        return bright[:, None]

    def log_odds(self, outputs: Tensor) -> Tensor:
        return outputs


def save_picture(path: Path, spots: list[tuple[int, int]], size: tuple[int, int]) -> Path:
    values = np.full((*size, 3), 90, np.uint8)
    for y, x in spots:
        values[y, x] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def test_a_picture_is_as_damaged_as_its_most_damaged_tile(tmp_path: Path) -> None:
    size = (230, 700)  # two rows of four tiles; the centre crop is [3:227, 238:462]
    spots = {"edge": [(0, 0)], "centre": [(115, 350)], "none": [], "missed": []}
    examples = [
        Example(name, save_picture(tmp_path / f"{name}.png", where, size), name != "none", "", "")
        for name, where in spots.items()
    ]
    validation = Validation.of(examples, Normalisation(), flips=False)
    assert validation.owner.tolist() == [i for i in range(4) for _ in range(8)]
    assert validation.tiles.shape == (32, 224, 224, 3)
    found = validation(Brightness(), CPU)
    crops, whole = found["crops"], found["whole"]
    assert set(found) == {"crops", "whole"}  # nothing is drawn unless asked for
    assert (crops.tpr, crops.tnr) == pytest.approx((1 / 3, 1))  # the spot at the edge is not in it
    assert (whole.tpr, whole.tnr) == pytest.approx((2 / 3, 1))

    odds = torch.zeros(32, 1)
    odds[3] = 2
    odds[8:16] = -4
    assert validation.whole(odds).tolist() == [[2], [-4], [0], [0]]


def test_evaluation_crops_come_with_their_flips(tmp_path: Path) -> None:
    picture = save_picture(tmp_path / "a.png", [(0, 223)], (224, 224))
    crops, labels = evaluation_crops([Example("a", picture, True, "", "")], flips=True)
    assert labels.tolist() == [[1], [1], [1]]
    bright = (crops[..., 0] == 255).nonzero().tolist()
    assert bright == [[0, 0, 223], [1, 0, 0], [2, 223, 223]]


@pytest.mark.parametrize(("damaged", "missing"), [(True, "intact"), (False, "damaged")])
def test_scoring_needs_both_kinds(tmp_path: Path, damaged: bool, missing: str) -> None:
    lone = Example("a", save_picture(tmp_path / "a.png", [], (30, 30)), damaged, "", "")
    with pytest.raises(DataError, match=f"no {missing} picture"):
        Validation.of([lone], Normalisation(), flips=False)


def test_classified_by_hand() -> None:
    labels = np.array([True, True, True, True, False, False])
    probabilities = np.array([0.9, 0.51, 0.5, 0.1, 0.2, 0.49])
    row = classified("crops", labels, list("aabbcd"), probabilities)
    # Region a is found and b is not, so the interval of the TPR reaches from 0 to 1.
    assert str(row.balanced_accuracy) == "75.0% (50.0%-100.0%)"
    assert str(row.tpr) == "50.0% (0.0%-100.0%)"
    assert str(row.tnr) == "100.0% (100.0%-100.0%)"


def test_probability_of_the_union_is_that_of_the_likeliest_class() -> None:
    odds = torch.stack([log_odds(1, 3), log_odds(1 / 3, 1)], dim=1)
    assert union_probability(odds).tolist() == pytest.approx([0.5, 0.75])


def test_scores_of_each_class_and_of_their_union() -> None:
    odds = torch.tensor([[1.0, -1.0], [-1.0, 2.0], [-1.0, -1.0], [1.0, -2.0]])
    labels = torch.tensor([[1, 0], [1, 1], [0, 0], [0, 0]])
    found = scores_by_class("crops", odds, labels, ("a", "b"))
    assert set(found) == {"crops", "crops/a", "crops/b"}
    assert (found["crops/a"].tpr, found["crops/a"].tnr) == (0.5, 0.5)
    assert (found["crops/b"].tpr, found["crops/b"].tnr) == (1, 1)
    assert (found["crops"].tpr, found["crops"].tnr) == (1, 0.5)  # the second by its other class
    assert set(scores_by_class("whole", odds[:, :1], labels[:, :1], ("a",))) == {"whole"}
