"""A first look at a picture's tiles, cheaper than the explainer and less exact.

It is followed only where it says that a tile is surely intact: all others run by themselves, so
that masks are those of tiles.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from lrpseg.core.registry import Registry
from lrpseg.domains import Domain
from lrpseg.lrp.explainer import Explainer, LeanExplainer
from lrpseg.lrp.quantized import CannotQuantizeError, Quantized, pays
from lrpseg.lrp.windows import Windows, windows_of
from lrpseg.models.checkpoints import checkpoint_hash
from lrpseg.models.contract import log_odds_of
from lrpseg.models.inputs import Normalisation
from lrpseg.models.loaded import Loaded
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.jobs import Job
from lrpseg.pipeline.tiling import Tile

logger = logging.getLogger(__name__)

SURE = 2.0
"""Log-odds as far below 0 in a first look as this are intact: a probability of 0.12."""

MOST = 0.5
"""Share of tiles that are not surely intact from which on no further window is looked at first."""

WINDOW = 2.0
"""Pixels of a window as a share of those of a batch of tiles."""

Seen = tuple[list[Tile], Tensor | None]
"""Tiles and their log-odds (T, K); None: they were not looked at."""


class Look(Protocol):
    """Looks at tiles; safe to call from many threads."""

    def over(self, job: Job, batch: int) -> Iterator[Seen]:
        """All tiles of a picture, in groups; batch: tiles that may be in memory at once."""
        ...

    @property
    def tiles(self) -> Callable[[Tensor], Tensor] | None:
        """(T, side, side, 3) uint8 to log-odds (T, K); None: it pays for large pictures alone."""
        ...


@dataclass(frozen=True)
class Quick:
    """Tiles by features in 8 bits; the head, and what a network proposes, as ever."""

    network: Loaded
    features: Quantized
    normalisation: Normalisation

    def over(self, job: Job, batch: int) -> Iterator[Seen]:
        every = list(job.grid)
        for first in range(0, len(every), batch):
            tiles = every[first : first + batch]
            yield tiles, self.tiles(pixels_of([(job, tile) for tile in tiles]))

    @torch.inference_mode()
    def tiles(self, pixels: Tensor) -> Tensor:
        scales = self.features(self.normalisation(pixels))
        outputs = self.network.classifier.classify(scales[-1])
        log_odds = log_odds_of(outputs, len(self.network.classes))
        return self.network.judge(self.network.likelihood_of(scales), log_odds)


@dataclass(frozen=True)
class InWindows:
    """Tiles of a large picture by features of windows, see `lrpseg.lrp.windows`."""

    windows: Windows
    normalisation: Normalisation
    device: torch.device
    tiles: None = None

    def over(self, job: Job, batch: int) -> Iterator[Seen]:
        """Where more than half of the tiles are in doubt, the others are not looked at: that
        would cost more than it saves."""
        seen, unsure = 0, 0
        for tiles in job.grid.windows(int(WINDOW * batch * job.grid.tile**2)):
            if unsure > seen * MOST:
                yield tiles, None
                continue
            log_odds = self._window(job, tiles)
            seen, unsure = seen + len(tiles), unsure + int(in_doubt(log_odds).sum())
            yield tiles, log_odds

    def _window(self, job: Job, tiles: Sequence[Tile]) -> Tensor:
        side, stride = job.grid.tile, self.windows.stride
        height, width = job.canvas.shape[:2]
        high = _up(tiles[-1].y + side - tiles[0].y, stride, height)
        wide = _up(tiles[-1].x + side - tiles[0].x, stride, width)
        top, left = min(tiles[0].y, height - high), min(tiles[0].x, width - wide)
        there = np.ascontiguousarray(job.canvas[None, top : top + high, left : left + wide])
        x = self.normalisation(torch.from_numpy(there).to(self.device))

        def nearest(at: int, size: int) -> int:
            return min(round(at / stride) * stride, size - side)

        corners = [(nearest(t.y - top, high), nearest(t.x - left, wide)) for t in tiles]
        return self.windows(x, corners)


def _up(length: int, stride: int, most: int) -> int:
    """The next multiple of `stride`, or the last one within `most`."""
    return min(-(-length // stride), most // stride) * stride


def in_doubt(log_odds: Tensor) -> Tensor:
    """Log-odds (T, K) of a first look to a bool (T,): not surely intact."""
    return (log_odds > -SURE).any(dim=1)


def pixels_of(tiles: Sequence[tuple[Job, Tile]]) -> Tensor:
    """(T, side, side, 3) uint8: a copy of the tiles' pixels."""
    return torch.from_numpy(np.stack([tile.of(job.canvas) for job, tile in tiles]))


@dataclass(frozen=True)
class Parts:
    """What a look is made from: a domain's network on a device, and what gives its relevance."""

    domain: Domain
    name: str
    network: Loaded
    reason: Explainer
    device: torch.device


def _windows(parts: Parts) -> Look | None:
    windows = windows_of(parts.network, parts.reason)
    normalisation = parts.domain.normalisation
    return None if windows is None else InWindows(windows, normalisation, parts.device)


def _quick(parts: Parts) -> Look | None:
    """In 8 bits where the device, the network and the domain have what that needs, else in
    windows."""
    domain, network, declared = parts.domain, parts.network, NETWORKS[parts.name]
    explained = declared.explains(domain)
    ranges = domain.ranges.get(explained)
    if ranges is None or not pays(parts.device) or not isinstance(parts.reason, LeanExplainer):
        return _windows(parts)
    try:
        if ranges.weights != checkpoint_hash(domain.checkpoint(explained)):
            raise CannotQuantizeError("ranges of these weights")
        highest, norm = ranges.highest, domain.normalisation
        # What proposes masks reads all stages.
        features = Quantized(network.classifier, norm, highest, every=declared.proposes)
        return Quick(network, features, norm)
    except CannotQuantizeError as error:
        logger.warning("%s has no first look in 8 bits: it lacks %s.", explained, error)
        return _windows(parts)


class Tiling(Protocol):
    """The first look for a network; None: each tile runs by itself."""

    def __call__(self, parts: Parts) -> Look | None: ...


TILINGS: Registry[Tiling] = Registry("tiling")
TILINGS.add("quick", _quick)
TILINGS.add("windows", _windows)
TILINGS.add("tiles", lambda parts: None)
