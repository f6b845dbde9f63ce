"""What a network that trains itself sees: random crops with masks that nobody drew.

Damaged pictures with proposed masks (`training.data.proposals`), intact ones with damage drawn in
(`training.data.drawn_damage`), and intact ones as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from lrpseg.models.networks import INPUT_SIZE
from training.data.crops import Augmentation, Image, Mask, random_crop
from training.data.drawn_damage import Drawing, draw_damage

VARIED = Augmentation(zoom=(0.7, 1.5), brightness=(0.6, 1.4), contrast=(0.7, 1.3), noise=6)


@dataclass(frozen=True)
class Shares:
    """Of the crops: `real` damaged pictures, `intact` intact ones; the rest has drawn damage."""

    real: float
    intact: float


@dataclass(frozen=True, eq=False)
class Proposed:
    """A crop (side, side, 3) with a mask that nobody drew, and how much each pixel counts."""

    image: Image
    mask: Mask
    weight: NDArray[np.float32]


class SelfTrainingCrops(Dataset[tuple[Image, Mask, NDArray[np.float32]]]):
    """`count` random crops of one epoch with masks and weights, fixed by seed, epoch and index."""

    def __init__(
        self,
        intact: Sequence[Image],
        proposed: Sequence[Sequence[Proposed]],
        mistaken: Sequence[Proposed],
        shares: Shares,
        drawing: Drawing,
        size: int,
        count: int,
        seed: int,
        side: int = INPUT_SIZE,
    ) -> None:
        """`proposed`: a list for each region of damaged pictures; regions count alike. `mistaken`:
        intact crops that looked damaged, half of the intact ones. `size`: side of what is cut out,
        a multiple of 16, out of
        crops of `side`."""
        self._intact, self._proposed, self._mistaken = intact, proposed, mistaken
        self._shares, self._drawing, self._size = shares, drawing, size
        self._count, self._seed, self._side, self.epoch = count, seed, side, 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[Image, Mask, NDArray[np.float32]]:
        random = np.random.default_rng((self._seed, self.epoch, index))
        kind, shares = random.random(), self._shares
        if kind < shares.real and self._proposed:
            members = self._proposed[int(random.integers(len(self._proposed)))]
            image, mask, weight = zoomed(members[int(random.integers(len(members)))], random)
        elif kind > 1 - shares.intact / 2 and self._mistaken:
            image, mask, weight = zoomed(
                self._mistaken[int(random.integers(len(self._mistaken)))], random
            )
        else:
            source = self._intact[int(random.integers(len(self._intact)))]
            zoomed_alone = Augmentation(flips=False, zoom=VARIED.zoom)
            image = random_crop(source, None, zoomed_alone, random, size=self._side)
            mask, weight = np.zeros(image.shape[:2], bool), np.ones(image.shape[:2], np.float32)
            if kind < 1 - shares.intact:
                for _ in range(int(random.integers(1, 3))):
                    image, more = draw_damage(image, random, self._drawing)
                    mask = mask | more
        return vary(*part(image, mask, weight, self._size, random), random)


def zoomed(
    proposed: Proposed, random: np.random.Generator
) -> tuple[Image, Mask, NDArray[np.float32]]:
    """Image, mask and weight, all enlarged by a random factor, 1 or more."""
    zoom = random.uniform(1, VARIED.zoom[1])
    size = (round(proposed.mask.shape[1] * zoom), round(proposed.mask.shape[0] * zoom))
    image, share, weight = (
        cv2.resize(a, size, interpolation=cv2.INTER_LINEAR)
        for a in (proposed.image, proposed.mask.astype(np.float32), proposed.weight)
    )
    return np.asarray(image, np.uint8), share >= 0.5, np.asarray(weight, np.float32)


def part(
    image: Image,
    mask: Mask,
    weight: NDArray[np.float32],
    size: int,
    random: np.random.Generator,
) -> tuple[Image, Mask, NDArray[np.float32]]:
    """A random square of `size` pixels, the same of all three; it shows some of the damage."""
    limit = np.array(mask.shape) - size
    spots = np.argwhere(mask)
    if len(spots):
        spot = spots[random.integers(len(spots))]
        low, high = np.maximum(0, spot - size + 1), np.minimum(spot, limit)
        y, x = random.integers(low, high + 1)
    else:
        y, x = random.integers(limit + 1)
    window = np.s_[y : y + size, x : x + size]
    return image[window], mask[window], weight[window]


def vary(
    image: Image, mask: Mask, weight: NDArray[np.float32], random: np.random.Generator
) -> tuple[Image, Mask, NDArray[np.float32]]:
    """Flip all alike, and change the image's brightness, contrast and noise."""
    for axis in (0, 1):
        if random.random() < 0.5:
            image, mask = np.flip(image, axis), np.flip(mask, axis)
            weight = np.flip(weight, axis)
    values = image.astype(np.float32)
    mean = values.mean()
    values = (values - mean) * random.uniform(*VARIED.contrast) + mean
    values *= random.uniform(*VARIED.brightness)
    sigma = np.float32(random.uniform(0, VARIED.noise))
    values += random.standard_normal(values.shape, np.float32) * sigma
    changed = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return changed, mask.copy(), weight.copy()
