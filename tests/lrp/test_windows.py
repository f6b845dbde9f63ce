"""A first look at windows of tiles, against what tiles give by themselves."""

import pytest
import torch
from torch import Tensor

from lrpseg.lrp import POOLINGS, RULE_SETS, make_explainer
from lrpseg.lrp.engine import LeanEngine
from lrpseg.lrp.windows import Windows, windows_of
from lrpseg.models import Classifier
from lrpseg.models.loaded import Loaded
from tests.lrp.networks import NORMALISATION, SMALL, TWO, make


def window_of(height: int, width: int) -> Tensor:
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (1, height, width, 3), dtype=torch.uint8)
    return NORMALISATION(pixels).double()


def engine_of(model: Classifier, pooling: str = "average") -> LeanEngine:
    return LeanEngine(model, RULE_SETS["ours"], NORMALISATION, "log-odds", pooling)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("network", SMALL)
def test_a_window_of_one_tile_gives_what_the_tile_gives(network: str, pooling: str) -> None:
    model = make(network, TWO)
    engine = engine_of(model, pooling)
    x = window_of(model.tile, model.tile)
    found = Windows(Loaded(model), engine)(x, [(0, 0)])
    assert torch.allclose(found, model.log_odds(model(x)), rtol=1e-10, atol=1e-12)
    assert torch.allclose(engine.head(engine.features(x)), model(x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("network", ["vgg-a 128n", "vgg-16"])
def test_tiles_are_cut_out_of_the_windows_features(network: str) -> None:
    model = make(network, TWO)
    x = window_of(160, 128)
    corners = [(0, 0), (16, 96), (128, 48)]
    found = Windows(Loaded(model), engine_of(model))(x, corners)
    assert found.shape == (3, 2)
    features = model.scales(x)[-1]
    for row, (y, z) in zip(found, corners, strict=True):
        tile = features[:, :, y // 16 : y // 16 + 2, z // 16 : z // 16 + 2]
        expected = model.log_odds(model.classify(tile))[0]
        assert torch.allclose(row, expected, rtol=1e-10, atol=1e-12)


def test_what_a_network_proposes_counts_by_tile() -> None:
    model = make("vgg-a")

    class Proposes(Loaded):
        def likelihood(self, x: Tensor) -> Tensor:
            return x[:, :1]

        def judge(self, likelihood: Tensor | None, log_odds: Tensor) -> Tensor:
            assert likelihood is not None
            return likelihood.amax(dim=(2, 3))

    x = window_of(64, 96)
    found = Windows(Proposes(model), engine_of(model))(x, [(0, 0), (32, 48)])
    assert found[:, 0].tolist() == [
        float(x[0, 0, :32, :32].max()),
        float(x[0, 0, 32:, 48:80].max()),
    ]


def test_only_the_lean_engine_looks_at_windows() -> None:
    model = make("vgg-a")
    made = {
        engine: make_explainer(
            model, RULE_SETS["ours"], NORMALISATION, "log-odds", "average", engine
        )
        for engine in ("lean", "zennit")
    }
    assert windows_of(Loaded(model), made["zennit"]) is None
    look = windows_of(Loaded(model), made["lean"])
    assert look is not None
    assert look.stride == 16
