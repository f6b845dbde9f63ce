"""Which rule each layer gets: by its place, on networks whose layers are known by name."""

import pytest
import torch
from torch import nn

from lrpseg.lrp import RULE_SETS
from lrpseg.lrp.graph import read_graph
from lrpseg.lrp.places import PLACES, places
from lrpseg.lrp.rules import AlphaBeta, Epsilon, Gamma, Rule, ZBox, Zero
from lrpseg.models import Classifier
from tests.lrp.networks import SMALL, make


def places_by_name(model: Classifier) -> dict[str, str]:
    graph = read_graph(model)
    return {graph.nodes[i].name: place for i, place in places(model, graph).items()}


VGG_A_NAMES = {
    "features.0": "conv1_1",
    "features.3": "conv2_1",
    "features.6": "conv3_1",
    "features.8": "conv3_2",
    "features.11": "conv4_1",
    "features.13": "conv4_2",
    "features.16": "conv5_1",
    "features.18": "conv5_2",
    "classifier.0": "fully connected",
    "classifier.3": "fully connected",
    "classifier.6": "fully connected",
}
EARLY, MIDDLE = ("conv2_1", "conv3_1"), ("conv3_2",)
LATE = ("conv4_1", "conv4_2", "conv5_1", "conv5_2")
TABLE_1: dict[str, dict[str, Rule]] = {
    "ours": {
        "conv1_1": ZBox(),
        **dict.fromkeys(EARLY, AlphaBeta(2, 1)),
        **dict.fromkeys(MIDDLE + LATE, Gamma(0.25)),
        "fully connected": Epsilon(0.25),
    },
    "montavon": {
        "conv1_1": ZBox(),
        **dict.fromkeys(EARLY + MIDDLE, Gamma(0.25)),
        **dict.fromkeys(LATE, Epsilon(0.25)),
        "fully connected": Zero(),
    },
}


@pytest.mark.parametrize("rule_set", RULE_SETS)
def test_vgg_a_has_the_rules_of_table_1(rule_set: str) -> None:
    found = {
        VGG_A_NAMES[name]: RULE_SETS[rule_set].at(place)
        for name, place in places_by_name(make("vgg-a 128n")).items()
    }
    assert found == TABLE_1[rule_set]


def test_vgg_16_has_the_rules_of_the_tutorial() -> None:
    """Montavon et al. (2019) give torchvision's layers up to 16 gamma, up to 30 epsilon."""
    for name, place in places_by_name(make("vgg-16")).items():
        part, number = name.split(".")
        rule = RULE_SETS["montavon"].at(place)
        if part == "classifier":
            assert rule == Zero()
        elif number == "0":
            assert rule == ZBox()
        else:
            assert rule == (Gamma(0.25) if int(number) <= 16 else Epsilon(0.25))


def test_places_of_a_residual_network() -> None:
    found = places_by_name(make("resnet-18"))
    assert found["conv1"] == "first"
    assert found["layer1.0.conv1"] == found["layer1.1.conv2"] == "early"
    # What reads the second stage, and what lies behind that.
    assert found["layer2.0.conv1"] == found["layer2.0.downsample.0"] == "early"
    assert found["layer2.0.conv2"] == found["layer2.1.conv1"] == "middle"
    assert {p for n, p in found.items() if n.startswith(("layer3", "layer4"))} == {"late"}
    assert found["fc"] == "head"


@pytest.mark.parametrize("network", SMALL)
def test_every_layer_has_one_place(network: str) -> None:
    model = make(network)
    found = places_by_name(model)
    layers = {n for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    assert found.keys() == layers
    assert set(found.values()) == set(PLACES)


def test_the_graph_is_a_copy() -> None:
    model = make("resnet-18")
    before = {k: v.clone() for k, v in model.state_dict().items()}
    for node in read_graph(model).nodes:
        for parameter in node.module.parameters():
            parameter.add_(1)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
