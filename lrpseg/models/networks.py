"""The networks: the paper's classifiers (section 3.2.1), VGG-A with two kinds of fully connected
head, and a U-Net that trains itself on what they find.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import nn

from lrpseg.core.registry import Registry
from lrpseg.models.self_trained import SelfTrained
from lrpseg.models.vgg import POOLED, VggA

INPUT_SIZE = 224
"""Side of the square input in pixels."""


@dataclass(frozen=True)
class Network:
    """One entry of the network registry: what it is called and how an untrained one is made.

    segments: it gives a likelihood for each pixel by itself; LRP then explains a classifier of the
    same domain beside it.
    """

    name: str
    title: str
    description: str
    build: Callable[[], nn.Module]
    segments: bool = False


def _head_128n() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(POOLED, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 2),
    )


NETWORKS: Registry[Network] = Registry("network")

for _network in (
    Network(
        "one-fc",
        "VGG-A one FC",
        "Last max-pool connected directly to the two outputs.",
        lambda: VggA(nn.Sequential(nn.Linear(POOLED, 2))),
    ),
    Network(
        "128n",
        "VGG-A 128N",
        "Two fully connected layers of 128 neurons before the two outputs.",
        lambda: VggA(_head_128n()),
    ),
    Network(
        "self-trained",
        "Self-trained U-Net",
        "A U-Net on the classifier's convolutions. It learned from drawn damage and from LRP's "
        "masks, without pixel labels.",
        SelfTrained,
        segments=True,
    ),
):
    NETWORKS.add(_network.name, _network)


def classifiers(names: Iterable[str]) -> list[str]:
    """Those of `names` that are classifiers, which LRP explains."""
    return [name for name in names if not NETWORKS[name].segments]
