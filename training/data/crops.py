"""Cuts training and evaluation crops out of pictures, as in section 3.4 of the paper: 224 pixels a
side, or what a network's tiles are."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lrpseg.core.images import enlarge_to, read_image
from lrpseg.models.networks import INPUT_SIZE
from training.data.datasets import Example
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


def load_example(example: Example, size: int = INPUT_SIZE) -> tuple[Image, Mask | None]:
    """Picture (H, W, 3) and mask (H, W) of a training example, sides enlarged to `size` at least.

    The mask is of all damage, None where none is there.
    """
    image = enlarge_to(read_image(example.image), size)
    if not example.damaged:
        return image, None
    files = [example.mask] if example.mask else [file for _, file in example.masks]
    masks = [read_mask(file, image.shape[:2]) for file in files]
    return image, reduce(np.logical_or, masks) if masks else None


def load_class_masks(
    example: Example, classes: Sequence[str], shape: tuple[int, int]
) -> list[Mask | None]:
    """The mask (H, W) of each class where the example has one of its own; `shape`: (H, W) of the
    loaded picture. An only class has the mask of all damage."""
    if len(classes) == 1:
        shown = example.mask if example.damaged else None
        return [None if shown is None else read_mask(shown, shape)]
    files = dict(example.masks)
    return [read_mask(files[name], shape) if name in files else None for name in classes]


def read_mask(path: Path, shape: tuple[int, ...]) -> Mask:
    """The mask in a file, brought to `shape` (H, W)."""
    # "> 0" for masks of 0/87 or 0/1; JPEG-like halos of published masks lie under 32 of 255.
    grey = read_image(path)[..., 0]
    mask = grey > (32 if grey.max() > 64 and np.unique(grey).size > 2 else 0)
    if mask.shape != shape:
        large = cv2.resize(mask.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST)
        mask = large > 0
    return mask


Window = tuple[slice, slice]
"""Rows and columns of a crop."""


def centre_window(shape: tuple[int, ...], mask: Mask | None, size: int = INPUT_SIZE) -> Window:
    """The crop that val and test are scored on: the centre of the (manually cropped) picture.

    Where the damage is longer than a crop and the centre shows none of it, the crop is moved onto
    the damage nearest to the centre: like the paper's, each crop of a damaged picture is damaged.

    Args:
        shape: (H, W) of the picture, at least `size`. mask: (H, W) of its damage.
    """
    height, width = shape[:2]
    whole = np.zeros((height, width), bool) if mask is None else mask
    top, bottom, left, right = damage_bounds(whole, size) if whole.any() else (0, height, 0, width)
    y = top + (bottom - top - size) // 2
    x = left + (right - left - size) // 2
    if whole.any() and not whole[y : y + size, x : x + size].any():
        spots = np.argwhere(whole)
        centre = np.array((y, x)) + size // 2
        nearest = spots[np.argmin(((spots - centre) ** 2).sum(axis=1))]
        largest = np.array(whole.shape) - size
        y, x = np.clip(nearest - size // 2, 0, largest).tolist()
    return slice(y, y + size), slice(x, x + size)


def centre_crop(image: Image, mask: Mask | None, size: int = INPUT_SIZE) -> tuple[Image, Mask]:
    """Image (size, size, 3) uint8 and mask (size, size) bool (all false where there is none) of the
    `centre_window`."""
    whole = np.zeros(image.shape[:2], bool) if mask is None else mask
    window = centre_window(image.shape, mask, size)
    return image[window].copy(), whole[window].copy()


def flipped(array: NDArray, which: int) -> NDArray:
    """`array` as it is (0), flipped horizontally (1) or vertically (2): the paper's test set."""
    return (array, array[:, ::-1], array[::-1])[which]


def random_window(
    shape: tuple[int, ...],
    mask: Mask | None,
    zoom: tuple[float, float],
    random: np.random.Generator,
    size: int = INPUT_SIZE,
) -> Window:
    """A random square of a picture of `shape` (H, W) that becomes a crop of `size` by a zoom in the
    range.

    It contains the damage, or some of it where the damage is longer than the crop.
    """
    factor = random.uniform(*zoom)
    # Zooming in looks at a smaller window; it never grows past the picture.
    window = min(round(size / factor), *shape[:2])
    height, width = shape[:2]
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
    return slice(y, y + window), slice(x, x + window)


def random_crop(
    image: Image,
    mask: Mask | None,
    augmentation: Augmentation,
    random: np.random.Generator,
    draw: bool = False,
    size: int = INPUT_SIZE,
) -> Image:
    """A random (size, size, 3) crop with the augmentation applied; with `draw`, damage is drawn in.

    It contains the damage, or some of it where the damage is longer than the crop.
    """
    window = random_window(image.shape, mask, augmentation.zoom, random, size)
    return cut(image, window, augmentation, random, draw, size)


def cut(
    image: Image,
    window: Window,
    augmentation: Augmentation,
    random: np.random.Generator,
    draw: bool = False,
    size: int = INPUT_SIZE,
) -> Image:
    """The window (size, size, 3) of the picture, with the augmentation applied."""
    crop = image[window]
    if crop.shape[0] != size:
        crop = np.asarray(cv2.resize(crop, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)
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
