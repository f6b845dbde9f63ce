"""The networks: the paper's classifiers (section 3.2.1), VGG-A with two kinds of fully connected
head, and a U-Net that trains itself on what they find.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lrpseg.registry import Registry
from lrpseg.unet import SelfTrained, UNet

INPUT_SIZE = 224
"""Side of the square input in pixels."""

# VGG-A, "M" is a 2x2 max-pool (Simonyan and Zisserman 2015, table 1, column A).
_VGG_A = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")
_POOLED = 512 * 7 * 7  # features of a 224x224 input after the fifth max-pool

FEATURE_NAMES: dict[str, str] = {
    "conv1_1": "features.0",
    "conv2_1": "features.3",
    "conv3_1": "features.6",
    "conv3_2": "features.8",
    "conv4_1": "features.11",
    "conv4_2": "features.13",
    "conv5_1": "features.16",
    "conv5_2": "features.18",
}
"""The paper's layer names and the module each is, in torchvision's layout of VGG-11."""


def _features() -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for step in _VGG_A:
        if isinstance(step, int):
            layers += [nn.Conv2d(channels, step, kernel_size=3, padding=1), nn.ReLU()]
            channels = step
        else:
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
    return nn.Sequential(*layers)


class VggA(nn.Module):
    """VGG-11 without batch normalisation and with the given fully connected head.

    Input: (B, 3, 224, 224) float, normalised. Output: (B, 2) logits of (intact, damaged).
    Module names follow torchvision's `vgg11`, so that its `features.*` weights load as they are.
    """

    def __init__(self, classifier: nn.Sequential) -> None:
        super().__init__()
        self.features = _features()
        self.classifier = classifier

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.features(x), 1))

    def conv_layers(self) -> list[tuple[str, nn.Conv2d]]:
        """(paper's name, module) of the convolutions, from the input on."""
        convolutions = (m for m in self.features if isinstance(m, nn.Conv2d))
        return list(zip(FEATURE_NAMES, convolutions, strict=True))

    def fc_layers(self) -> list[tuple[str, nn.Linear]]:
        """(module's name, module) of the fully connected layers, from the convolutions on."""
        return [
            (f"classifier.{i}", m)
            for i, m in enumerate(self.classifier)
            if isinstance(m, nn.Linear)
        ]


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
        nn.Linear(_POOLED, 128),
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
        lambda: VggA(nn.Sequential(nn.Linear(_POOLED, 2))),
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
        "A small U-Net that learned from drawn damage and from LRP's masks, without pixel labels.",
        lambda: SelfTrained(UNet(SelfTrained.WIDTH)),
        segments=True,
    ),
):
    NETWORKS.add(_network.name, _network)


def classifiers(names: Iterable[str]) -> list[str]:
    """Those of `names` that are classifiers, which LRP explains."""
    return [name for name in names if not NETWORKS[name].segments]
