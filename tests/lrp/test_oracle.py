"""The lean engine against Zennit in float64: every network, rule set, start, pooling.

Zennit is imported by the tests: with it comes torchvision, for which not every worker has to pay.
"""

from itertools import product

import pytest
import torch
from torch import Tensor, nn

from lrpseg.lrp import POOLINGS, RULE_SETS, STARTS, RuleSet
from lrpseg.lrp.engine import LeanEngine
from lrpseg.lrp.graph import of_modules, read_graph
from lrpseg.lrp.rules import AlphaBeta, Epsilon, Gamma, Rule, ZBox, Zero
from lrpseg.models import Classifier, ResNet, Vgg, resnet
from tests.lrp.networks import NORMALISATION, ONE, SMALL, TWO, make, pictures, unlike_new


def assert_equal(found: Tensor, expected: Tensor) -> None:
    """To 1e-9 of the largest relevance of each map."""
    largest = expected.abs().amax(dim=(1, 2))
    assert (largest > 0).all()
    assert ((found - expected).abs().amax(dim=(1, 2)) / largest).max() < 1e-9


def compare(model: Classifier, rule_set: RuleSet, start: str, pooling: str, batch: int = 2) -> None:
    from lrpseg.lrp.zennit import ZennitEngine

    x = pictures(model, batch, flat=pooling != "max")
    classes = torch.arange(batch) % len(model.classes)
    options = (model, rule_set, NORMALISATION, start, pooling)
    expected = ZennitEngine(*options).relevance(x, classes)
    lean = LeanEngine(*options)
    activations = lean.forward(x)
    assert torch.allclose(activations.logits, model(x), rtol=1e-11, atol=1e-11)
    assert_equal(lean.relevance(activations, classes), expected)
    if batch == 1:
        return
    # One by one: a sample must not see the others.
    alone = [lean.relevance(lean.forward(x[i : i + 1]), classes[i : i + 1]) for i in range(batch)]
    assert_equal(torch.cat(alone), expected)


@pytest.mark.parametrize("classes", [ONE, TWO], ids=["one class", "two classes"])
@pytest.mark.parametrize(("network", "rule_set"), list(product(SMALL, RULE_SETS)))
def test_engine_equals_zennit(network: str, rule_set: str, classes: tuple[str, ...]) -> None:
    model = make(network, classes)
    # Of several classes both starts are the same.
    some = product(STARTS, POOLINGS) if classes == ONE else zip(STARTS, POOLINGS, strict=True)
    for start, pooling in some:
        compare(model, RULE_SETS[rule_set], start, pooling, batch=4)


@pytest.mark.parametrize(("rule_set", "pooling"), [("ours", "average"), ("montavon", "max")])
def test_engine_equals_zennit_at_full_size(rule_set: str, pooling: str) -> None:
    torch.manual_seed(0)
    # Half as wide: a quarter of the cost.
    compare(unlike_new(Vgg(width=32)), RULE_SETS[rule_set], "log-odds", pooling, batch=1)


@pytest.mark.parametrize("rule", [Gamma(0.5), AlphaBeta(2, 1), Epsilon(0.1), Zero()])
@pytest.mark.parametrize("network", ["vgg-a 128n", "resnet-18"])
def test_any_rule_may_stand_anywhere(network: str, rule: Rule) -> None:
    rule_set = RuleSet("t", "t", "", ZBox(), rule, rule, rule, rule)
    compare(make(network, ONE), rule_set, "log-odds", "average")
    compare(make(network, TWO), rule_set, "logit", "max")


def test_a_network_made_for_zennit_gives_the_same_outputs() -> None:
    from lrpseg.lrp.zennit import merge_batch_norms

    for network in SMALL:
        model = make(network)
        x = pictures(model, 2)
        assert torch.allclose(
            merge_batch_norms(of_modules(model))(x), model(x), rtol=1e-11, atol=1e-11
        )


@pytest.mark.parametrize("rule_set", RULE_SETS)
def test_residual_networks_equal_zennit_with_its_own_canonizer(
    rule_set: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.models.resnet import BasicBlock
    from zennit.attribution import Gradient
    from zennit.composites import NameLayerMapComposite
    from zennit.layer import Sum
    from zennit.rules import Norm
    from zennit.torchvision import ResNetCanonizer

    from lrpseg.lrp.zennit import hooks_by_name

    monkeypatch.setattr(resnet, "BasicBlock", BasicBlock)  # by which Zennit knows one
    torch.manual_seed(0)
    model = unlike_new(ResNet(width=4))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-13  # Zennit leaves it in the batch norm that it merges
    x = pictures(model, 2)
    named = hooks_by_name(RULE_SETS[rule_set], model, read_graph(model), NORMALISATION)
    layers = [((Sum, nn.AdaptiveAvgPool2d), Norm(stabilizer=1e-6))]
    composite = NameLayerMapComposite(
        name_map=named, layer_map=layers, canonizers=[ResNetCanonizer()]
    )
    with Gradient(model, composite) as attributor:
        keep = torch.tensor([0.0, 1.0], dtype=torch.float64)
        _, expected = attributor(x.clone().requires_grad_(), lambda z: z * keep)
    lean = LeanEngine(model, RULE_SETS[rule_set], NORMALISATION, "logit", "max")
    found = lean.relevance(lean.forward(x), torch.zeros(2, dtype=torch.long))
    assert_equal(found, expected.detach().sum(dim=1))


@pytest.mark.parametrize("side", [64, 96])
def test_a_network_for_any_side_is_explained_at_any(side: int) -> None:
    from lrpseg.lrp.zennit import ZennitEngine

    model = make("resnet-18")
    x = pictures(model, 1).repeat(1, 1, 3, 3)[..., :side, :side]
    options = (model, RULE_SETS["ours"], NORMALISATION, "log-odds", "average")
    lean, first = LeanEngine(*options), torch.zeros(1, dtype=torch.long)
    expected = ZennitEngine(*options).relevance(x, first)
    assert_equal(lean.relevance(lean.forward(x), first), expected)
