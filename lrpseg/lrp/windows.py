"""A first look at many tiles at once: which of them are surely intact.

Overlapping tiles run each pixel's convolutions about twice. Here the convolutions run once over a
window, each tile's features are cut out of them, and the head decides on each. That is not exactly
what a tile by itself gives: at its edges the convolutions see the surroundings instead of zeros,
with which the network was trained, and places are those of the coarsest features. So nothing more
is concluded from it than that a tile is surely intact: all others run by themselves.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lrpseg.lrp.engine import LeanEngine
from lrpseg.lrp.explainer import Explainer, LeanExplainer
from lrpseg.models.contract import log_odds_of
from lrpseg.models.loaded import Loaded

Corner = tuple[int, int]
"""First pixel (y, x) of a tile in its window, multiples of the network's coarsest stride."""


class Windows:
    """Classifies the tiles of a window by the lean engine, for a network whose head reads its last
    features alone. Windows and corners are multiples of `stride`."""

    def __init__(self, network: Loaded, engine: LeanEngine) -> None:
        self._network, self._engine = network, engine
        self.stride, self._side = network.classifier.stages[-1].stride, network.tile

    @torch.inference_mode()
    def __call__(self, x: Tensor, corners: Sequence[Corner]) -> Tensor:
        """(1, 3, H, W) normalised to log-odds (T, K) of the tiles at T corners."""
        features = _cut(self._engine.features(x), corners, self._side, self.stride)
        log_odds = log_odds_of(self._engine.head(features), len(self._network.classes))
        likelihood = self._network.likelihood(x)
        tiles = None if likelihood is None else _cut(likelihood, corners, self._side, 1)
        return self._network.judge(tiles, log_odds)


def windows_of(network: Loaded, reason: Explainer) -> Windows | None:
    """A first look for a network whose relevance `reason` gives; None where that is not the lean
    engine, or the head reads more than the last features."""
    if not isinstance(reason, LeanExplainer) or reason.engine.cut is None:
        return None
    return Windows(network, reason.engine)


def _cut(maps: Tensor, corners: Sequence[Corner], side: int, stride: int) -> Tensor:
    """Tiles (T, C, side / stride, side / stride) of maps (1, C, H / stride, W / stride)."""
    n = side // stride
    return torch.cat([maps[:, :, y // stride :, x // stride :][..., :n, :n] for y, x in corners])
