"""Covers pictures with overlapping square tiles and merges their relevance without seams."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrpseg.core.errors import OptionError
from lrpseg.models.contract import TILE

DEFAULT_OVERLAP = 64
"""Least overlap of neighbouring tiles in pixels: damage up to this size is whole in some tile."""


def tile_starts(length: int, overlap: int = DEFAULT_OVERLAP, tile: int = TILE) -> list[int]:
    """First pixels of the fewest evenly spaced tiles that cover `length` with `overlap` at least.

    Raises:
        OptionError: `overlap` is not in 0 .. tile - 1. ValueError: `length` is below `tile`.

    >>> tile_starts(224), tile_starts(500, overlap=64)
    ([0], [0, 138, 276])
    """
    if not 0 <= overlap < tile:
        raise OptionError(f"The overlap is 0 to {tile - 1} pixels; {overlap} was given.")
    if length < tile:
        raise ValueError(f"{length} pixels are less than one tile of {tile}")
    count = 1 + -(-(length - tile) // (tile - overlap))
    return [round(i * (length - tile) / max(1, count - 1)) for i in range(count)]


def blending_weights(starts: list[int], length: int, tile: int = TILE) -> NDArray[np.float32]:
    """Weights (len(starts), tile) of each tile's pixels along one axis; they sum to 1."""
    window = np.sin(np.pi * (np.arange(tile) + 0.5) / tile) ** 2  # Hann, above 0 in each pixel
    total = np.zeros(length)
    for start in starts:
        total[start : start + tile] += window
    return np.stack([window / total[s : s + tile] for s in starts]).astype(np.float32)


@dataclass(frozen=True)
class Tile:
    """One tile: index and first pixel along both axes, and its side in pixels."""

    row: int
    column: int
    y: int
    x: int
    side: int = TILE

    def of(self, image: NDArray) -> NDArray:
        """View of the tile's pixels in an array (H, W[, C])."""
        return image[self.y : self.y + self.side, self.x : self.x + self.side]


class TileGrid:
    """The tiles of one picture of `height` by `width` pixels (both at least `tile`, a tile's side).

    Merging is a weighted mean of the tiles that see a pixel, with weights that fall to zero at a
    tile's edge (a partition of unity): a tile's relevance neither starts nor ends with a step, so
    there are no seams, and where all tiles agree the mean is what each says. A tile that was
    classified intact takes part with relevance 0 (the paper runs LRP only where damage is
    predicted): it cannot light up itself, and it lowers what a damaged neighbour says of the pixels
    that both see, by its share. Damage shown near the edge of one tile lies near the middle of
    another, whose word then counts most.

    The weights are products of one row and one column weight, so that no map of weights is needed:
    beside the merged map itself, memory is bounded by the batch, whatever the number of tiles.
    """

    def __init__(
        self, height: int, width: int, overlap: int = DEFAULT_OVERLAP, tile: int = TILE
    ) -> None:
        self.height, self.width, self.tile = height, width, tile
        self._ys, self._xs = tile_starts(height, overlap, tile), tile_starts(width, overlap, tile)
        self._rows = blending_weights(self._ys, height, tile)
        self._columns = blending_weights(self._xs, width, tile)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of tiles."""
        return len(self._ys), len(self._xs)

    def __len__(self) -> int:
        return len(self._ys) * len(self._xs)

    def __iter__(self) -> Iterator[Tile]:
        for row, y in enumerate(self._ys):
            for column, x in enumerate(self._xs):
                yield Tile(row, column, y, x, self.tile)

    def windows(self, pixels: int) -> Iterator[list[Tile]]:
        """The tiles in groups: rectangles of neighbours that cover at most `pixels` pixels, or one
        tile; as square as they can be."""
        # Higher than a square where all columns fit beside each other.
        high = max(pixels**0.5, pixels / _extent(self._xs, self.tile))
        down = _fitting(self._ys, self.tile, high)
        across = _fitting(self._xs, self.tile, pixels / _extent(self._ys[:down], self.tile))
        for ys in _parts(len(self._ys), down):
            for xs in _parts(len(self._xs), across):
                yield [Tile(r, c, self._ys[r], self._xs[c], self.tile) for r in ys for c in xs]

    def add(self, merged: NDArray[np.float32], tile: Tile, relevance: NDArray[np.float32]) -> None:
        """Add a tile's relevance (tile, tile) to `merged` (height, width), in place."""
        if len(self) == 1:  # its weights are all 1, to rounding
            merged += relevance
            return
        weights = self._rows[tile.row][:, None] * self._columns[tile.column][None]
        tile.of(merged)[...] += relevance * weights


def _extent(starts: list[int], tile: int) -> int:
    """Pixels from the first tile's start to the last one's end."""
    return starts[-1] + tile - starts[0]


def _fitting(starts: list[int], tile: int, pixels: float) -> int:
    """How many neighbouring tiles lie within `pixels`, wherever they begin; at least 1."""
    count = 1
    while count < len(starts) and all(
        starts[i + count] + tile - starts[i] <= pixels for i in range(len(starts) - count)
    ):
        count += 1
    return count


def _parts(count: int, most: int) -> Iterator[range]:
    """0 .. count - 1 in the fewest runs of at most `most`, as even as can be."""
    runs = -(-count // most)
    for i in range(runs):
        yield range(i * count // runs, (i + 1) * count // runs)
