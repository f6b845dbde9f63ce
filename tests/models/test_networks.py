"""Entries of the registry answer for themselves: files, what decides, what is found."""

import json
from pathlib import Path

import pytest
import torch

from lrpseg.core.errors import CheckpointError, OptionError
from lrpseg.domains import Domain, load_domain
from lrpseg.domains.weights import load_classifier, load_decider
from lrpseg.lrp import RULE_SETS, explainer_of
from lrpseg.models import NETWORKS, Decider
from lrpseg.models.checkpoints import load_network, save_checkpoint
from tests.conftest import DOMAIN

KINDS = ("crack", "hole")
OURS = RULE_SETS["ours"]


@pytest.fixture(scope="module")
def two_kinds(tmp_path_factory: pytest.TempPathFactory) -> Domain:
    """A domain of two classes with a residual network and a self-trained one on its features."""
    folder = tmp_path_factory.mktemp("kinds")
    torch.manual_seed(0)
    classifier = NETWORKS["resnet-18"].build(KINDS)
    save_checkpoint(classifier, folder / "resnet-18.safetensors", "resnet-18")
    # From the file: half precision is what it stands on.
    held = load_network(folder / "resnet-18.safetensors", "resnet-18", KINDS)
    decider = Decider.untrained(held)  # type: ignore[arg-type]
    decider.own.slope.fill_(1)
    save_checkpoint(decider.own, folder / "self-trained.safetensors", "self-trained")
    names = ("resnet-18", "self-trained")
    entry = DOMAIN | {"intact": "intact", "classes": list(KINDS)}
    entry["checkpoints"] = {name: f"{name}.safetensors" for name in names}
    (folder / "domain.json").write_text(json.dumps(entry))
    return load_domain(folder)


def test_a_classifier_answers_for_itself(two_kinds: Domain) -> None:
    entry = NETWORKS["resnet-18"]
    assert entry.evidence == "relevance"
    assert entry.explains(two_kinds) == "resnet-18"
    assert [p.name for p in entry.weights(two_kinds)] == ["resnet-18.safetensors"]
    network = entry.load(two_kinds)
    assert network.classes == KINDS
    assert network.side is None
    assert network.tile == 224
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        likelihood, odds = network.decide(x)
    assert likelihood is None
    explain = explainer_of(network, OURS, two_kinds.normalisation, "log-odds", "average")
    found = explain(x, lambda z: z > -1e9)
    assert torch.allclose(found.log_odds, odds, atol=1e-4)
    assert found.relevance.shape == (4, 64, 64)
    assert found.likelihood is None


def test_a_network_that_proposes_masks_answers_with_its_classifier(two_kinds: Domain) -> None:
    entry = NETWORKS["self-trained"]
    assert entry.evidence == "likelihood"
    assert entry.explains(two_kinds) == "resnet-18"
    names = [p.name for p in entry.weights(two_kinds)]
    assert names == ["self-trained.safetensors", "resnet-18.safetensors"]
    network = entry.load(two_kinds)
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        likelihood, odds = network.decide(x)
    assert likelihood is not None
    explain = explainer_of(network, OURS, two_kinds.normalisation, "log-odds", "average")
    found = explain(x, lambda z: torch.tensor([[False, True], [True, False]]))
    assert torch.allclose(found.log_odds, odds, atol=1e-3)
    assert found.likelihood is not None
    assert torch.allclose(found.likelihood[0], likelihood[0, 1], atol=1e-4)
    assert torch.allclose(found.likelihood[1], likelihood[1, 0], atol=1e-4)
    # What is shown beside it is the classifier's relevance.
    classifier = NETWORKS["resnet-18"].load(two_kinds)
    explain = explainer_of(classifier, OURS, two_kinds.normalisation, "log-odds", "average")
    reason = explain(x, lambda z: torch.tensor([[False, True], [True, False]]))
    assert torch.allclose(found.relevance, reason.relevance, atol=1e-4)


def test_former_names_load_the_same(two_kinds: Domain) -> None:
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        _, odds = NETWORKS["self-trained"].load(two_kinds).decide(x)
        assert torch.equal(load_decider(two_kinds, "self-trained").decide(x)[1], odds)
    with pytest.raises(OptionError, match="no classifier"):
        load_classifier(two_kinds, "self-trained")
    with pytest.raises(OptionError, match="no likelihood"):
        load_decider(two_kinds, "resnet-18")


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (("damaged",), "crack, hole"),
        (("hole", "crack"), "crack, hole"),
        (("a", "b", "c"), "a, b, c"),
    ],
)
def test_a_file_of_other_classes_is_told(
    two_kinds: Domain, classes: tuple[str, ...], said: str
) -> None:
    path = two_kinds.checkpoint("resnet-18")
    with pytest.raises(CheckpointError, match=f"{said}.*domain.json"):
        load_network(path, "resnet-18", classes)


def test_a_file_of_one_class_is_not_taken_for_two(toy_assets: Path) -> None:
    path = toy_assets / "toy" / "one-fc.safetensors"
    with pytest.raises(CheckpointError, match=r"for one class, not for crack, hole"):
        load_network(path, "one-fc", KINDS)
    assert load_network(path, "one-fc", ("whatever it is called",)) is not None


@pytest.mark.parametrize("domain", ["magnetic-tile", "concrete-crack"])
def test_shipped_networks_load_with_what_they_stand_on(domain: str) -> None:
    held = load_domain(domain)
    for name in held.checkpoints:
        network = NETWORKS[name].load(held)
        assert network.classes == held.classes.names
        assert not network.classifier.training
        assert all(path.is_file() for path in NETWORKS[name].weights(held))
