"""Fine-tunes a self-trained network on a few corrected masks: a plain loop, minutes on a CPU."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from lrpseg.domains import Normalisation
from lrpseg.errors import OptionError
from lrpseg.learning.crops import Patch, crop
from lrpseg.learning.loss import weighted_loss
from lrpseg.self_trained import Decider

KEEP_WEIGHT = 5.0
"""Of the loss on other pictures, which is small: nearly all of them is background, beyond doubt."""

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network learns from corrections; chosen on validation pictures (docs/learning.md).

    steps: of the optimizer; few pictures leave none to stop early by. batch: crops of corrected
    pictures in a step. keep: crops of other pictures in a step, on which the network learns to say
    what it said before (learning without forgetting, Li and Hoiem 2016, DOI
    10.1007/978-3-319-46493-0_37). size: of a crop in pixels, a multiple of 16. lr: highest learning
    rate; it rises over the first tenth of the steps, then falls to 0 (cosine).
    """

    steps: int = 150
    batch: int = 8
    keep: int = 4
    size: int = 128
    lr: float = 5e-4
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1 or self.keep < 0:
            raise OptionError("There is at least one step, with at least one crop.")
        if self.size % 16 or not 16 <= self.size <= 160:
            raise OptionError(f"A crop's side is a multiple of 16 up to 160; {self.size} is not.")
        if not 0 < self.lr < 1:
            raise OptionError(f"A learning rate lies between 0 and 1; {self.lr} does not.")


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
    for step in range(recipe.steps):
        rate = recipe.lr * _schedule((step + 0.5) / recipe.steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        images, masks = _batch(pictures, recipe.batch, recipe.size, random)
        kept = recipe.keep if others else 0
        if kept:
            images = torch.cat([images, _batch(others, kept, recipe.size, random)[0]])
        x = normalise(images.to(device)).contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            scales = model.classifier.scales(x)
        logits, masks = own(scales).float(), masks.to(device)
        # Crop by crop: a large damage beside it would make the Dice of a small one not matter.
        crops = zip(logits[: recipe.batch].split(1), masks.split(1), strict=True)
        ones = torch.ones_like(x[:1, 0])
        loss = torch.stack([weighted_loss(z, m, ones) for z, m in crops]).mean()
        if kept:
            with torch.no_grad():
                before = torch.softmax(model.own([s[recipe.batch :] for s in scales]).float(), 1)
            # Without Dice, which would make damage of what is likely nowhere.
            same = nn.functional.cross_entropy(logits[recipe.batch :], before)
            loss = loss + KEEP_WEIGHT * same
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if progress is not None:
            progress(step + 1, recipe.steps)
    return Decider(own.requires_grad_(False), model.classifier).eval()


def _schedule(share: float) -> float:
    """Factor of the learning rate when `share` of the steps are done."""
    return min(1.0, share / 0.1) * 0.5 * (1 + math.cos(math.pi * share))


def _batch(
    pictures: Sequence[Sequence[Patch]], count: int, size: int, random: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Crops (count, size, size, 3) uint8 and masks (count, size, size) bool."""
    images, masks = [], []
    for _ in range(count):
        patches = pictures[int(random.integers(len(pictures)))]
        image, mask = crop(patches[int(random.integers(len(patches)))], size, random)
        images.append(image)
        masks.append(mask)
    return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(masks))
