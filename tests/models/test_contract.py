"""What every classifier promises, and what is read from it: stages, starting weights, log-odds."""

import hashlib
from collections.abc import Callable

import pytest
import torch
from torch import nn

from lrpseg.core.errors import CheckpointError
from lrpseg.models import NETWORKS, Classifier, Decider, ResNet, Vgg, classifiers
from lrpseg.models.self_trained import fingerprint
from tests.lrp.networks import ONE, SMALL, TWO, make

small = pytest.mark.parametrize("network", SMALL)


def batch(model: Classifier, side: int | None = None) -> torch.Tensor:
    side = side or model.side or 64
    return torch.randn(2, 3, side, side, dtype=torch.float64)


@small
@pytest.mark.parametrize("classes", [ONE, TWO])
def test_scales_have_the_shapes_that_the_stages_say(network: str, classes: tuple[str, ...]) -> None:
    model = make(network, classes)
    coarsest = model.stages[-1].stride
    x = batch(model, 3 * coarsest)
    for stage, features in zip(model.stages, model.scales(x), strict=True):
        side = 3 * coarsest // stage.stride
        assert features.shape == (2, stage.channels, side, side)
    x = batch(model)
    outputs = model(x)
    assert outputs.shape == (2, 2)  # (intact, damaged), or a logit for each of the two
    assert torch.allclose(model.classify(model.scales(x)[-1]), outputs)
    assert model.log_odds(outputs).shape == (2, len(classes))
    expected = outputs[:, 1:] - outputs[:, :1] if classes == ONE else outputs
    assert torch.equal(model.log_odds(outputs), expected)


@small
def test_every_part_lies_in_a_stage_or_in_the_head(network: str) -> None:
    model = make(network)
    head = {id(m) for m in model.head.modules()}
    found = set()
    for name, module in model.named_modules():
        if any(True for _ in module.parameters(recurse=False)):
            assert (model.stage_of(name) is None) == (id(module) in head)
            found.add(model.stage_of(name))
    assert found == {None, 1, 2, 3, 4, 5}
    both = [*model.body_parameters(), *model.head_parameters()]
    assert [id(p) for p in both] == [id(p) for p in model.parameters()]
    assert model.output is [m for m in model.modules() if isinstance(m, nn.Linear)][-1]


@small
@pytest.mark.parametrize("classes", [ONE, TWO])
def test_calibration_moves_the_log_odds(network: str, classes: tuple[str, ...]) -> None:
    model = make(network, classes)
    x = batch(model)
    before = model.log_odds(model(x))
    model.calibrate(0.5, -3.0)
    assert torch.allclose(model.log_odds(model(x)), 0.5 * before - 3)
    if classes == TWO:
        model.calibrate([2.0, 4.0], [6.0, 13.0])
        expected = before * torch.tensor([1, 2]) + torch.tensor([0, 1])
        assert torch.allclose(model.log_odds(model(x)), expected)
    with pytest.raises(ValueError, match="one for each"):
        model.calibrate([1.0, 1.0, 1.0], 0.0)


@pytest.mark.parametrize(
    ("network", "theirs"),
    [("one-fc", "vgg11"), ("128n", "vgg11"), ("vgg-16", "vgg16"), ("resnet-18", "resnet18")],
)
def test_features_are_named_as_torchvision_names_them(network: str, theirs: str) -> None:
    with torch.device("meta"):
        model = NETWORKS[network].build()
        from torchvision.models import get_model

        given = get_model(theirs, weights=None).state_dict()
    own = {k: v.shape for k, v in model.state_dict().items() if model.stage_of(k) is not None}
    assert own == {k: v.shape for k, v in given.items() if k in own}
    assert {k for k in given if k not in own} == {
        k for k in given if k.startswith(("classifier.", "fc."))
    }
    assert NETWORKS[network].pretrained is not None


def test_torchvisions_weights_give_torchvisions_features() -> None:
    torch.manual_seed(0)
    from torchvision.models import get_model

    theirs = get_model("resnet18", weights=None).eval()
    model = ResNet().eval()
    before = model.fc.weight.clone()
    model.start_from(theirs.state_dict())  # with a head of a thousand classes
    x = torch.randn(1, 3, 64, 64)
    features = model.scales(x)[-1]
    assert torch.allclose(theirs.fc(theirs.avgpool(features).flatten(1)), theirs(x), atol=1e-5)
    assert torch.equal(model.fc.weight, before)


@small
def test_a_network_starts_from_its_own_weights_or_from_features(network: str) -> None:
    model, other = make(network, seed=1), make(network, seed=2)
    model.start_from(other.state_dict())
    assert all(torch.equal(v, other.state_dict()[k]) for k, v in model.state_dict().items())
    features = {k: v for k, v in other.state_dict().items() if other.stage_of(k) is not None}
    model = make(network, seed=1)
    head = model.output.weight.clone()
    model.start_from(features)
    assert torch.equal(model.output.weight, head)
    assert torch.equal(model.state_dict()[next(iter(features))], next(iter(features.values())))
    features.popitem()
    features.pop(next(iter(features)))
    with pytest.raises(CheckpointError, match="features"):
        make(network).start_from(features)


def test_the_fingerprint_is_that_of_the_files_that_ship() -> None:
    """SHA-256 of weight and bias of each convolution in half precision, as ever."""
    model = make("vgg-a")
    digest = hashlib.sha256()
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            for tensor in (layer.weight, layer.bias):
                digest.update(tensor.half().numpy().tobytes())
    assert fingerprint(model).tolist() == list(digest.digest())


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.conv1.weight.add_(0.1),
        lambda m: m.bn1.running_var.mul_(1e6),
        lambda m: m.layer4[1].bn2.bias.add_(0.1),
    ],
)
def test_the_fingerprint_sees_all_features_and_no_head(
    change: Callable[[ResNet], object],
) -> None:
    model = make("resnet-18")
    before = fingerprint(model)
    model.output.weight.add_(1)
    assert torch.equal(fingerprint(model), before)
    change(model)  # type: ignore[arg-type]
    assert not torch.equal(fingerprint(model), before)


@small
@pytest.mark.parametrize("classes", [ONE, TWO])
def test_a_self_trained_network_stands_on_any_classifier(
    network: str, classes: tuple[str, ...]
) -> None:
    classifier = make(network, classes).float()
    decider = Decider.untrained(classifier).eval()
    x = batch(classifier).float()
    pixels = decider.pixels(x)
    assert pixels.shape == (2, 2, *x.shape[2:])
    likelihood, odds = decider.decide(x)
    assert likelihood.shape == (2, len(classes), *x.shape[2:])
    expected = torch.softmax(pixels, 1)[:, 1:] if classes == ONE else torch.sigmoid(pixels)
    assert torch.allclose(likelihood, expected)
    # Untrained it leaves the decision to the classifier.
    assert torch.allclose(odds, classifier.log_odds(classifier(x)), atol=1e-5)
    assert torch.allclose(decider.log_odds(decider(x)), odds)
    assert decider.own.belongs_to(classifier)
    with pytest.raises(ValueError, match="another classifier"):
        Decider(decider.own, make(network, classes, seed=9).float())


def test_evidence_is_of_the_likeliest_window_of_each_class() -> None:
    own = Decider.untrained(make("vgg-a", TWO).float()).own
    likelihood = torch.zeros(1, 2, 20, 20)
    likelihood[0, 1, 5:10, 5:10] = 0.75
    found = own.evidence(likelihood)
    assert found.shape == (1, 2)
    assert found[0, 1] == pytest.approx(1.0986, abs=1e-3)  # log(0.75 / 0.25)
    assert found[0, 0] < -10
    own.slope.copy_(torch.tensor([0.0, 2.0]))
    own.trust.copy_(torch.tensor([3.0, 0.0]))
    own.offset.copy_(torch.tensor([1.0, -1.0]))
    odds = own.log_odds(likelihood, torch.tensor([[5.0, 7.0]]))
    assert odds[0].tolist() == pytest.approx([16.0, 2 * 1.0986 - 1], abs=1e-3)


def test_a_classifier_is_one_declaration() -> None:
    assert classifiers(NETWORKS) == ["one-fc", "128n", "vgg-16", "resnet-18"]
    assert isinstance(NETWORKS["vgg-16"].build(TWO), Vgg)
    assert NETWORKS["resnet-18"].build(TWO).classes == TWO
