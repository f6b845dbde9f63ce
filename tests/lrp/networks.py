"""Small networks of each kind, with random weights that let a wrong treatment show."""

from collections.abc import Callable

import torch
from torch import nn

from lrpseg.domains import Normalisation
from lrpseg.models import Classifier, ResNet, Vgg
from lrpseg.models.vgg import VGG_A, VGG_D

NORMALISATION = Normalisation()
ONE, TWO = ("damaged",), ("crack", "hole")

SMALL: dict[str, Callable[[tuple[str, ...]], Classifier]] = {
    "vgg-a": lambda classes: Vgg(VGG_A, (), classes, width=4, side=32),
    "vgg-a 128n": lambda classes: Vgg(VGG_A, (8, 8), classes, width=4, side=32),
    "vgg-16": lambda classes: Vgg(VGG_D, (), classes, width=4, side=32),
    "resnet-18": lambda classes: ResNet(classes=classes, width=4),
}
"""The registered networks, narrow and for small inputs."""


def make(network: str, classes: tuple[str, ...] = ONE, seed: int = 0) -> Classifier:
    torch.manual_seed(seed)
    return unlike_new(SMALL[network](classes))


def unlike_new(model: Classifier) -> Classifier:
    """`model` in float64, with biases and batch statistics that matter."""
    model = model.double().eval().requires_grad_(False)
    for module in model.modules():
        if getattr(module, "bias", None) is not None:
            module.bias.normal_(std=0.05)
        if isinstance(module, nn.BatchNorm2d):
            module.weight.uniform_(0.5, 1.5)
            module.running_mean.normal_(std=0.3)
            module.running_var.uniform_(0.5, 2)
    return model


def pictures(model: Classifier, batch: int, seed: int = 1, flat: bool = True) -> torch.Tensor:
    """(batch, 3, side, side) float64, with a flat part: equal activations, many zeros. Without
    `flat` it is dark instead: which of equal activations is the largest is up to rounding, which
    processors do differently."""
    torch.manual_seed(seed)
    side = model.side or 32
    images = torch.randint(0, 256, (batch, side, side, 3), dtype=torch.uint8)
    part = images[:, side // 6 : side // 2, side // 8 :]
    part[:] = 17 if flat else part // 8
    return NORMALISATION(images).double()
