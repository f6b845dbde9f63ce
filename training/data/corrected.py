"""Corrected pictures for measuring what learning from them brings; true masks stand for corrected
ones.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from lrpseg.domains import Normalisation
from lrpseg.learning import Recipe, figures_of, fine_tune, predict
from lrpseg.learning.crops import Patch, patches
from lrpseg.models.self_trained import Decider
from training.data.crops import centre_crop, load_example
from training.data.datasets import Example

IN_BATCH = 10
"""Pictures of a batch that are corrected before the others are looked at."""


@dataclass(frozen=True)
class Batch:
    """What learning from some pictures of a batch brought on its `others`, which nobody corrected:
    their mean IoU before and after. `seen`: how many of them show a region that was corrected on
    another picture."""

    corrected: int
    others: int
    seen: int
    before: float
    after: float


def corrected_examples(examples: Sequence[Example], count: int, seed: int) -> list[Example]:
    """`count` damaged examples with masks: one of each region in turn, regions and pictures in
    random order. The first n of a larger count are those of n."""
    random = np.random.default_rng(seed)
    regions: dict[str, list[Example]] = {}
    for example in sorted(examples, key=lambda e: e.name):
        if example.damaged and example.mask is not None:
            regions.setdefault(example.region, []).append(example)
    order = [list(regions.values())[i] for i in random.permutation(len(regions))]
    queues = [[members[i] for i in random.permutation(len(members))] for members in order]
    chosen: list[Example] = []
    while len(chosen) < count and any(queues):
        chosen += [queue.pop() for queue in queues if queue]
    return chosen[:count]


def patches_of(example: Example, corrected: bool) -> list[Patch]:
    """The patches of an example's centre crop, with its true mask or none."""
    image, mask = load_example(example)
    image, mask = centre_crop(image, mask if corrected else None)
    return patches(image, mask, np.zeros_like(mask), np.random.default_rng(0))


def batches(
    model: Decider,
    examples: Sequence[Example],
    normalise: Normalisation,
    recipe: Recipe,
    draws: int,
    device: torch.device,
) -> list[Batch]:
    """Correct `IN_BATCH` damaged examples, or half of them where there are fewer than twice as
    many, learn from them, and look at the others: once for each draw.

    The others are also what the network sees uncorrected, as in a workspace.
    """
    found = []
    for draw in range(draws):
        seed = recipe.seed + draw
        chosen = corrected_examples(examples, min(IN_BATCH, len(examples) // 2), seed)
        rest = [e for e in examples if e not in chosen]
        tuned = fine_tune(
            model, [patches_of(e, True) for e in chosen], [patches_of(e, False) for e in rest],
            replace(recipe, seed=seed), normalise, device,
        )  # fmt: skip
        crops = [centre_crop(*load_example(e)) for e in rest]
        before, after = (
            figures_of((predict(m, i, normalise, device), t) for i, t in crops).iou
            for m in (model, tuned)
        )
        regions = {e.region for e in chosen}
        seen = sum(e.region in regions for e in rest)
        found.append(Batch(len(chosen), len(rest), seen, before, after))
        print(f"{len(chosen)} of the batch, draw {draw + 1}: IoU {before:.3f} to {after:.3f}",
              file=sys.stderr)  # fmt: skip
    return found
