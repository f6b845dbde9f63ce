"""One interface over both engines: logits of a batch, and relevance of the wanted rows."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from lrpseg.core.registry import Registry
from lrpseg.lrp.engine import LeanEngine
from lrpseg.lrp.rules import RuleSet
from lrpseg.lrp.zennit import ZennitEngine
from lrpseg.models.inputs import Normalisation
from lrpseg.models.self_trained import Decider
from lrpseg.models.vgg import VggA

Select = Callable[[Tensor], Tensor]
"""From logits (B, 2) to a bool (B,): the rows whose relevance is wanted."""


class Explainer(Protocol):
    """Classifies a batch and explains some of it; safe to call from many threads."""

    def __call__(self, x: Tensor, select: Select) -> tuple[Tensor, ...]:
        """(B, 3, 224, 224) to logits (B, 2), selected rows (K,), relevance (K, 224, 224); and where
        the network gives one by itself a fourth: its likelihood (K, 224, 224), 0 to 1."""
        ...


def _lean(
    model: VggA, rule_set: RuleSet, normalisation: Normalisation, start: str, pooling: str
) -> Explainer:
    engine = LeanEngine(model, rule_set, normalisation, start, pooling)

    @torch.inference_mode()
    def explain(x: Tensor, select: Select) -> tuple[Tensor, Tensor, Tensor]:
        activations = engine.forward(x)
        rows = select(activations.logits).nonzero().flatten()
        if not len(rows):
            return activations.logits, rows, x.new_zeros(0, *x.shape[2:])
        return activations.logits, rows, engine.relevance(activations.rows(rows))

    return explain


def _zennit(
    model: VggA, rule_set: RuleSet, normalisation: Normalisation, start: str, pooling: str
) -> Explainer:
    engine = ZennitEngine(model, rule_set, normalisation, start, pooling)

    def explain(x: Tensor, select: Select) -> tuple[Tensor, Tensor, Tensor]:
        logits = engine.logits(x)
        rows = select(logits).nonzero().flatten()
        if not len(rows):
            return logits, rows, x.new_zeros(0, *x.shape[2:])
        return logits, rows, engine.relevance(x[rows])

    return explain


Engine = Callable[[VggA, RuleSet, Normalisation, str, str], Explainer]
ENGINES: Registry[Engine] = Registry("engine")
ENGINES.add("lean", _lean)
ENGINES.add("zennit", _zennit)


def make_explainer(
    model: VggA,
    rule_set: RuleSet,
    normalisation: Normalisation,
    start: str,
    pooling: str,
    engine: str = "lean",
) -> Explainer:
    """An explainer for `model`; names as in `STARTS`, `POOLINGS`, `ENGINES`."""
    return ENGINES[engine](model, rule_set, normalisation, start, pooling)


def self_explainer(decider: Decider, reason: Explainer) -> Explainer:
    """An explainer for a network that segments: the likelihood is its own.

    `reason` explains the classifier in `decider`; its relevance is what is shown beside the
    likelihood.
    """

    @torch.inference_mode()
    def explain(x: Tensor, select: Select) -> tuple[Tensor, ...]:
        likelihood = decider.likelihood(x)
        logits: list[Tensor] = []

        def decide(classifier: Tensor) -> Tensor:
            logits.append(decider.own.logits(likelihood, classifier))
            return select(logits[0])

        _, rows, relevance = reason(x, decide)
        return logits[0], rows, relevance, likelihood[rows]

    return explain
