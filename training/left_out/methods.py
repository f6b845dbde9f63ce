"""What is compared by leaving regions out: each method gives a score and a map of each picture.

To add a method, add one function to `METHODS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lrpseg.core.registry import Registry
from lrpseg.witness.coreset import coreset
from lrpseg.witness.judges import LEAST_SPREAD, Judge, Logistic, Nearest
from lrpseg.witness.nearest import HIGHEST, highest
from lrpseg.witness.space import Space
from training.data.datasets import Example
from training.left_out.tokens import Tokens

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


Method = Callable[[Tokens, Sequence[Example], Sequence[int], int], Judge]
"""From tokens, examples, the indices of those that may be known, and a seed, to a judge."""

METHODS: Registry[Method] = Registry("method")


def left_out(
    method: Method, tokens: Tokens, examples: Sequence[Example], folds: Sequence[int], seed: int = 0
) -> Verdicts:
    """Judge each example by the method, trained on the other folds."""
    scores = np.zeros(len(examples))
    maps: list[NDArray[np.float32]] = [np.zeros((0, 0), np.float32)] * len(examples)
    for fold in sorted(set(folds)):
        known = [i for i, of in enumerate(folds) if of != fold]
        judge = method(tokens, examples, known, seed)
        for index in (i for i, of in enumerate(folds) if of == fold):
            values = judge(tokens[index])
            scores[index] = highest(values)
            maps[index] = values.reshape(tokens.shapes[index]).float().cpu().numpy()
    return Verdicts(scores, maps)


def _space(tokens: Tokens, known: Sequence[int], seed: int) -> Space:
    return Space.of(tokens.some(known, SAMPLE, seed), tokens.block)


def _nearest(tokens: Tokens, examples: Sequence[Example], known: Sequence[int], seed: int) -> Judge:
    """The distance to the nearest intact patch: no picture of damage is known at all."""
    intact = [i for i in known if not examples[i].damaged]
    space = _space(tokens, intact, seed)
    bank = space(tokens.some(intact, BANK, seed))
    return Nearest(space, bank[coreset(bank, KEPT)])


PICTURES = 16
"""Damaged, and as many intact, pictures of a step."""
PASSES, LEAST, RATE, DECAY = 60, 200, 3e-3, 1e-2
"""Times that each damaged picture is seen, and fewest steps; highest learning rate and weight decay
of AdamW."""


def _logistic(
    tokens: Tokens, examples: Sequence[Example], known: Sequence[int], seed: int
) -> Judge:
    """A logistic function of patches from labels of pictures: the mean of the highest patches says
    what a picture is (multiple instance learning, Dietterich et al. 1997, DOI
    10.1016/S0004-3702(96)00034-3)."""
    damaged = [i for i in known if examples[i].damaged]
    intact = [i for i in known if not examples[i].damaged]
    space = _space(tokens, intact, seed)
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

    def seen(patches: Tensor) -> Tensor:
        return space(patches) / space.spread.clamp(min=LEAST_SPREAD)

    ready = {i: seen(tokens[i]).half() for i in known}
    for step in range(steps):
        chosen = [*random.choice(damaged, PICTURES), *random.choice(intact, PICTURES)]
        parts = [ready[i].float() for i in chosen]
        values = layer(torch.cat(parts))[:, 0].split([len(part) for part in parts])
        # A layer that calls damage intact never looks there again: at first it looks at what is
        # least like the mean.
        by = [p.square().sum(dim=1) for p in parts] if step < steps // 10 else values
        odds = torch.stack([v[_top(of)].mean() for v, of in zip(values, by, strict=True)])
        loss = binary_cross_entropy_with_logits(odds, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    layer.requires_grad_(False)
    return Logistic(space, layer.weight[0].clone(), layer.bias.clone())


def _top(values: Tensor) -> Tensor:
    """Places of the highest few."""
    return values.topk(min(HIGHEST, len(values))).indices


METHODS.add("nearest", _nearest)
METHODS.add("logistic", _logistic)
