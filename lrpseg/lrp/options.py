"""Choices that the paper leaves open: where relevance starts, and how it passes a max-pool."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from lrpseg.core.registry import Registry

DEFAULT_START = "log-odds"
DEFAULT_POOLING = "average"


@dataclass(frozen=True)
class Start:
    """What the relevance of the output is.

    `fold` turns weight (2, N) and bias (2,) of the last layer into those of the neurons that the
    relevance starts from; `relevance` is their starting relevance from their values (B, K).
    """

    name: str
    title: str
    description: str
    fold: Callable[[Tensor], Tensor]
    relevance: Callable[[Tensor], Tensor]


def _only_damaged(values: Tensor) -> Tensor:
    start = values.clone()
    start[:, 0] = 0
    return start


STARTS: Registry[Start] = Registry("start of relevance")
STARTS.add(
    "logit",
    Start(
        "logit",
        "Logit of damage",
        "Explains the network's output for damage alone.",
        fold=lambda parameter: parameter,
        # The logit itself, not 1: with a negative logit, 1 would invert the whole map.
        relevance=_only_damaged,
    ),
)
STARTS.add(
    "log-odds",
    Start(
        "log-odds",
        "Log-odds of damage",
        "Explains the difference between the outputs for damage and intact, so that what both "
        "share cancels.",
        # One neuron z1 - z0: it is positive exactly when damage is predicted.
        fold=lambda parameter: parameter[1:] - parameter[:1],
        relevance=lambda values: values,
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
