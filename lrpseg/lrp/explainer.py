"""One interface over both engines: log-odds of a batch, and relevance of what is selected."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lrpseg.core.registry import Registry
from lrpseg.lrp.engine import LeanEngine
from lrpseg.lrp.rules import RuleSet
from lrpseg.lrp.support import LeanLacksError
from lrpseg.models.contract import Classifier, log_odds_of
from lrpseg.models.inputs import Normalisation
from lrpseg.models.loaded import Loaded

logger = logging.getLogger(__name__)

Select = Callable[[Tensor], Tensor]
"""From log-odds (B, K) to a bool (B, K): the pairs of picture and class that are explained."""


@dataclass(frozen=True)
class Explained:
    """What an explainer finds for B inputs and K classes; N pairs of them were selected.

    log_odds: (B, K) of the classes. rows, classes: (N,) indices of the pairs, by picture and then
    by class. relevance: (N, H, W). likelihood: (N, H, W), 0 to 1, of a network that proposes masks
    by itself, else None.
    """

    log_odds: Tensor
    rows: Tensor
    classes: Tensor
    relevance: Tensor
    likelihood: Tensor | None = None


class Explainer(Protocol):
    """Classifies a batch and explains some of it; safe to call from many threads."""

    def __call__(self, x: Tensor, select: Select) -> Explained:
        """(B, 3, H, W) normalised, of the network's side."""
        ...


def _lean(
    model: Classifier, rule_set: RuleSet, normalisation: Normalisation, start: str, pooling: str
) -> Explainer:
    try:
        engine = LeanEngine(model, rule_set, normalisation, start, pooling)
    except LeanLacksError as error:
        logger.warning(
            "The lean engine does not have %s: Zennit explains it, which takes longer.", error.what
        )
        return _zennit(model, rule_set, normalisation, start, pooling)
    return LeanExplainer(engine, len(model.classes))


@dataclass(frozen=True)
class LeanExplainer:
    """An `Explainer` by the lean engine, of a classifier with so many classes."""

    engine: LeanEngine
    classes: int

    @torch.inference_mode()
    def __call__(self, x: Tensor, select: Select) -> Explained:
        act = self.engine.forward(x)
        log_odds = log_odds_of(act.logits, self.classes)
        return _explained(
            x, log_odds, select, lambda rows, kinds: self.engine.relevance(act.rows(rows), kinds)
        )


def _zennit(
    model: Classifier, rule_set: RuleSet, normalisation: Normalisation, start: str, pooling: str
) -> Explainer:
    # Zennit imports all of torchvision, which takes seconds that hardly anybody needs.
    from lrpseg.lrp.zennit import ZennitEngine

    engine, count = ZennitEngine(model, rule_set, normalisation, start, pooling), len(model.classes)

    def explain(x: Tensor, select: Select) -> Explained:
        log_odds = log_odds_of(engine.logits(x), count)
        return _explained(x, log_odds, select, lambda rows, kinds: engine.relevance(x[rows], kinds))

    return explain


def _explained(
    x: Tensor, log_odds: Tensor, select: Select, relevance: Callable[[Tensor, Tensor], Tensor]
) -> Explained:
    """What is found for the selected pairs; `relevance` is asked for at most as many at once as `x`
    has rows, so that several classes take no more memory than one."""
    rows, kinds = select(log_odds).nonzero().unbind(1)
    parts = zip(rows.split(len(x)), kinds.split(len(x)), strict=True)
    maps = [relevance(*part) for part in parts if len(part[0])]
    found = torch.cat(maps) if maps else x.new_zeros(0, *x.shape[2:])
    return Explained(log_odds, rows, kinds, found)


ENGINES: Registry[Callable[[Classifier, RuleSet, Normalisation, str, str], Explainer]] = Registry(
    "engine"
)
ENGINES.add("lean", _lean)
ENGINES.add("zennit", _zennit)


def make_explainer(
    model: Classifier,
    rule_set: RuleSet,
    normalisation: Normalisation,
    start: str,
    pooling: str,
    engine: str = "lean",
) -> Explainer:
    """An explainer for `model`; names as in `STARTS`, `POOLINGS`, `ENGINES`.

    Where the lean engine lacks something (`lean_lacks`), Zennit takes its place, and a warning is
    logged that says what it was.
    """
    return ENGINES[engine](model, rule_set, normalisation, start, pooling)


def explainer_of(
    network: Loaded,
    rule_set: RuleSet,
    normalisation: Normalisation,
    start: str,
    pooling: str,
    engine: str = "lean",
) -> Explainer:
    """An explainer for a network as a domain has it, see `deciding`."""
    return deciding(
        network,
        make_explainer(network.classifier, rule_set, normalisation, start, pooling, engine),
    )


def deciding(network: Loaded, reason: Explainer) -> Explainer:
    """An explainer for a network as a domain has it: its classifier's relevance by `reason`, its
    own likelihood where it gives one, and the log-odds by which it decides."""

    @torch.inference_mode()
    def explain(x: Tensor, select: Select) -> Explained:
        likelihood = network.likelihood(x)
        decided: list[Tensor] = []

        def decide(log_odds: Tensor) -> Tensor:
            decided.append(network.judge(likelihood, log_odds))
            return select(decided[0])

        found = reason(x, decide)
        own = None if likelihood is None else likelihood[found.rows, found.classes]
        return Explained(decided[0], found.rows, found.classes, found.relevance, own)

    return explain
