"""Choices that the paper leaves open: where relevance starts, and how it passes a max-pool."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lrpseg.core.registry import Registry

DEFAULT_START = "log-odds"
DEFAULT_POOLING = "average"


@dataclass(frozen=True)
class Start:
    """What the relevance of the output is.

    `fold(parameter, K)` turns weight (M, N) or bias (M,) of the last layer of a network for K
    classes into those of the neurons that relevance may start from; `neuron(classes, K)` gives the
    index of the neuron that it starts from for each class index, (N,) to (N,).
    """

    name: str
    title: str
    description: str
    fold: Callable[[Tensor, int], Tensor]
    neuron: Callable[[Tensor, int], Tensor]

    def relevance(self, values: Tensor, classes: Tensor, count: int) -> Tensor:
        """Starting relevance (N, M) of the neurons with `values` (N, M), for the classes (N,) of
        `count`."""
        neuron = self.neuron(classes, count)[:, None]
        # The value itself, not 1: with a negative logit, 1 would invert the whole map.
        return torch.zeros_like(values).scatter_(1, neuron, values.gather(1, neuron))


STARTS: Registry[Start] = Registry("start of relevance")
STARTS.add(
    "logit",
    Start(
        "logit",
        "Logit of damage",
        "Explains the network's output for damage alone.",
        fold=lambda parameter, count: parameter,
        # Of one class the first output is that for intact.
        neuron=lambda classes, count: classes + 1 if count == 1 else classes,
    ),
)
STARTS.add(
    "log-odds",
    Start(
        "log-odds",
        "Log-odds of damage",
        "Explains the difference between the outputs for damage and intact, so that what both "
        "share cancels.",
        # One neuron z1 - z0: it is positive exactly when damage is predicted. Of several classes
        # the outputs are log-odds already.
        fold=lambda p, count: p[1:] - p[:1] if count == 1 else p,
        neuron=lambda classes, count: classes,
    ),
)


@dataclass(frozen=True)
class Pooling:
    """How relevance passes a max-pool: whole to the maximum, or shared as by an average pool."""

    name: str
    title: str
    description: str
    average: bool


POOLINGS: Registry[Pooling] = Registry("pooling")
POOLINGS.add(
    "max",
    Pooling("max", "Winner takes all", "Each max-pool gives its relevance to its maximum.", False),
)
POOLINGS.add(
    "average",
    Pooling(
        "average",
        "Shared",
        "Each max-pool shares its relevance by activation, as an average pool would "
        "(Montavon et al. 2019).",
        True,
    ),
)
