"""Classes that overlap: what a picture of class numbers keeps of them, and what that costs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrpseg.formats.annotated import Layer
from lrpseg.formats.parts import Mask
from lrpseg.masks.figures import count, pooled


@dataclass(frozen=True, eq=False)
class Flat:
    """One class for each pixel. numbers: (H, W) uint8, 0 for no class, else the class's index + 1.
    layers: what is left of each class. overlaps: for each pair of classes of which a pixel was lost
    `{"winner": name, "loser": name, "pixels": count}`. iou: what is kept, see `kept`."""

    numbers: NDArray[np.uint8]
    layers: list[Layer]
    overlaps: tuple[dict[str, Any], ...]
    iou: float


def flatten(layers: Sequence[Layer]) -> Flat:
    """Give each pixel to one class.

    Where classes overlap, the one with the smaller area in this picture wins, so that thin damage
    is not hidden under large; of equal areas the first.

    >>> crack = Layer(0, "crack", np.array([[False, True, False]]))
    >>> hole = Layer(1, "hole", np.array([[True, True, True]]))
    >>> flat = flatten([crack, hole])
    >>> flat.numbers, flat.overlaps
    (array([[2, 1, 2]], dtype=uint8), ({'winner': 'crack', 'loser': 'hole', 'pixels': 1},))
    """
    numbers = np.zeros(layers[0].mask.shape, np.uint8)
    order = sorted(layers, key=lambda layer: (int(np.count_nonzero(layer.mask)), layer.index))
    for layer in reversed(order):  # the winner is painted last
        numbers[layer.mask] = layer.index + 1
    if len(layers) == 1:
        return Flat(numbers, list(layers), (), 1.0)
    lost: list[dict[str, Any]] = []
    for loser in layers:
        taken = loser.mask & (numbers != loser.index + 1)
        pixels = np.bincount(numbers[taken], minlength=len(layers) + 1)
        lost += [
            {"winner": winner.label, "loser": loser.label, "pixels": int(pixels[winner.index + 1])}
            for winner in layers
            if pixels[winner.index + 1]
        ]
    held = [Layer(layer.index, layer.label, numbers == layer.index + 1) for layer in layers]
    pairs = ((left.mask, layer.mask) for left, layer in zip(held, layers, strict=True))
    return Flat(numbers, held, tuple(lost), kept(pairs))


def kept(pairs: Iterable[tuple[Mask, Mask]]) -> float:
    """Intersection over union of all classes together, of pairs of masks (H, W) bool: what the
    files hold of a class, and its mask; 1 where all are empty."""
    return pooled(count(held, wanted) for held, wanted in pairs).iou
