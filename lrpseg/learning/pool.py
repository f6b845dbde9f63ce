"""Crops to learn from, with what the classifier makes of them: it stays as it is, so once is
enough."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrpseg.learning.crops import Image, Mask, Patch, crop
from lrpseg.models.contract import Classifier
from lrpseg.models.inputs import Normalisation

BATCH = 8
"""Crops that go through the classifier together."""


@dataclass(frozen=True, eq=False)
class Pool:
    """N random crops. scales: `Classifier.scales` of them, each (N, C, size / stride, size /
    stride) fp16 (half the memory: 4 MB for a crop of 128 pixels). masks: (N, size, size) bool, true
    where damaged."""

    scales: list[Tensor]
    masks: Tensor

    def __len__(self) -> int:
        return len(self.masks)

    def draw(self, count: int, random: np.random.Generator) -> tuple[list[Tensor], Tensor]:
        """`count` different crops: scales (count, C, size / stride, size / stride) float32, and
        masks (count, size, size) bool."""
        chosen = torch.from_numpy(random.choice(len(self), count, replace=False))
        chosen = chosen.to(self.masks.device)
        return [s[chosen].float() for s in self.scales], self.masks[chosen]


def batch_count(count: int) -> int:
    """Batches of `count` crops: how often `make_pool` calls `tick`."""
    return -(-count // BATCH)


@torch.no_grad()
def make_pool(
    classifier: Classifier,
    pictures: Sequence[Sequence[Patch]],
    count: int,
    size: int,
    random: np.random.Generator,
    normalise: Normalisation,
    device: torch.device,
    tick: Callable[[], None],
) -> Pool:
    """`count` random crops on `device`, and the classifier's `scales` of them.

    Args:
        classifier: on `device`. pictures: patches of each; pictures count alike, however many
            patches they have. size: of a crop in pixels, a multiple of the coarsest stride. tick:
            called after each batch.
    """
    made, masks = [], []
    for first in range(0, count, BATCH):
        cut = [_crop(pictures, size, random) for _ in range(min(BATCH, count - first))]
        images = torch.from_numpy(np.stack([image for image, _ in cut])).to(device)
        x = normalise(images).contiguous(memory_format=torch.channels_last)
        limit = torch.finfo(torch.float16).max
        made.append([s.clamp_(max=limit).half() for s in classifier.scales(x)])
        masks += [mask for _, mask in cut]
        tick()
    scales = [torch.cat(parts) for parts in zip(*made, strict=True)]
    return Pool(scales, torch.from_numpy(np.stack(masks)).to(device))


def _crop(
    pictures: Sequence[Sequence[Patch]], size: int, random: np.random.Generator
) -> tuple[Image, Mask]:
    patches = pictures[int(random.integers(len(pictures)))]
    return crop(patches[int(random.integers(len(patches)))], size, random)
