"""Cuts 224-pixel training and evaluation crops out of pictures, as in section 3.4 of the paper."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from lrpseg.core.images import enlarge_to, read_image
from lrpseg.models.networks import INPUT_SIZE
from training.data.datasets import DataError, Example
from training.data.drawn_damage import draw_damage

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Augmentation:
    """How training crops vary; each range is drawn from uniformly, for each crop.

    flips: horizontal and vertical, half of the time each (paper 3.4).
    zoom: factor of the crop's scale; 1.5 shows things half as large again.
    brightness, contrast: factors; contrast is taken about the crop's mean.
    colour: largest change of each channel's gain (0.1 = 10 %).
    noise: largest standard deviation of Gaussian noise, in grey levels.
    drawn: share of the damaged crops that are crops of intact pictures with damage drawn in.
    """

    flips: bool = True
    zoom: tuple[float, float] = (1.0, 1.0)
    brightness: tuple[float, float] = (1.0, 1.0)
    contrast: tuple[float, float] = (1.0, 1.0)
    colour: float = 0.0
    noise: float = 0.0
    drawn: float = 0.0


PAPER = Augmentation()
"""Random crops and flips alone: what the paper's section 3.4 names."""


def damage_bounds(mask: Mask, size: int = INPUT_SIZE) -> tuple[int, int, int, int]:
    """Largest part of a picture in which every `size`-pixel crop contains the whole damage.

    Stands for the paper's manual cropping (3.4): the mask (or a box drawn into one) is used for
    that alone. Where the damage is longer than `size`, the part is the damage's own extent.

    Args:
        mask: (H, W) bool with at least one pixel set; H and W at least `size`.

    Returns:
        (top, bottom, left, right), ends exclusive, at least `size` apart.
    """
    bounds: list[int] = []
    for axis in (1, 0):
        hit = np.flatnonzero(mask.any(axis=axis))
        first, last, length = int(hit[0]), int(hit[-1]) + 1, mask.shape[1 - axis]
        if last - first <= size:
            # Each crop [s, s + size] within [last - size, first + size] has s <= first and
            # s + size >= last, so the damage is inside it.
            bounds += [max(0, last - size), min(length, first + size)]
        else:
            bounds += [first, last]
    return bounds[0], bounds[1], bounds[2], bounds[3]


def load_example(example: Example) -> tuple[Image, Mask | None]:
    """Picture (H, W, 3) and mask (H, W) of a training example, sides enlarged to 224 at least."""
    image = enlarge_to(read_image(example.image), INPUT_SIZE)
    mask = None
    if example.mask is not None and example.damaged:
        # "> 0" for masks of 0/87 or 0/1; JPEG-like halos of published masks lie under 32 of 255.
        grey = read_image(example.mask)[..., 0]
        mask = grey > (32 if grey.max() > 64 and np.unique(grey).size > 2 else 0)
        if mask.shape != image.shape[:2]:
            mask = (
                cv2.resize(
                    mask.astype(np.uint8), image.shape[1::-1], interpolation=cv2.INTER_NEAREST
                )
                > 0
            )
    return image, mask


def centre_crop(image: Image, mask: Mask | None) -> tuple[Image, Mask]:
    """The crop that val and test are scored on: the centre of the (manually cropped) picture.

    Where the damage is longer than a crop and the centre shows none of it, the crop is moved onto
    the damage nearest to the centre: like the paper's, each crop of a damaged picture is damaged.

    Returns image (224, 224, 3) uint8 and mask (224, 224) bool (all false where there is none).
    """
    whole = np.zeros(image.shape[:2], bool) if mask is None else mask
    top, bottom, left, right = (
        damage_bounds(whole) if whole.any() else (0, image.shape[0], 0, image.shape[1])
    )
    y = top + (bottom - top - INPUT_SIZE) // 2
    x = left + (right - left - INPUT_SIZE) // 2
    if whole.any() and not whole[y : y + INPUT_SIZE, x : x + INPUT_SIZE].any():
        spots = np.argwhere(whole)
        centre = np.array((y, x)) + INPUT_SIZE // 2
        nearest = spots[np.argmin(((spots - centre) ** 2).sum(axis=1))]
        largest = np.array(whole.shape) - INPUT_SIZE
        y, x = np.clip(nearest - INPUT_SIZE // 2, 0, largest).tolist()
    window = np.s_[y : y + INPUT_SIZE, x : x + INPUT_SIZE]
    return image[window].copy(), whole[window].copy()


def flipped(array: NDArray, which: int) -> NDArray:
    """`array` as it is (0), flipped horizontally (1) or vertically (2): the paper's test set."""
    return (array, array[:, ::-1], array[::-1])[which]


def random_crop(
    image: Image,
    mask: Mask | None,
    augmentation: Augmentation,
    random: np.random.Generator,
    draw: bool = False,
) -> Image:
    """A random (224, 224, 3) crop with the augmentation applied; with `draw`, damage is drawn in.

    It contains the damage, or some of it where the damage is longer than the crop.
    """
    zoom = random.uniform(*augmentation.zoom)
    # Zooming in looks at a smaller window; it never grows past the picture.
    window = min(round(INPUT_SIZE / zoom), *image.shape[:2])
    height, width = image.shape[:2]
    hit = np.zeros((height, width), bool) if mask is None else mask
    damaged = bool(hit.any())
    top, bottom, left, right = damage_bounds(hit, window) if damaged else (0, height, 0, width)
    for _ in range(20):
        y = int(random.integers(top, bottom - window + 1))
        x = int(random.integers(left, right - window + 1))
        # Damage longer than the window: what counts is that some of it shows.
        if not damaged or hit[y : y + window, x : x + window].any():
            break
    else:  # few and far spots: around one of them
        spots = np.argwhere(hit)
        spot = spots[random.integers(len(spots))]
        least = np.maximum(0, spot - window + 1)
        y, x = random.integers(least, np.minimum(spot, (height - window, width - window)) + 1)
    crop = image[y : y + window, x : x + window]
    if window != INPUT_SIZE:
        crop = np.asarray(
            cv2.resize(crop, (INPUT_SIZE, INPUT_SIZE), interpolation=cv2.INTER_LINEAR), np.uint8
        )
    if draw:
        crop, _ = draw_damage(crop, random)
    return _vary(crop, augmentation, random)


def _vary(crop: Image, augmentation: Augmentation, random: np.random.Generator) -> Image:
    if augmentation.flips:
        for axis in (0, 1):
            if random.random() < 0.5:
                crop = np.flip(crop, axis)
    values = crop.astype(np.float32)
    gain = random.uniform(1 - augmentation.colour, 1 + augmentation.colour, 3).astype(np.float32)
    mean = values.mean()
    values = (values - mean) * random.uniform(*augmentation.contrast) + mean
    values = values * gain * np.float32(random.uniform(*augmentation.brightness))
    if augmentation.noise:
        sigma = random.uniform(0, augmentation.noise)
        values += random.standard_normal(values.shape, np.float32) * np.float32(sigma)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


class TrainingCrops(Dataset[tuple[Image, int]]):
    """`count` random crops of one epoch, half of them damaged on average, fixed by seed and epoch.

    Class imbalance is met by drawing the class first, then a region of it, then a picture of that
    region, each uniformly: a region that was photographed fifteen times counts once.
    """

    def __init__(
        self,
        examples: tuple[Example, ...],
        count: int,
        augmentation: Augmentation,
        seed: int,
        epoch: int = 0,
    ) -> None:
        self.augmentation, self.seed, self.epoch, self.count = augmentation, seed, epoch, count
        self._regions: list[list[list[int]]] = [[], []]
        self._loaded = [load_example(e) for e in examples]
        grouped: dict[tuple[bool, str], list[int]] = {}
        for index, example in enumerate(examples):
            grouped.setdefault((example.damaged, example.region), []).append(index)
        for (damaged, _), members in grouped.items():
            self._regions[int(damaged)].append(members)
        if not all(self._regions):
            missing = "intact" if self._regions[1] else "damaged"
            raise DataError(f"The training split has no {missing} picture; both kinds are needed.")

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Image, int]:
        # One generator per crop: the result does not depend on workers, ranks or order.
        random = np.random.default_rng((self.seed, self.epoch, index))
        label = int(random.integers(2))
        drawn = self.augmentation.drawn
        draw = bool(label and drawn and random.random() < drawn)
        regions = self._regions[0 if draw else label]
        members = regions[random.integers(len(regions))]
        image, mask = self._loaded[members[random.integers(len(members))]]
        return random_crop(image, mask, self.augmentation, random, draw), label
