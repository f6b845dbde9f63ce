"""Figures of faithfulness: against slow references, on literal maps, on maps with nothing there."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nan

from lrpseg.lrp import STARTS, make_explainer
from lrpseg.lrp.faithfulness import (
    conservation_error,
    falls,
    local_mean,
    perturbed,
    randomised,
    rank_accuracy,
    rank_correlation,
    ranks,
    region_sums,
    relevance_mass,
    start_of,
)
from lrpseg.lrp.rules import RuleSet, Zero
from tests.lrp import networks

MAP = torch.tensor([[[4.0, 3.0, -9.0], [2.0, 1.0, 0.0]]])


def mask(*rows: list[int]) -> Tensor:
    return torch.tensor([rows]).bool()


def test_mass_and_rank_by_hand() -> None:
    left = mask([1, 0, 1], [1, 0, 0])
    assert relevance_mass(MAP, left).tolist() == [pytest.approx(6 / 10)]  # -9 counts for nothing
    assert rank_accuracy(MAP, left).tolist() == [pytest.approx(2 / 3)]  # 4, 3, 2 are the highest
    both = rank_accuracy(torch.cat([MAP, -MAP]), torch.cat([left, left]))
    assert both.tolist() == [pytest.approx(2 / 3), pytest.approx(1 / 3)]


def test_equal_pixels_share_the_room_that_is_left() -> None:
    equal = torch.tensor([[[5.0, 1.0, 1.0], [1.0, 1.0, 0.0]]])
    # Two of the best three are among four equal ones, of which the mask has one.
    found = rank_accuracy(equal, mask([1, 1, 0], [0, 0, 1]))
    assert found.tolist() == [pytest.approx((1 + 2 / 4 * 1) / 3)]
    constant = rank_accuracy(torch.zeros(1, 2, 3), mask([1, 1, 0], [0, 0, 0]))
    assert constant.tolist() == [pytest.approx(2 / 6)]


@pytest.mark.parametrize("of", [relevance_mass, rank_accuracy])
def test_maps_and_masks_with_nothing_in_them(of: object) -> None:
    assert callable(of)
    there = mask([1, 0, 0], [0, 0, 0])
    assert of(MAP, there & False).isnan().all()
    assert of(torch.where(MAP > 3, nan, MAP), there).isnan().all()
    assert of(MAP, there | True).tolist() == [1]
    if of is relevance_mass:
        for nothing in (MAP * 0, -MAP.abs()):
            assert of(nothing, there).isnan().all()


def test_ranks_are_drawn_where_scores_are_equal() -> None:
    scores = torch.tensor([[0.0, 5.0, 0.0, 7.0, 0.0, -1.0]])
    drawn = {tuple(ranks(scores, seed)[0].tolist()) for seed in range(40)}
    assert {(r[3], r[1], r[5]) for r in drawn} == {(0, 1, 5)}
    assert {frozenset(r[i] for i in (0, 2, 4)) for r in drawn} == {frozenset((2, 3, 4))}
    assert len(drawn) == 6  # all orders of the three that are equal
    assert torch.equal(ranks(scores, 3), ranks(scores, 3))
    rows = ranks(torch.zeros(2, 50))
    assert rows.sort(dim=1).values.tolist() == [list(range(50))] * 2
    assert not torch.equal(rows[0], rows[1])
    with pytest.raises(ValueError, match="NaN"):
        ranks(torch.tensor([[nan, 1.0]]))


def test_regions_are_summed_and_replaced_also_where_they_are_cut_off() -> None:
    maps = torch.arange(2 * 5 * 7, dtype=torch.float32).reshape(2, 5, 7)
    sums = region_sums(maps, 3)
    assert sums.shape == (2, 6)
    for row, one in zip(sums, maps, strict=True):
        blocks = [one[y : y + 3, x : x + 3].sum() for y in (0, 3) for x in (0, 3, 6)]
        assert row.tolist() == [float(b) for b in blocks]
    x, instead = maps[:, None].expand(2, 3, 5, 7), torch.full((2, 3, 5, 7), -1.0)
    places = ranks(sums)
    for count in (0, 1, 4, 6, 99):
        found = perturbed(x, instead, places, count, 3)
        for b, region in ((b, r) for b in range(2) for r in range(6)):
            y, left = 3 * (region // 3), 3 * (region % 3)
            part = found[b, :, y : y + 3, left : left + 3]
            replaced = int(places[b, region]) < count
            assert torch.equal(part, (instead if replaced else x)[b, :, y : y + 3, left : left + 3])


def test_what_stands_in_is_the_mean_around_a_pixel() -> None:
    x = torch.rand(2, 3, 9, 8, dtype=torch.float64)
    found = local_mean(x, 5)
    for y, left in ((0, 0), (4, 4), (8, 3)):
        around = x[:, :, max(0, y - 2) : y + 3, max(0, left - 2) : left + 3]
        assert torch.allclose(found[:, :, y, left], around.mean(dim=(2, 3)))
    small = torch.rand(1, 3, 4, 4)  # smaller than the window
    assert torch.allclose(local_mean(small), small.mean(dim=(2, 3), keepdim=True).expand_as(small))


def slow_falls(model: object, x: Tensor, instead: Tensor, scores: Tensor, side: int) -> list[float]:
    """One picture, a region at a time, by its definition; all scores differ."""
    assert callable(model)
    changed, columns, found = x.clone(), -(-x.shape[3] // side), []
    for region in scores[0].argsort(descending=True).tolist():
        y, left = side * (region // columns), side * (region % columns)
        window = (slice(None), slice(None), slice(y, y + side), slice(left, left + side))
        changed[window] = instead[window]
        found.append(float(model(x) - model(changed)))
    return found


def test_falls_by_a_slow_reference() -> None:
    model = networks.make("vgg-a")

    def log_odds(x: Tensor) -> Tensor:
        return model.log_odds(model(x))[:, 0]

    x = networks.pictures(model, 2)
    instead = local_mean(x, 9)
    scores = torch.rand(2, 16, generator=torch.Generator().manual_seed(0))
    found = falls(log_odds, x, instead, ranks(scores), range(1, 17), 8)
    for i in range(2):
        one = np.s_[i : i + 1]
        assert found[i].tolist() == pytest.approx(
            slow_falls(log_odds, x[one], instead[one], scores[one], 8)
        )
    assert torch.equal(falls(log_odds, x, x, ranks(scores), (1, 16), 8), torch.zeros(2, 2).double())
    more = falls(log_odds, x, instead, ranks(scores), (16, 400), 8)
    assert torch.equal(more[:, 0], more[:, 1])


def test_relevance_is_conserved_where_nothing_takes_any() -> None:
    """Without biases, and with LRP-0 alone, all that started arrives."""
    model = networks.make("vgg-a")
    for module in model.modules():
        if getattr(module, "bias", None) is not None:
            module.bias.zero_()
    zero = Zero(1e-12)
    rules = RuleSet("zero", "", "", first=zero, early=zero, middle=zero, late=zero, head=zero)
    x = networks.pictures(model, 2)
    for start in STARTS:
        kinds = torch.zeros(2, dtype=torch.long)
        begins = start_of(STARTS[start], model(x), kinds, 1)
        explain = make_explainer(model, rules, networks.NORMALISATION, start, "max", "zennit")
        relevance = explain(x, lambda odds: odds > -torch.inf).relevance
        assert conservation_error(relevance, begins).max() < 1e-5


def test_starts_and_errors_by_hand() -> None:
    outputs, kinds = torch.tensor([[1.0, 3.0], [2.0, -2.0]]), torch.tensor([0, 0])
    assert start_of(STARTS["log-odds"], outputs, kinds, 1).tolist() == [2, -4]
    assert start_of(STARTS["logit"], outputs, kinds, 1).tolist() == [3, -2]
    for start in STARTS.values():  # of several classes, each has its own output
        assert start_of(start, outputs, torch.tensor([1, 0]), 2).tolist() == [3, 2]
    errors = conservation_error(MAP.expand(4, 2, 3), torch.tensor([2.0, 1.0, -1.0, 0.0]))
    assert errors.tolist() == [0.5, 0, 2, float("inf")]
    assert conservation_error(MAP * 0, torch.zeros(1)).isnan().all()
    assert conservation_error(MAP * nan, torch.ones(1)).isnan().all()


def test_rank_correlation_is_that_of_scipy() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(3, 6, 5).round(decimals=1), torch.randn(3, 6, 5).round(decimals=1)
    expected = [spearmanr(i.abs().ravel(), j.abs().ravel())[0] for i, j in zip(a, b, strict=True)]
    assert rank_correlation(a, b).tolist() == pytest.approx(expected)
    assert rank_correlation(a, -3 * a).tolist() == pytest.approx([1] * 3)
    assert rank_correlation(a, a * 0 + 2).isnan().all()
    assert rank_correlation(a, torch.where(a > 0, nan, a)).isnan().all()


def test_layers_forget_one_after_the_other() -> None:
    model = networks.make("vgg-a 128n")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.random.get_rng_state()
    gone: list[str] = []
    for name, forgetful in randomised(model, 1):
        gone.append(name)
        for key, value in forgetful.state_dict().items():
            assert torch.equal(value, before[key]) == (key.rpartition(".")[0] not in gone)
    layers = [key.removesuffix(".weight") for key in before if key.endswith("weight")]
    assert gone == layers[::-1]
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)
