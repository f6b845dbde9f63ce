"""The lean engine against Zennit, and what must hold for any relevance map."""

import threading
from itertools import product

import pytest
import torch

from lrpseg.core.errors import OptionError
from lrpseg.domains import Normalisation
from lrpseg.lrp import POOLINGS, RULE_SETS, STARTS, make_explainer
from lrpseg.lrp.engine import LeanEngine
from lrpseg.lrp.rules import AlphaBeta, Epsilon, Flat, Gamma, RuleSet, WSquare, ZBox, Zero
from lrpseg.lrp.zennit import ZennitEngine
from lrpseg.models.networks import NETWORKS, classifiers
from lrpseg.models.vgg import FEATURE_NAMES, VggA

NORMALISATION = Normalisation()


def make_model(network: str, seed: int = 0) -> VggA:
    torch.manual_seed(seed)
    model = NETWORKS[network].build().double().eval().requires_grad_(False)
    for module in model.modules():
        # Default biases are tiny: let them matter, so that a wrong treatment shows.
        if getattr(module, "bias", None) is not None:
            module.bias.normal_(std=0.05)
    return model


def make_input(batch: int, seed: int = 1) -> torch.Tensor:
    torch.manual_seed(seed)
    images = torch.randint(0, 256, (batch, 224, 224, 3), dtype=torch.uint8)
    images[:, 40:90, 30:200] = 17  # a flat part: equal activations, many zeros
    return NORMALISATION(images).double()


def largest_difference(network: str, rule_set: RuleSet, start: str, pooling: str, n: int) -> float:
    model, x = make_model(network), make_input(n)
    lean = LeanEngine(model, rule_set, NORMALISATION, start, pooling)
    expected = ZennitEngine(model, rule_set, NORMALISATION, start, pooling).relevance(x)
    activations = lean.forward(x)
    assert torch.allclose(activations.logits, model(x), rtol=1e-12, atol=1e-12)
    difference = (lean.relevance(activations) - expected).abs().amax(dim=(1, 2))
    return float((difference / expected.abs().amax(dim=(1, 2))).max())


@pytest.mark.parametrize(
    ("network", "rule_set", "pooling"), list(product(classifiers(NETWORKS), RULE_SETS, POOLINGS))
)
@pytest.mark.parametrize("batch", [1, 4])
def test_engine_equals_zennit(network: str, rule_set: str, pooling: str, batch: int) -> None:
    start = "logit" if batch == 1 else "log-odds"
    assert largest_difference(network, RULE_SETS[rule_set], start, pooling, batch) < 1e-9


@pytest.mark.parametrize(("start", "fc"), list(product(STARTS, [Gamma(0.5), AlphaBeta(2, 1)])))
def test_rules_with_sign_branches_on_the_output_layer_equal_zennit(start: str, fc: Gamma) -> None:
    rules = dict(RULE_SETS["ours"].convolutions) | {"conv5_1": Zero(), "conv5_2": Epsilon(0.1)}
    assert largest_difference("128n", RuleSet("t", "t", "", rules, fc), start, "max", 2) < 1e-9


def rule_set_with(first: ZBox | WSquare | Flat) -> RuleSet:
    return RuleSet("x", "x", "", dict(RULE_SETS["ours"].convolutions) | {"conv1_1": first}, Zero())


@pytest.mark.parametrize("first", [WSquare(), Flat()])
def test_rules_outside_the_engine_run_through_zennit(first: WSquare | Flat) -> None:
    model, x = make_model("one-fc"), make_input(2)
    options = (model, rule_set_with(first), NORMALISATION, "logit", "max")
    with pytest.raises(OptionError, match="zennit"):
        make_explainer(*options)
    _, rows, relevance = make_explainer(*options, engine="zennit")(x, lambda z: z[:, 1] > -1e9)
    assert rows.tolist() == [0, 1]
    assert relevance.shape == (2, 224, 224)
    assert relevance.abs().amax() > 0


@pytest.mark.parametrize("engine", ["lean", "zennit"])
def test_only_selected_rows_are_explained(engine: str) -> None:
    model, x = make_model("one-fc"), make_input(3)
    explain = make_explainer(model, RULE_SETS["ours"], NORMALISATION, "logit", "max", engine=engine)
    logits, rows, relevance = explain(x, lambda z: torch.tensor([False, True, False]))
    assert torch.allclose(logits, model(x))
    assert rows.tolist() == [1]
    _, _, alone = explain(x[1:2], lambda z: torch.tensor([True]))
    assert torch.allclose(relevance, alone, rtol=1e-9, atol=0)
    assert explain(x, lambda z: torch.zeros(3, dtype=torch.bool))[2].shape == (0, 224, 224)


@pytest.mark.parametrize("engine", ["lean", "zennit"])
def test_many_threads_on_one_model_get_the_map_of_a_single_one(engine: str) -> None:
    model = make_model("one-fc")
    before = {k: v.clone() for k, v in model.state_dict().items()}
    explain = make_explainer(
        model, RULE_SETS["montavon"], NORMALISATION, "log-odds", "max", engine=engine
    )
    inputs = [make_input(1, seed) for seed in range(4)]
    expected = [explain(x, lambda z: z[:, 0] > -1e9)[2] for x in inputs]
    found: dict[int, torch.Tensor] = {}

    def work(i: int) -> None:
        found[i] = explain(inputs[i % 4], lambda z: z[:, 0] > -1e9)[2]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(8):
        reference = expected[i % 4]
        assert (found[i] - reference).abs().max() <= 1e-9 * reference.abs().max()
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_log_odds_start_is_the_logit_difference() -> None:
    model, x = make_model("one-fc"), make_input(2)
    for parameter in model.parameters():
        if parameter.ndim == 1:
            parameter.zero_()  # biases absorb relevance: without them it is conserved
    rule_set = RuleSet(
        "c", "c", "", {k: Zero() for k in FEATURE_NAMES} | {"conv1_1": ZBox()}, Zero()
    )
    engine = LeanEngine(model, rule_set, NORMALISATION, "log-odds", "max")
    logits = model(x)
    total = engine.relevance(engine.forward(x)).sum(dim=(1, 2))
    assert torch.allclose(total, logits[:, 1] - logits[:, 0], rtol=1e-3)


def test_a_rule_set_names_every_layer() -> None:
    with pytest.raises(ValueError, match="conv1_1"):
        RuleSet("x", "x", "", {"conv1_1": ZBox()}, Zero())
