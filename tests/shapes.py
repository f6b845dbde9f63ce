"""Masks of simple shapes, and pictures and relevance for them."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
SHAPE = (100, 120)


def disk(y: int, x: int, radius: int, shape: tuple[int, int] = SHAPE) -> Mask:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def blank(shape: tuple[int, int] = SHAPE) -> Mask:
    return np.zeros(shape, bool)


def surface(height: int = 120, width: int = 160, level: int = 130) -> NDArray[np.uint8]:
    """A grey surface with noise and a slow change of light, (H, W, 3)."""
    random = np.random.default_rng(0)
    light = np.linspace(-15, 15, width)[None]
    grey = level + light + random.normal(0, 3, (height, width))
    return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def border_relevance(mask: Mask) -> NDArray[np.float32]:
    """Relevance as LRP gives it: high around the border, hollow inside, some noise elsewhere."""
    edge = mask & ~ndimage.binary_erosion(mask, iterations=2)
    random = np.random.default_rng(1)
    noise = random.random(mask.shape) * 0.02
    return (ndimage.gaussian_filter(edge.astype(float), 1.5) + noise).astype(np.float32)


def iou(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))
