"""One picture under way: what is known of it while its tiles come back."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor, sigmoid

from lrpseg.core.errors import RelevanceError
from lrpseg.pipeline.found import Found, Map
from lrpseg.pipeline.tiling import Tile, TileGrid
from lrpseg.witness.witness import Testimony


@dataclass(frozen=True)
class Step:
    """A part of the work is done: so many tiles, and windows of a witness, of all.

    sketch: the relevance that was found so far, at most of all classes, at a size (height, width);
    to be asked for while the rest runs. looked: what is done, or had a first look.
    """

    done: int
    total: int
    sketch: Callable[[tuple[int, int]], Map] | None = None
    looked: int = 0


@dataclass
class Job:
    """One picture under way: its tiles' maps are merged as they come back.

    image: (H, W, 3) uint8. canvas: what the tiles are cut from: the picture, enlarged where it is
    smaller than a tile. grid: of the canvas. large: whether it counts as a large picture.
    relevance, likelihood: a map of the canvas for each class; probability, explained: a value for
    each class. likelihood stays None where the network gives none by itself. suspicion: (rows,
    columns) of the grid, how much a first look suspects each tile; None before one. testimony:
    what the witness says; None before it has spoken, or without one. flagged: (rows, columns) of
    the grid, the tiles in which it sees damage. heard, windows: of the witness that are done, and
    in all.
    """

    image: NDArray[np.uint8]
    canvas: NDArray[np.uint8]
    grid: TileGrid
    large: bool
    explain_all: bool
    relevance: list[Map]
    likelihood: list[Map] | None
    probability: list[float]
    explained: list[bool]
    done: int = 0
    looked: int = 0
    suspicion: Map | None = None
    testimony: Testimony | None = None
    flagged: NDArray[np.bool_] | None = None
    heard: int = 0
    windows: int = 0

    @classmethod
    def of(
        cls,
        image: NDArray[np.uint8],
        canvas: NDArray[np.uint8],
        grid: TileGrid,
        classes: int,
        proposes: bool,
        large: bool = False,
    ) -> "Job":
        """A new one. proposes: whether the network gives a likelihood by itself."""

        def maps() -> list[Map]:
            # np.zeros is lazy: pages of a huge map that no damaged tile touches are never in
            # memory.
            return [np.zeros((grid.height, grid.width), np.float32) for _ in range(classes)]

        return cls(
            image,
            canvas,
            grid,
            large,
            False,
            maps(),
            maps() if proposes else None,
            [0.0] * classes,
            [False] * classes,
        )

    def again(self) -> "Job":
        """A new one of the same picture, in which everything is explained."""
        proposes = self.likelihood is not None
        made = Job.of(
            self.image, self.canvas, self.grid, len(self.probability), proposes, self.large
        )
        made.explain_all = True
        made.testimony, made.flagged = self.testimony, self.flagged
        made.heard, made.windows = self.heard, self.windows
        return made

    def wants(self, tile: Tile) -> bool:
        """Whether a tile is explained whatever the network says of it."""
        seen = self.flagged is not None and bool(self.flagged[tile.row, tile.column])
        return self.explain_all or seen

    def count(self, rows: Sequence[Sequence[float]]) -> None:
        """Take the probabilities (T, K) of tiles that are done."""
        for row in rows:
            self.probability = list(map(max, self.probability, row))
            self.done += 1

    def found(self, names: Sequence[str], damaged: Sequence[bool]) -> list[Found]:
        """What was found of each class; damaged: whether some tile was said to show it."""
        return [
            Found(
                name,
                self.probability[kind],
                damaged[kind],
                self.explained[kind],
                self._reduced(self.relevance[kind]),
                None if self.likelihood is None else self._reduced(self.likelihood[kind]),
            )
            for kind, name in enumerate(names)
        ]

    def suspect(self, tiles: Sequence[Tile], values: Sequence[float]) -> None:
        """Note how much a first look suspects tiles, 0 or more."""
        if self.suspicion is None:
            self.suspicion = np.zeros(self.grid.shape, np.float32)
        for tile, value in zip(tiles, values, strict=True):
            self.suspicion[tile.row, tile.column] = value
        self.looked += len(tiles)

    @property
    def step(self) -> Step:
        """Where it stands."""
        done, total = self.done + self.heard, len(self.grid) + self.windows
        return Step(done, total, self.sketch, max(self.done, self.looked) + self.heard)

    def sketch(self, size: tuple[int, int]) -> Map:
        """See `Step`. Until there is relevance, it is what a first look suspects."""
        if self.suspicion is not None and not any(self.explained):
            seen = cv2.resize(self.suspicion, size[::-1], interpolation=cv2.INTER_LINEAR)
            return np.asarray(seen, np.float32)
        merged = reduce(np.maximum, self.relevance)
        return np.asarray(cv2.resize(merged, size[::-1], interpolation=cv2.INTER_AREA), np.float32)

    def _reduced(self, merged: Map) -> Map:
        """A map of the canvas at the image's own size, read-only."""
        height, width = self.image.shape[:2]
        if merged.shape != (height, width):
            merged = np.asarray(
                cv2.resize(merged, (width, height), interpolation=cv2.INTER_AREA), np.float32
            )
        merged.flags.writeable = False
        return merged


def probabilities(log_odds: Tensor) -> list[list[float]]:
    """Log-odds (B, K) to probabilities; raises `RelevanceError` for NaN."""
    # On the CPU: not every device has float64 (MPS).
    rows: list[list[float]] = sigmoid(log_odds.cpu().double()).tolist()
    if not all(math.isfinite(p) for row in rows for p in row):
        # max() would pass over it, and the picture would count as intact.
        raise RelevanceError(
            "The network gave NaN. Try another device (--device cpu), or fetch its weights again."
        )
    return rows
