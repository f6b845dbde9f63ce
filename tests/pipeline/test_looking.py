"""A first look at tiles in 8 bits: what it spares, what it leaves to the tiles, and in which order.

The features are the network's own here, in float32: what bytes make of them is in
tests/lrp/test_quantized.py.
"""

import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import lrpseg
from lrpseg.core.errors import RelevanceError
from lrpseg.lrp.quantized import CannotQuantizeError
from lrpseg.models.checkpoints import checkpoint_hash
from lrpseg.pipeline import looking
from lrpseg.pipeline.looking import SURE, InWindows, Quick
from lrpseg.pipeline.segmenter import HELD, Segmenter
from tests.conftest import add_self_trained

pytestmark = pytest.mark.usefixtures("narrow")


class Exact:
    """Stands for features in 8 bits."""

    def __init__(self, model: Any, norm: object, highest: Mapping[str, float], every: bool) -> None:
        if "nothing" in highest:
            raise CannotQuantizeError("the highest output of features.0")
        self._model = model

    def __call__(self, x: Tensor) -> list[Tensor]:
        return self._model.scales(x)


@pytest.fixture
def assets(narrow_assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The domain `toy` with ranges, on a machine with bytes."""
    monkeypatch.setattr(looking, "pays", lambda device: True)
    monkeypatch.setattr(looking, "Quantized", Exact)
    shutil.copytree(narrow_assets / "toy", tmp_path / "assets" / "toy")
    ranges(tmp_path / "assets")
    return tmp_path / "assets"


def ranges(assets: Path, highest: Mapping[str, float] | None = None, weights: str = "") -> None:
    path = assets / "toy" / "domain.json"
    held = checkpoint_hash(assets / "toy" / "one-fc.safetensors")
    entry = {"highest": highest or {"features.0": 1.0}, "weights": weights or held}
    domain = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(domain | {"ranges": {"one-fc": entry}}))


class Told:
    """A look that says given log-odds of tiles, one after the other and then from the start."""

    def __init__(self, inner: Quick, log_odds: list[float]) -> None:
        self._inner, self._log_odds, self.seen = inner, log_odds, 0

    def tiles(self, pixels: Tensor) -> Tensor:
        first, self.seen = self.seen, self.seen + len(pixels)
        said = [self._log_odds[i % len(self._log_odds)] for i in range(first, self.seen)]
        return torch.tensor(said)[:, None]

    over = Quick.over


def telling(assets: Path, log_odds: list[float], **choices: Any) -> tuple[Segmenter, Told]:
    made = lrpseg.load("toy", assets=assets, thresholder="simple", device="cpu", **choices)
    assert isinstance(made.look, Quick)
    told = Told(made.look, log_odds)
    return replace(made, look=told), told  # type: ignore[arg-type]


def alone(assets: Path, **choices: Any) -> Segmenter:
    return lrpseg.load(
        "toy", assets=assets, thresholder="simple", tiling="tiles", device="cpu", **choices
    )


def test_a_tile_looks_the_same_as_it_is(assets: Path, large: np.ndarray) -> None:
    segmenter = lrpseg.load("toy", assets=assets, device="cpu")
    assert isinstance(segmenter.look, Quick)
    pixels = torch.from_numpy(large[None, :224, :224].copy())
    (odds,) = segmenter.look.tiles(pixels)[:, 0].tolist()
    result = alone(assets)(large[:224, :224])
    assert 1 / (1 + np.exp(-odds)) == pytest.approx(result.probability, abs=1e-6)


def test_tiles_in_doubt_give_what_they_give_alone(assets: Path, large: np.ndarray) -> None:
    segmenter, look = telling(assets, [0.1 - SURE])
    seen, expected = segmenter(large), alone(assets)(large)
    assert look.seen == 8
    assert np.array_equal(seen.relevance, expected.relevance)
    assert seen.probability == expected.probability


def test_surely_intact_tiles_are_done(assets: Path, large: np.ndarray) -> None:
    segmenter, _ = telling(assets, [-0.1 - SURE])
    segmenter = replace(segmenter, explainer=None)  # type: ignore[arg-type]
    told: list[tuple[int, int]] = []
    result = segmenter(large, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (8, 8)
    assert not result.damaged
    assert not result.relevance.any()
    assert result.probability == pytest.approx(1 / (1 + np.exp(0.1 + SURE)))


def test_what_is_asked_for_anyway_is_explained(assets: Path, large: np.ndarray) -> None:
    segmenter, _ = telling(assets, [-9.0])
    result = segmenter(large, explain_intact=True)
    assert not result.damaged
    assert result.explained
    expected = alone(assets)(large, explain_intact=True)
    assert np.array_equal(result.relevance, expected.relevance)


@pytest.mark.parametrize("ranked", [True, False])
def test_of_a_large_picture_the_most_suspicious_tiles_run_first(
    assets: Path, large: np.ndarray, ranked: bool
) -> None:
    odds = [-9.0, 1.0, -1.0, 3.0, -9.0, 2.0, 0.0, 1.0]
    segmenter, _ = telling(assets, odds, batch=1)
    segmenter = replace(segmenter, large=1 if ranked else 10**9)
    ran: list[bytes] = []

    def explainer(x: Tensor, select: Any) -> Any:
        ran.append(x.numpy().tobytes())
        return telling(assets, [0])[0].explainer(x, select)

    steps = replace(segmenter, explainer=explainer).steps(large)
    shown = [step.sketch((33, 54)) for step in steps if step.sketch is not None]
    grid = [tile.of(large) for tile in lrpseg.tiling.TileGrid(331, 545)]
    norm = segmenter.domain.normalisation
    names = [norm(torch.from_numpy(t[None].copy())).numpy().tobytes() for t in grid]
    order = [names.index(tile) for tile in ran]
    assert order == ([3, 5, 1, 7, 6, 2] if ranked else [1, 2, 3, 5, 6, 7])
    assert all(sketch.any() for sketch in shown[1:])  # what is suspected, then what was found
    assert not shown[0].any()


def test_a_stream_keeps_its_order_and_few_pictures(assets: Path, large: np.ndarray) -> None:
    # Every 20th tile is in doubt: a batch of eight of them would take 160 pictures.
    segmenter, _ = telling(assets, [-9.0] * 19 + [5.0])
    tile = large[:224, :224]
    taken = 0

    def images() -> Iterator[np.ndarray]:
        nonlocal taken
        for i in range(100):
            taken += 1
            yield tile if i % 7 else large[:, :230]

    shapes, ahead = [], 0
    for count, result in enumerate(segmenter.stream(images())):
        shapes.append(result.image.shape[:2])
        ahead = max(ahead, taken - count)
    assert shapes == [(224, 224) if i % 7 else (331, 230) for i in range(100)]
    assert ahead <= HELD + segmenter.batch + 1


def test_a_network_with_a_likelihood_of_its_own(assets: Path, large: np.ndarray) -> None:
    add_self_trained(assets / "toy")
    ranges(assets)
    choices = {"network": "self-trained"}
    segmenter = lrpseg.load("toy", assets=assets, thresholder="simple", device="cpu", **choices)
    assert isinstance(segmenter.look, Quick)
    tiles = torch.from_numpy(np.stack([large[:224, :224], large[-224:, -224:]]))
    result = alone(assets, **choices)(large[:224, :224])
    odds = float(segmenter.look.tiles(tiles)[0, 0])
    assert 1 / (1 + np.exp(-odds)) == pytest.approx(result.probability, abs=1e-6)


@pytest.mark.parametrize(
    ("highest", "weights"), [({"nothing": 1.0}, ""), ({"features.0": 1.0}, "of another file")]
)
def test_ranges_that_do_not_fit_are_left_and_told(
    assets: Path, highest: dict[str, float], weights: str, caplog: pytest.LogCaptureFixture
) -> None:
    ranges(assets, highest, weights)
    with caplog.at_level(logging.WARNING):
        made = lrpseg.load("toy", assets=assets, device="cpu")
    assert isinstance(made.look, InWindows)
    assert "no first look in 8 bits" in caplog.text


def test_without_bytes_windows_are_looked_at(assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "pays", lambda device: False)
    assert isinstance(lrpseg.load("toy", assets=assets, device="cpu").look, InWindows)
    assert lrpseg.load("toy", assets=assets, device="cpu", engine="zennit").look is None


def test_nan_is_no_intact_picture(assets: Path, large: np.ndarray) -> None:
    segmenter, _ = telling(assets, [float("nan")])
    with pytest.raises(RelevanceError, match="NaN"):
        segmenter(large)


@pytest.mark.parametrize("value", [0, -1, float("inf")])
def test_a_domain_with_impossible_ranges_is_refused(assets: Path, value: float) -> None:
    ranges(assets, {"features.0": value})
    with pytest.raises(lrpseg.errors.OptionError, match="ranges"):
        lrpseg.load("toy", assets=assets)
