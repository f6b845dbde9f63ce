"""Windows of tiles: against tiles by themselves where both are the same, and against plain sums."""

from itertools import product

import pytest
import torch
from torch import Tensor

from lrpseg.lrp import POOLINGS, RULE_SETS, windows
from lrpseg.lrp.engine import LeanEngine
from lrpseg.lrp.graph import read_graph
from lrpseg.lrp.windows import Seen, Windows
from lrpseg.models import Classifier
from lrpseg.models.loaded import Loaded
from tests.lrp.networks import NORMALISATION, ONE, SMALL, TWO, make


def window_of(height: int, width: int, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    pixels = torch.randint(0, 256, (1, height, width, 3), dtype=torch.uint8)
    return NORMALISATION(pixels).double()


def engine_of(model: Classifier, rule_set: str, pooling: str = "average") -> LeanEngine:
    return LeanEngine(model, RULE_SETS[rule_set], NORMALISATION, "log-odds", pooling)


def every(log_odds: Tensor) -> Tensor:
    return torch.ones_like(log_odds, dtype=torch.bool)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize(("network", "rule_set"), list(product(SMALL, RULE_SETS)))
def test_a_window_of_one_tile_gives_what_the_tile_gives(
    network: str, rule_set: str, pooling: str
) -> None:
    model = make(network, TWO)
    engine = engine_of(model, rule_set, pooling)
    x = window_of(model.tile, model.tile)
    seen = Windows(Loaded(model), engine)(x, [(0, 0)], torch.ones(1, *x.shape[2:]).double(), every)
    act = engine.forward(x)
    assert torch.allclose(seen.log_odds, model.log_odds(act.logits), rtol=1e-10, atol=1e-12)
    for kind in range(2):
        expected = engine.relevance(act, torch.tensor([kind]))[0]
        assert (seen.relevance[kind] - expected).abs().max() <= 1e-9 * expected.abs().max()


def slowly(engine: LeanEngine, x: Tensor, seen: Seen, tiles: list, weights: Tensor) -> Tensor:
    """The relevance of the first class by a backward pass of the whole window for each tile."""
    cells = engine.features(x)
    total = torch.zeros(x.shape[2:], dtype=x.dtype)
    maps, stride = cells.outputs[-1], x.shape[2] // cells.outputs[-1].shape[2]
    n = weights.shape[1] // stride
    for i, (top, left) in enumerate(tiles):
        if not seen.selected[i, 0]:
            continue
        y, z = top // stride, left // stride
        head = engine.head(maps[:, :, y : y + n, z : z + n])
        own = engine.relevance(head, torch.tensor([0]))
        share = weights[i].reshape(n, stride, n, stride).mean(dim=(1, 3))
        start = torch.zeros_like(maps)
        start[:, :, y : y + n, z : z + n] = own * share
        total += engine.features_relevance(cells, start)[0]
    return total


@pytest.mark.parametrize("rule_set", RULE_SETS)
@pytest.mark.parametrize("network", ["vgg-a", "vgg-16"])
def test_tiles_are_merged_as_if_each_went_back_alone(
    network: str, rule_set: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "fewer", lambda pixels, box: False)
    model = make(network)
    engine = engine_of(model, rule_set)
    x = window_of(352, 320)
    tiles = [(160, 144), (176, 160), (0, 0)]
    torch.manual_seed(0)
    weights = torch.rand(3, 32, 32, dtype=torch.float64)

    def but_the_last(log_odds: Tensor) -> Tensor:
        chosen = every(log_odds)
        chosen[-1] = False
        return chosen

    seen = Windows(Loaded(model), engine)(x, tiles, weights, but_the_last)
    expected = slowly(engine, x, seen, tiles, weights)
    assert seen.selected[:, 0].tolist() == [True, True, False]
    # What is computed is a part of the window; nothing is lost outside of it.
    assert (expected != 0).sum() < expected.numel()
    assert (seen.relevance[0] - expected).abs().max() <= 1e-9 * expected.abs().max()


@pytest.mark.parametrize("rule_set", RULE_SETS)
def test_the_relevance_of_few_tiles_is_that_of_tiles(rule_set: str) -> None:
    model = make("vgg-a", TWO)
    model.calibrate(1, 100)  # nothing is surely intact
    engine = engine_of(model, rule_set)
    x = window_of(160, 192)
    tiles = [(0, 16), (64, 80), (128, 160)]
    torch.manual_seed(0)
    weights = torch.rand(3, 32, 32, dtype=torch.float64)

    def some(log_odds: Tensor) -> Tensor:
        return torch.tensor([[True, False], [False, True], [True, True]])

    seen = Windows(Loaded(model), engine)(x, tiles, weights, some)
    expected = torch.zeros_like(seen.relevance)
    for i, (top, left) in enumerate(tiles):
        act = engine.forward(x[:, :, top : top + 32, left : left + 32])
        for kind in range(2):
            if some(seen.log_odds)[i, kind]:
                own = engine.relevance(act, torch.tensor([kind]))[0] * weights[i]
                expected[kind, top : top + 32, left : left + 32] += own
    assert (seen.relevance - expected).abs().max() <= 1e-9 * expected.abs().max()


def test_the_reach_of_relevance_is_that_of_the_convolutions() -> None:
    # 1 + 2 + 4 + 4 + 8 + 8 + 16 + 16, and of VGG-16 twice, twice, and three times three.
    for network, expected in (("vgg-a", 59), ("vgg-16", 90)):
        model = make(network)
        assert engine_of(model, "ours").reach == expected
        graph = read_graph(model)
        assert graph.reach(0) == 1


@pytest.mark.parametrize("network", SMALL)
def test_no_relevance_lies_beyond_the_reach(network: str) -> None:
    model = make(network)
    engine = engine_of(model, "ours")
    stride = model.stages[-1].stride
    x = window_of(20 * stride, 20 * stride)
    features = engine.features(x)
    start = torch.zeros_like(features.outputs[-1])
    start[:, :, 10, 10] = features.outputs[-1][:, :, 10, 10]
    found = engine.features_relevance(features, start)[0]
    ys, xs = found.nonzero(as_tuple=True)
    low, high = 10 * stride - engine.reach, 11 * stride + engine.reach
    assert len(ys) > 0
    assert low <= ys.min()
    assert low <= xs.min()
    assert ys.max() < high
    assert xs.max() < high


def test_nothing_that_is_selected_gives_no_relevance() -> None:
    model = make("vgg-a")
    x = window_of(64, 64)
    weights = torch.ones(2, 32, 32).double()
    seen = Windows(Loaded(model), engine_of(model, "ours"))(
        x, [(0, 0), (32, 32)], weights, lambda odds: odds > 1e9
    )
    assert seen.log_odds.shape == (2, 1)
    assert not seen.selected.any()
    assert not seen.relevance.any()
    assert seen.likelihood is None


@pytest.mark.parametrize("classes", [ONE, TWO], ids=["one class", "two classes"])
def test_all_but_surely_intact_tiles_are_decided_by_themselves(classes: tuple[str, ...]) -> None:
    model = make("vgg-a", classes)
    engine = engine_of(model, "ours")
    x = window_of(160, 160)
    tiles = [(16 * y, 16 * z) for y in range(8) for z in range(8)]
    features = engine.features(x).outputs[-1]
    cut = torch.cat(
        [features[:, :, y // 16 : y // 16 + 2, z // 16 : z // 16 + 2] for y, z in tiles]
    )
    shared = model.log_odds(engine.head(cut).logits)
    # So that some tiles are surely intact, some are not, and some are damaged.
    slopes = 3 / shared.std(dim=0)
    model.calibrate(slopes.tolist(), (-shared.mean(dim=0) * slopes).tolist())
    engine = engine_of(model, "ours")
    shared = model.log_odds(engine.head(cut).logits)
    alone = model.log_odds(model(torch.cat([x[:, :, y : y + 32, z : z + 32] for y, z in tiles])))
    weights = torch.zeros(64, 32, 32).double()
    seen = Windows(Loaded(model), engine)(x, tiles, weights, lambda odds: odds > 1e9)
    sure = (shared <= -1).all(dim=1)
    assert 2 < sure.sum() < 62
    assert torch.allclose(seen.log_odds[sure], shared[sure], atol=1e-9)
    assert torch.allclose(seen.log_odds[~sure], alone[~sure], atol=1e-9)
    assert not torch.allclose(shared, alone, atol=0.1)
