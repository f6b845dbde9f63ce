"""Fine-tunes a self-trained network on a few corrected masks: a plain loop, minutes on a CPU."""

import copy
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lrpseg.core.errors import OptionError
from lrpseg.learning.crops import Patch
from lrpseg.learning.loss import weighted_loss
from lrpseg.learning.pool import Pool, batch_count, make_pool
from lrpseg.models.inputs import Normalisation
from lrpseg.models.self_trained import Decider

KEEP_WEIGHT = 5.0
"""Of the loss on other pictures, which is small: nearly all of them is background, beyond doubt."""

SURELY_INTACT = 0.1
"""Likelihood below which a pixel of another picture is to stay background."""

Progress = Callable[[int, int], None]
"""Called with (done, in all); steps of the optimizer, after the batches of crops that are cut."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network learns from corrections; chosen on validation pictures (docs/learning.md).

    steps: of the optimizer; few pictures leave none to stop early by. batch: crops of corrected
    pictures in a step. pool: crops of corrected pictures that are cut in all. keep: crops of other
    pictures in a step, which the network is to go on calling intact where it was sure of it
    (learning without forgetting, Li and Hoiem 2016, DOI 10.1007/978-3-319-46493-0_37); of them as
    many are cut as `keep` is to `batch`. size: of a crop in pixels, a multiple of 16. lr: highest
    learning rate; it rises over the first tenth of the steps, then falls to 0 (cosine). blend: how
    far the network goes from its former weights to those after the last step: their weighted mean
    keeps what the former knew of surfaces that nobody corrected (Wortsman et al. 2022, DOI
    10.1109/CVPR52688.2022.00780).
    """

    steps: int = 150
    batch: int = 8
    keep: int = 4
    pool: int = 96
    size: int = 128
    lr: float = 1e-3
    blend: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1 or self.keep < 0:
            raise OptionError("There is at least one step, with at least one crop.")
        if self.pool < self.batch:
            raise OptionError(f"A pool of {self.pool} crops has fewer than a step's {self.batch}.")
        if self.size % 16 or not 16 <= self.size <= 160:
            raise OptionError(f"A crop's side is a multiple of 16 up to 160; {self.size} is not.")
        if self.seed < 0:
            raise OptionError(f"A seed is 0 or more; {self.seed} is not.")
        if not 0 < self.lr < 1:
            raise OptionError(f"A learning rate lies between 0 and 1; {self.lr} does not.")
        if not 0 < self.blend <= 1:
            raise OptionError(f"The blend is above 0 and at most 1; {self.blend} is not.")


def fine_tune(
    model: Decider,
    pictures: Sequence[Sequence[Patch]],
    others: Sequence[Sequence[Patch]],
    recipe: Recipe,
    normalise: Normalisation,
    device: torch.device,
    progress: Progress | None = None,
) -> Decider:
    """A copy of `model` that has learned from `pictures`, on `device`, in `eval()` mode.

    The classifier and its features stay as they are, and so do batch norm's statistics, which a few
    crops would upset, and the weights of the probability; there is no dropout.

    Args:
        pictures: patches of each corrected one; pictures count alike, however many patches they
            have. others: of pictures that nobody corrected, whose masks are not looked at; empty:
            nothing guards against forgetting but the low learning rate.
    """
    model = model.to(device).eval()
    own = copy.deepcopy(model.own)
    weights = list(own.requires_grad_(True).parameters())
    optimizer = torch.optim.AdamW(weights, recipe.lr, weight_decay=0)
    random = np.random.default_rng(recipe.seed)
    # No more crops are cut than the steps could show.
    count = min(recipe.pool, recipe.steps * recipe.batch)
    keep = recipe.keep if others else 0
    kept_count = max(keep, count * keep // recipe.batch)
    ticks, total = itertools.count(1), batch_count(count) + batch_count(kept_count) + recipe.steps

    def tick() -> None:
        if progress is not None:
            progress(next(ticks), total)

    def pool(of: Sequence[Sequence[Patch]], count: int) -> Pool:
        return make_pool(model.classifier, of, count, recipe.size, random, normalise, device, tick)

    corrected = pool(pictures, count)
    kept = pool(others, kept_count) if keep else None
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr * _schedule((step + 0.5) / recipe.steps)
        scales, masks = corrected.draw(recipe.batch, random)
        if kept is not None:
            beside, _ = kept.draw(keep, random)
            scales = [torch.cat(pair) for pair in zip(scales, beside, strict=True)]
        logits = own(scales).float()
        # Crop by crop: a large damage beside it would make the Dice of a small one not matter.
        crops = zip(logits[: recipe.batch].split(1), masks.split(1), strict=True)
        ones = torch.ones_like(logits[:1, 0])
        loss = torch.stack([weighted_loss(z, m, ones) for z, m in crops]).mean()
        if kept is not None:
            with torch.no_grad():
                before = model.own(beside)
            loss = loss + KEEP_WEIGHT * _forgetting(logits[recipe.batch :], before)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        tick()
    with torch.no_grad():
        for new, former in zip(weights, model.own.parameters(), strict=True):
            new.lerp_(former, 1 - recipe.blend)
    return Decider(own.requires_grad_(False), model.classifier).eval()


def _forgetting(logits: Tensor, before: Tensor) -> Tensor:
    """Mean cross entropy (), of logits (B, 2, H, W) towards those of `before`, where damage was
    hardly likely. Without Dice, which would make damage of what is likely nowhere."""
    likelihood = torch.softmax(before.float(), dim=1)
    sure = (likelihood[:, 1] < SURELY_INTACT).float()
    entropy = nn.functional.cross_entropy(logits, likelihood, reduction="none")
    return (entropy * sure).sum() / sure.sum().clamp(min=1)


def _schedule(share: float) -> float:
    """Factor of the learning rate when `share` of the steps are done."""
    return min(1.0, share / 0.1) * 0.5 * (1 + math.cos(math.pi * share))
