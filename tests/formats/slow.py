"""Plain second ways to the same results, pixel by pixel."""

from collections.abc import Mapping, Sequence

import numpy as np


def winner(layers: Mapping[str, np.ndarray], order: Sequence[str], y: int, x: int) -> str | None:
    """The class that a pixel has where it can have one only: of those that are there, the one of
    the smallest area in the picture, of equal ones the first in the order of the classes."""
    here = [name for name in order if name in layers and layers[name][y, x]]
    return min(here, key=lambda name: (layers[name].sum(), order.index(name)), default=None)


def flattened(layers: Mapping[str, np.ndarray], order: Sequence[str]) -> dict[str, np.ndarray]:
    """The layers with one class for each pixel."""
    flat = {name: np.zeros_like(mask) for name, mask in layers.items()}
    for y, x in np.ndindex(next(iter(layers.values())).shape):
        name = winner(layers, order, y, x)
        if name is not None:
            flat[name][y, x] = True
    return flat


def lost(layers: Mapping[str, np.ndarray], order: Sequence[str]) -> dict[tuple[str, str], int]:
    """Pixels that (winner, loser) cost."""
    counts: dict[tuple[str, str], int] = {}
    for y, x in np.ndindex(next(iter(layers.values())).shape):
        name = winner(layers, order, y, x)
        for other in layers:
            if name is not None and other != name and layers[other][y, x]:
                counts[name, other] = counts.get((name, other), 0) + 1
    return counts
