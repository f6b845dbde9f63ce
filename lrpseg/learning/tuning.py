"""Fine-tunes a self-trained network on a few corrected masks: a plain loop, minutes on a CPU."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lrpseg.domains import Normalisation
from lrpseg.errors import OptionError
from lrpseg.learning.crops import Patch, crop
from lrpseg.learning.loss import weighted_loss
from lrpseg.unet import SelfTrained

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network learns from corrections; chosen on validation pictures (docs/learning.md).

    steps: of the optimizer; few pictures leave none to stop early by. batch: crops of a step. size:
    of a crop in pixels, a multiple of 16. lr: highest learning rate; it rises over the first tenth
    of the steps, then falls to 0 (cosine). pull: share of the way back to the first weights at a
    learning rate of 1, for each step (L2-SP, Li, Grandvalet, Davoine 2018, arXiv 1802.01483,
    decoupled as in AdamW): what corrections do not ask for is to stay as it was.
    """

    steps: int = 150
    batch: int = 8
    size: int = 128
    lr: float = 3e-4
    pull: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch"):
            if getattr(self, name) < 1:
                raise OptionError(f"The number of {name} is 1 or more.")
        if self.size % 16 or not 16 <= self.size <= 160:
            raise OptionError(f"A crop's side is a multiple of 16 up to 160; {self.size} is not.")
        if not 0 < self.lr < 1 or not 0 <= self.pull * self.lr < 1:
            raise OptionError("A learning rate lies between 0 and 1, and its pull is below 1.")


def fine_tune(
    model: SelfTrained,
    pictures: Sequence[Sequence[Patch]],
    recipe: Recipe,
    normalise: Normalisation,
    device: torch.device,
    progress: Progress | None = None,
) -> SelfTrained:
    """A copy of `model` that has learned from `pictures`, on `device`, in `eval()` mode.

    Everything but the weights is as in use: batch norm keeps its statistics, which a few crops
    would upset, and there is no dropout. Slope and offset of the probability stay as they are.

    Args:
        pictures: patches of each; pictures count alike, however many patches they have.
    """
    learned = copy.deepcopy(model).to(device).eval()
    weights = list(learned.unet.parameters())
    first = [w.detach().clone() for w in weights]
    for weight in weights:
        weight.requires_grad_(True)
    optimizer = torch.optim.AdamW(weights, recipe.lr, weight_decay=0)
    random = np.random.default_rng(recipe.seed)
    for step in range(recipe.steps):
        rate = recipe.lr * _schedule((step + 0.5) / recipe.steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        x, masks = _batch(pictures, recipe, random, normalise, device)
        loss = weighted_loss(learned.unet(x).float(), masks, torch.ones_like(x[:, 0]))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for weight, start in zip(weights, first, strict=True):
                weight.lerp_(start, recipe.pull * rate)
        if progress is not None:
            progress(step + 1, recipe.steps)
    return learned.requires_grad_(False)


def _schedule(share: float) -> float:
    """Factor of the learning rate when `share` of the steps are done."""
    return min(1.0, share / 0.1) * 0.5 * (1 + math.cos(math.pi * share))


def _batch(
    pictures: Sequence[Sequence[Patch]],
    recipe: Recipe,
    random: np.random.Generator,
    normalise: Normalisation,
    device: torch.device,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised crops (B, 3, size, size) and masks (B, size, size)."""
    images, masks = [], []
    for _ in range(recipe.batch):
        patches = pictures[int(random.integers(len(pictures)))]
        image, mask = crop(patches[int(random.integers(len(patches)))], recipe.size, random)
        images.append(image)
        masks.append(mask)
    x = normalise(torch.from_numpy(np.stack(images)).to(device))
    x = x.contiguous(memory_format=torch.channels_last)
    return x, torch.from_numpy(np.stack(masks)).to(device)
