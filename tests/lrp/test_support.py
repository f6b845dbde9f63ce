"""What the lean engine does not have is told, and runs through Zennit."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lrpseg
from lrpseg.core.errors import OptionError
from lrpseg.lrp import RULE_SETS, RuleSet, make_explainer
from lrpseg.lrp.engine import LeanEngine
from lrpseg.lrp.graph import of_modules
from lrpseg.lrp.rules import AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZBox, Zero
from lrpseg.lrp.support import lean_lacks
from lrpseg.models import Classifier, Stage
from tests.lrp.networks import NORMALISATION, SMALL, make, pictures, unlike_new

OURS = RULE_SETS["ours"]


def with_first(first: ZBox | WSquare | Flat) -> RuleSet:
    return RuleSet("x", "X", "", first, AlphaBeta(2, 1), Gamma(), Gamma(), Epsilon())


@pytest.mark.parametrize("network", SMALL)
def test_the_lean_engine_has_all_that_ships(network: str) -> None:
    assert [lean_lacks(make(network), rule_set) for rule_set in RULE_SETS.values()] == [None, None]


def test_a_network_is_traced_while_another_thread_runs_one() -> None:
    running, x = nn.Sequential(nn.Linear(3, 3), nn.ReLU()), torch.ones(1, 3)

    class Beside(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            with ThreadPoolExecutor(1) as other:
                found.append(other.submit(lambda: running(torch.ones(1, 3))).result())
            return F.relu(x)

    class Whole(nn.Module):  # what is torch's own is not gone into
        def __init__(self) -> None:
            super().__init__()
            self.beside, self.last = Beside(3, 3), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            reached: Tensor = self.last(self.beside(x))
            return reached

    found: list[Tensor] = []
    traced = of_modules(Whole())
    assert torch.equal(found[0], running(x))
    assert len(list(traced.graph.nodes)) == 4


@pytest.mark.parametrize("first", [WSquare(), Flat()])
def test_rules_outside_the_engine_run_through_zennit(
    first: WSquare | Flat, caplog: pytest.LogCaptureFixture
) -> None:
    model = make("vgg-a")
    x, options = pictures(model, 2), (model, with_first(first), NORMALISATION, "logit", "max")
    with pytest.raises(OptionError, match="zennit"):
        LeanEngine(*options)
    with caplog.at_level(logging.WARNING):
        found = make_explainer(*options)(x, lambda z: z > -1e9)
    assert [type(first).__name__ in r.getMessage() for r in caplog.records] == [True]
    expected = make_explainer(*options, engine="zennit")(x, lambda z: z > -1e9)
    assert found.rows.tolist() == [0, 1]
    assert found.relevance.abs().amax() > 0
    assert torch.allclose(found.relevance, expected.relevance, rtol=1e-9)


def test_a_rule_set_with_such_a_rule_gives_masks(
    toy_assets: Path, monkeypatch: pytest.MonkeyPatch, picture: np.ndarray
) -> None:
    held = dict(RULE_SETS)
    monkeypatch.setattr(RULE_SETS, "_things", {**held, "flat": with_first(Flat())})
    segmenter = lrpseg.load("toy", rule_set="flat", device="cpu", assets=toy_assets)
    result = segmenter(picture[:224, :224])
    assert np.isfinite(result.relevance).all()
    assert np.abs(result.relevance).max() > 0


class Drawn(Classifier):
    """A small network with `between` its two convolutions."""

    def __init__(self, between: nn.Module, second: nn.Module | None = None) -> None:
        super().__init__()
        self.side, self.classes, self.stages = 16, ("damaged",), (Stage(4, 1),)
        self.one = nn.Conv2d(3, 4, 3, padding=1)
        self.between = between
        self.two = second or nn.Conv2d(4, 4, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.fc = nn.Linear(16, 2)

    @property
    def head(self) -> nn.Module:
        return self.fc

    def stage_of(self, name: str) -> int | None:
        return None if name.startswith("fc") else 1

    def scales(self, x: Tensor) -> list[Tensor]:
        return [self.two(self.between(self.one(x))).relu()]

    def classify(self, last: Tensor) -> Tensor:
        return self.fc(self.pool(last).flatten(1))


@pytest.mark.parametrize(
    ("between", "second", "said"),
    [
        (nn.GELU(), None, "GELU"),
        (nn.Identity(), None, "below zero of two"),
        (nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1, groups=2), "groups"),
        (nn.ReLU(), nn.Conv2d(4, 4, 3, padding="same"), "padding"),
        (nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), "padding"),
        (nn.Sequential(nn.ReLU(), nn.MaxPool2d(2, dilation=2)), None, "dilation"),
        (nn.ReLU(), nn.ConvTranspose2d(4, 4, 3, padding=1), "ConvTranspose2d"),
    ],
)
def test_parts_outside_the_engine_are_named_and_run(
    between: nn.Module, second: nn.Module | None, said: str
) -> None:
    torch.manual_seed(0)
    model = unlike_new(Drawn(between, second))
    assert said in str(lean_lacks(model, OURS))
    x = pictures(model, 2)
    found = make_explainer(model, OURS, NORMALISATION, "log-odds", "max")(x, lambda z: z < 1e9)
    assert torch.allclose(found.log_odds, model.log_odds(model(x)))
    assert torch.isfinite(found.relevance).all()
    assert found.relevance.shape == x[:, 0].shape


class Functions(Drawn):
    """As `Drawn`, but written with functions, with a sum, pools and batch norm."""

    def __init__(self) -> None:
        super().__init__(nn.BatchNorm2d(4))
        self.fc = nn.Linear(4, 2)

    def scales(self, x: Tensor) -> list[Tensor]:
        x = nn.functional.relu(self.between(self.one(x)))
        x = nn.functional.max_pool2d(x, 2, stride=2)
        return [torch.relu(torch.add(x, self.two(x)))]

    def classify(self, last: Tensor) -> Tensor:
        last = nn.functional.dropout(last, 0.5, self.training)
        return self.fc(nn.functional.avg_pool2d(last, 2).mean((2, 3)))


def test_functions_are_as_good_as_modules() -> None:
    torch.manual_seed(0)
    model = unlike_new(Functions())
    assert lean_lacks(model, OURS) is None
    x, options = pictures(model, 3), (model, OURS, NORMALISATION, "log-odds", "average")
    lean, zennit = (make_explainer(*options, engine=e) for e in ("lean", "zennit"))
    found, expected = (explain(x, lambda z: z > -1e9).relevance for explain in (lean, zennit))
    assert (found - expected).abs().max() < 1e-9 * expected.abs().max()


class Branching(Drawn):
    """Cannot be traced: its way depends on a value."""

    def scales(self, x: Tensor) -> list[Tensor]:
        return [self.one(x) if x.mean() > 0 else self.two(self.one(x))]


def test_a_network_that_cannot_be_traced_is_told() -> None:
    with pytest.raises(OptionError, match=r"Branching.*forward"):
        make_explainer(Branching(nn.ReLU()), OURS, NORMALISATION, "logit", "max")


@pytest.mark.parametrize("change", [lambda r: ("late", ZBox()), lambda r: ("first", Zero())])
def test_rules_of_pixels_stand_at_the_pixels_alone(
    change: Callable[[RuleSet], tuple[str, object]],
) -> None:
    place, rule = change(OURS)
    given = {p: OURS.at(p) for p in ("first", "early", "middle", "late", "head")} | {place: rule}
    found = lean_lacks(make("vgg-a"), RuleSet("x", "X", "", **given))  # type: ignore[arg-type]
    assert place in str(found)
