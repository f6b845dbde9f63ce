"""What is compared by leaving regions out: each method gives a score and a map of each picture.

To add a method, add one entry to `METHODS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from lrpseg.core.registry import Registry
from lrpseg.witness.coreset import coreset
from lrpseg.witness.judges import LEAST_SPREAD, Judge, Logistic, Nearest
from lrpseg.witness.nearest import HIGHEST, highest
from lrpseg.witness.space import Space
from lrpseg.witness.tokens import PatchTokens
from training.data.datasets import DataError, Example
from training.left_out.tokens import Drawn, Tokens

BANK = 60
"""Patches of each intact picture from which the bank is chosen."""
KEPT = 12_000
"""Patches of the bank."""
SAMPLE = 90
"""Patches of each picture from which the space is found."""


@dataclass(frozen=True)
class Verdicts:
    """Of N pictures, each judged by what was trained on other regions.

    scores: (N,) float64, higher where more damage is seen; no scale in common. maps: of each
    picture (rows, columns) float32, higher where damage is; None where the method has none.
    """

    scores: NDArray[np.float64]
    maps: list[NDArray[np.float32]] | None = None


@dataclass(frozen=True)
class Material:
    """What methods learn from: tokens of the examples' pictures, and of drawn damage where some
    method needs it. own: the kinds of damage that the domain is about, None: all."""

    tokens: Tokens
    examples: Sequence[Example]
    drawn: Drawn | None = None
    own: frozenset[str] | None = None


@dataclass(frozen=True)
class Method:
    """fit: from material, the indices of the examples that may be known, and a seed, to a judge.
    title: in tables. draws: whether it needs drawn damage."""

    title: str
    fit: Callable[[Material, Sequence[int], int], Judge]
    draws: bool = False


METHODS: Registry[Method] = Registry("method")


def gather(
    names: Sequence[str], examples: Sequence[Example], own: frozenset[str], sees: PatchTokens,
    weights: str, cache: Path, drawing: str, seed: int = 0,
) -> Material:  # fmt: skip
    """The material of the methods called `names`; see `Tokens.of` and `Drawn.of`."""
    tokens = Tokens.of(examples, sees, weights, cache)
    draws = any(METHODS[name].draws for name in names)
    drawn = Drawn.of(examples, sees, weights, cache, drawing, seed) if draws else None
    return Material(tokens, examples, drawn, own)


def left_out(method: Method, material: Material, folds: Sequence[int], seed: int = 0) -> Verdicts:
    """Judge each example by the method, trained on the other folds."""
    tokens, examples = material.tokens, material.examples
    scores = np.zeros(len(examples))
    maps: list[NDArray[np.float32]] = [np.zeros((0, 0), np.float32)] * len(examples)
    for fold in sorted(set(folds)):
        known = [i for i, of in enumerate(folds) if of != fold]
        judge = method.fit(material, known, seed)
        for index in (i for i, of in enumerate(folds) if of == fold):
            values = judge(tokens[index])
            scores[index] = highest(values)
            maps[index] = values.reshape(tokens.shapes[index]).float().cpu().numpy()
    return Verdicts(scores, maps)


def _space(tokens: Tokens, known: Sequence[int], seed: int) -> Space:
    return Space.of(tokens.some(known, SAMPLE, seed), tokens.block)


def _nearest(material: Material, known: Sequence[int], seed: int) -> Judge:
    """The distance to the nearest intact patch: no picture of damage is known at all."""
    tokens = material.tokens
    intact = [i for i in known if not material.examples[i].damaged]
    space = _space(tokens, intact, seed)
    bank = space(tokens.some(intact, BANK, seed))
    return Nearest(space, bank[coreset(bank, KEPT)])


PICTURES = 16
"""Damaged, and as many intact, pictures of a step."""
PASSES, LEAST, RATE, DECAY = 60, 200, 3e-3, 1e-2
"""Times that each damaged picture is seen, and fewest steps; highest learning rate and weight decay
of AdamW."""
DRAWN_PICTURES, COVERED, HARDEST = 8, 0.15, 0.01
"""Pictures with drawn damage of a step; share of a patch from which on it is damaged; share of the
intact patches, those that look worst, that count half as much again."""


def _logistic(
    material: Material, known: Sequence[int], seed: int, own: bool = False, draws: bool = False
) -> Judge:
    """A logistic function of patches from labels of pictures: the mean of the highest patches says
    what a picture is (multiple instance learning, Dietterich et al. 1997, DOI
    10.1016/S0004-3702(96)00034-3).

    own: pictures of other kinds of damage are not known. draws: patches of drawn damage, which need
    no label of a person, are known each for itself.
    """
    examples = material.examples
    kinds = material.own if own and material.own is not None else {e.kind for e in examples}
    damaged = [i for i in known if examples[i].damaged and examples[i].kind in kinds]
    intact = [i for i in known if not examples[i].damaged]
    space = _space(material.tokens, intact, seed)
    random = np.random.default_rng(seed)
    layer = nn.Linear(space.components.shape[1], 1)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    steps = max(LEAST, PASSES * len(damaged) // PICTURES)
    optimizer: torch.optim.Optimizer = torch.optim.AdamW(
        layer.parameters(), lr=RATE, weight_decay=DECAY
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    labels = torch.cat([torch.ones(PICTURES), torch.zeros(PICTURES)])
    pairs = _drawn_patches(material, intact) if draws else []

    def seen(patches: Tensor) -> Tensor:
        return space(patches) / space.spread.clamp(min=LEAST_SPREAD)

    ready = {i: seen(material.tokens[i]).half() for i in [*damaged, *intact]}
    for step in range(steps):
        chosen = [*random.choice(damaged, PICTURES), *random.choice(intact, PICTURES)]
        parts = [ready[i].float() for i in chosen]
        values = layer(torch.cat(parts))[:, 0].split([len(part) for part in parts])
        # A layer that calls damage intact never looks there again: at first it looks at what is
        # least like the mean.
        by = [p.square().sum(dim=1) for p in parts] if step < steps // 10 else values
        odds = torch.stack([v[_top(of)].mean() for v, of in zip(values, by, strict=True)])
        loss = binary_cross_entropy_with_logits(odds, labels)
        if draws:
            some = [pairs[k] for k in random.choice(len(pairs), DRAWN_PICTURES)]
            bad, good = (torch.cat(part) for part in zip(*some, strict=True))
            loss = loss + _of_patches(
                layer(seen(bad.float()))[:, 0], layer(seen(good.float()))[:, 0]
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    layer.requires_grad_(False)
    return Logistic(space, layer.weight[0].clone(), layer.bias.clone())


def _drawn_patches(material: Material, intact: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
    """Of each picture with damage drawn in that may be known: tokens of patches of the damage, and
    of those that show none of it."""
    drawn = material.drawn
    if drawn is None:
        raise DataError("Tokens of drawn damage are needed.")
    may, pairs = set(intact), []
    for k, owner in enumerate(drawn.owner):
        if owner in may:
            rows = slice(drawn.tokens.first[k], drawn.tokens.first[k + 1])
            values, cover = drawn.tokens.values[rows], drawn.cover[rows]
            pairs.append((values[cover > COVERED], values[cover == 0]))
    return pairs


def _of_patches(bad: Tensor, good: Tensor) -> Tensor:
    """Loss of log-odds of damaged patches, and of intact ones."""
    hardest = good.topk(max(1, round(HARDEST * len(good)))).values
    wrong = softplus(good).mean() + 0.5 * softplus(hardest).mean()
    return wrong if not len(bad) else wrong + softplus(-bad).mean()


def _top(values: Tensor) -> Tensor:
    """Places of the highest few."""
    return values.topk(min(HIGHEST, len(values))).indices


METHODS.add("nearest", Method("nearest intact patch", _nearest))
METHODS.add("logistic", Method("logistic", _logistic))
METHODS.add(
    "logistic-own", Method("logistic, the domain's own kinds alone", partial(_logistic, own=True))
)
METHODS.add(
    "logistic-drawn",
    Method("logistic, with drawn damage", partial(_logistic, draws=True), draws=True),
)
