"""What a U-Net is trained on: random crops of damaged pictures with their masks, deformed alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from lrpseg.core.errors import LrpsegError
from lrpseg.models.networks import INPUT_SIZE
from training.data.crops import Image, Mask, damage_bounds, load_example
from training.data.datasets import Example

MARGIN = 96
"""Mirrored pixels around a crop: enough for the defaults of `Deformation`."""


@dataclass(frozen=True)
class Deformation:
    """How training crops vary, beside flips; each range is drawn from uniformly.

    degrees, shear: largest angle of rotation and of shear. shift: share of the side. zoom: factor.
    elastic: standard deviation, in pixels, of the displacements of a 3x3 grid (publication: 10).
    jitter: largest relative change of brightness and contrast (not in the paper).
    """

    degrees: float = 20.0
    shift: float = 0.05
    zoom: tuple[float, float] = (0.85, 1.2)
    shear: float = 5.0
    elastic: float = 10.0
    jitter: float = 0.0


def masked_window(image: Image, mask: Mask, random: np.random.Generator) -> tuple[Image, Mask]:
    """A random crop with the damage in it (paper 3.4): (224, 224, 3) and (224, 224).

    Damage longer than the crop shows in part.
    """
    top, bottom, left, right = damage_bounds(mask)
    for _ in range(20):
        y = int(random.integers(top, bottom - INPUT_SIZE + 1))
        x = int(random.integers(left, right - INPUT_SIZE + 1))
        window = np.s_[y : y + INPUT_SIZE, x : x + INPUT_SIZE]
        if mask[window].any():
            break
    return image[window], mask[window]


def deform(image: Image, mask: Mask, how: Deformation, seed: int) -> tuple[Tensor, Tensor]:
    """Warp and flip a crop and its mask alike, as `seed` decides.

    Returns image (224, 224, 3) uint8 and mask (224, 224) bool. Mirrored surroundings fill what
    comes in from outside: black corners would look like nothing that is ever inspected.
    """
    # torchvision takes seconds and 150 MB, which the other commands of training do not need.
    from torchvision import tv_tensors
    from torchvision.transforms import InterpolationMode, v2
    from torchvision.transforms.v2 import functional as warp

    picture = tv_tensors.Image(torch.from_numpy(image.transpose(2, 0, 1).copy()))
    truth = tv_tensors.Mask(torch.from_numpy(mask.astype(np.uint8))[None])
    side = INPUT_SIZE + 64  # room for what the displacements fetch
    shift = how.shift * INPUT_SIZE / (INPUT_SIZE + 2 * MARGIN)
    linear = InterpolationMode.BILINEAR
    affine = v2.RandomAffine(how.degrees, (shift, shift), how.zoom, how.shear, linear)
    jitter = v2.ColorJitter(brightness=how.jitter, contrast=how.jitter)
    before = v2.Compose([v2.Pad(MARGIN, padding_mode="reflect"), affine, v2.CenterCrop(side)])
    flips = (v2.RandomHorizontalFlip(), v2.RandomVerticalFlip())
    after = v2.Compose([v2.CenterCrop(INPUT_SIZE), *flips, jitter])
    with torch.random.fork_rng(devices=[]):  # torchvision draws from the global generator
        torch.manual_seed(seed)
        picture, truth = before(picture, truth)
        # v2.ElasticTransform smooths noise instead, with a kernel that takes longer than a step
        # of the network; the publication interpolates a coarse grid bicubically.
        grid = torch.randn(1, 2, 3, 3) * how.elastic
        moved = nn.functional.interpolate(grid, (side, side), mode="bicubic", align_corners=True)
        moved = moved.permute(0, 2, 3, 1) * (2 / side)  # pixels to the [-1, 1] of the picture
        picture, truth = warp.elastic(picture, moved), warp.elastic(truth, moved)
        picture, truth = after(picture, truth)
    return picture.permute(1, 2, 0).contiguous().as_subclass(Tensor), truth[0].bool()


class MaskedCrops(Dataset[tuple[Tensor, Tensor]]):
    """`count` random crops of one epoch with their masks, fixed by seed, epoch and index.

    The region is drawn first, then a picture of it, each uniformly: a region that was photographed
    fifteen times counts once. Pictures without a mask are left out.
    """

    def __init__(
        self, examples: Sequence[Example], count: int, deformation: Deformation, seed: int
    ) -> None:
        self.count, self.deformation, self.seed, self.epoch = count, deformation, seed, 0
        grouped: dict[str, list[tuple[Image, Mask]]] = {}
        for example in examples:
            image, mask = load_example(example)
            if mask is not None and mask.any():
                grouped.setdefault(example.region, []).append((image, mask))
        if not grouped:
            raise LrpsegError("No damaged training picture has a mask: a U-Net needs masks.")
        self._regions = list(grouped.values())

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Image (224, 224, 3) uint8 and mask (224, 224) bool."""
        random = np.random.default_rng((self.seed, self.epoch, index))
        members = self._regions[random.integers(len(self._regions))]
        crop, mask = masked_window(*members[random.integers(len(members))], random)
        return deform(crop, mask, self.deformation, int(random.integers(2**62)))
