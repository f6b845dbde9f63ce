"""Explains the tiles of a large window at once: what they share is computed once.

Overlapping tiles run each pixel's convolutions twice or more. Here the convolutions run over the
window, each tile's features are cut out of them, and the head decides on each. On the way back the
tiles' relevance is merged where it leaves the head, by the weights that blend tiles, and goes
through the convolutions once: relevance is linear in what it starts from. It is not exactly what
tiles by themselves give: at a tile's edge the convolutions see the surroundings instead of zeros,
and epsilon's root mean square is that of the window. Networks were trained with zeros there, and
call more tiles damaged without them. So a window only says which tiles are surely intact: all
others are decided once more, each by itself; where these are few, their relevance is that of tiles.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from lrpseg.lrp.engine import Activations, LeanEngine
from lrpseg.lrp.explainer import Explainer, LeanExplainer, Select
from lrpseg.models.contract import log_odds_of
from lrpseg.models.loaded import Loaded

SURE = 1.0
"""Log-odds as far below 0 in a window as this are intact: a probability of 0.27."""

AT_ONCE = 8
"""Tiles that are decided by themselves at a time."""

Corner = tuple[int, int]
"""First pixel (y, x) of a tile in its window, multiples of the network's coarsest stride."""


@dataclass(frozen=True)
class Seen:
    """What was found on a window (H, W) with T tiles, of K classes.

    log_odds: (T, K). selected: (T, K) bool, the pairs that were explained. relevance: (K, H, W),
    merged by the tiles' weights; likelihood: the same, of a network that proposes masks by itself,
    else None.
    """

    log_odds: Tensor
    selected: Tensor
    relevance: Tensor
    likelihood: Tensor | None


class WindowExplainer(Protocol):
    """Classifies the tiles of a window and explains some; safe to call from many threads.

    stride: of the features; windows and corners are multiples of it.
    """

    stride: int

    def __call__(
        self, x: Tensor, corners: Sequence[Corner], weights: Tensor, select: Select
    ) -> Seen:
        """`x`: (1, 3, H, W) normalised; weights: (T, side, side) of each tile's pixels in what is
        merged; select: as of an `Explainer`, of (T, K)."""
        ...


class Windows:
    """A `WindowExplainer` by the lean engine, for a network whose head reads its features alone."""

    def __init__(self, network: Loaded, engine: LeanEngine) -> None:
        assert engine.cut is not None
        self._network, self._engine = network, engine
        self.stride, self._side = network.classifier.stages[-1].stride, network.tile
        self._margin = -(-engine.reach // self.stride) * self.stride

    @torch.inference_mode()
    def __call__(
        self, x: Tensor, corners: Sequence[Corner], weights: Tensor, select: Select
    ) -> Seen:
        features = self._engine.features(x)
        act = self._engine.head(_cut(features.outputs[-1], corners, self._side, self.stride))
        log_odds = log_odds_of(act.logits, len(self._network.classes))
        likelihood = self._network.likelihood(x)
        if likelihood is not None:
            tiles = _cut(likelihood, corners, self._side, 1)
            log_odds = self._network.judge(tiles, log_odds)
        log_odds, alone = self._decided(x, corners, log_odds)
        selected = select(log_odds)
        shape = (len(self._network.classes), *x.shape[2:])
        relevance, own = x.new_zeros(shape), None if likelihood is None else x.new_zeros(shape)
        shares = avg_pool2d(weights[:, None], self.stride)
        # Where maxima lay is kept as places in the whole window.
        whole = any(k is not None and k.shape[2] > 1 for k in features.kept)
        for kind in range(shape[0]):
            (rows,) = selected[:, kind].nonzero(as_tuple=True)
            if not len(rows):
                continue
            there = [corners[i] for i in rows.tolist()]
            window = (x.shape[2], x.shape[3])
            box = (0, 0, *window) if whole else _around(there, self._side, self._margin, window)
            if alone.has(rows) and fewer(len(rows) * self._side**2, box):
                given = self._engine.relevance(alone.of(rows), torch.full_like(rows, kind))
                tiles = (given * weights[rows])[:, None]
                relevance[kind] = _merged(tiles, there, (0, 0, *window), 1)[0, 0]
            else:
                given = self._engine.relevance(act.rows(rows), torch.full_like(rows, kind))
                top, left, bottom, right = box
                relevance[kind, top:bottom, left:right] = self._engine.features_relevance(
                    _part(features, box), _merged(given * shares[rows], there, box, self.stride)
                )[0]
            if own is not None and likelihood is not None:
                total = _merged(weights[rows][:, None], there, (0, 0, *window), 1)
                own[kind] = likelihood[0, kind] * total[0, 0]
        return Seen(log_odds, selected, relevance, own)

    def _decided(
        self, x: Tensor, corners: Sequence[Corner], log_odds: Tensor
    ) -> tuple[Tensor, "Alone"]:
        """The log-odds, with those of each tile by itself where it is not surely intact; and the
        last of these tiles."""
        (doubtful,) = (log_odds > -SURE).any(dim=1).nonzero(as_tuple=True)
        decided, alone = log_odds.clone(), Alone(doubtful[:0], None)
        for rows in doubtful.split(AT_ONCE):
            if not len(rows):
                continue
            tiles = _cut(x, [corners[i] for i in rows.tolist()], self._side, 1)
            act = self._engine.forward(tiles)
            odds = log_odds_of(act.logits, len(self._network.classes))
            decided[rows] = self._network.judge(self._network.likelihood(tiles), odds).to(decided)
            alone = Alone(rows, act)
        return decided, alone


@dataclass(frozen=True)
class Alone:
    """Tiles of a window that ran by themselves: their indices in it, (N,), and activations."""

    rows: Tensor
    act: Activations | None

    def has(self, rows: Tensor) -> bool:
        """Whether all tiles `rows` are among them."""
        return bool(torch.isin(rows, self.rows).all())

    def of(self, rows: Tensor) -> Activations:
        """The activations of the tiles `rows`."""
        assert self.act is not None
        return self.act.rows(torch.searchsorted(self.rows, rows))


def fewer(pixels: int, box: "Box") -> bool:
    """Whether tiles of so many pixels in all are less to go through than the box around them."""
    return pixels <= (box[2] - box[0]) * (box[3] - box[1])


def windows_of(network: Loaded, reason: Explainer) -> Windows | None:
    """Explains windows for a network whose relevance `reason` gives; None where that is not the
    lean engine, or the head reads more than the last features."""
    if not isinstance(reason, LeanExplainer) or reason.engine.cut is None:
        return None
    return Windows(network, reason.engine)


def _cut(maps: Tensor, corners: Sequence[Corner], side: int, stride: int) -> Tensor:
    """Tiles (T, C, side / stride, side / stride) of maps (1, C, H / stride, W / stride)."""
    n = side // stride
    return torch.cat([maps[:, :, y // stride :, x // stride :][..., :n, :n] for y, x in corners])


def _merged(tiles: Tensor, corners: Sequence[Corner], box: "Box", stride: int) -> Tensor:
    """The sum of tiles (T, C, n, n) at their places in a box: (1, C, rows, columns)."""
    top, left, bottom, right = (side // stride for side in box)
    n = tiles.shape[-1]
    found = tiles.new_zeros(1, tiles.shape[1], bottom - top, right - left)
    for tile, (y, x) in zip(tiles, corners, strict=True):
        found[0, :, y // stride - top :, x // stride - left :][:, :n, :n] += tile
    return found


Box = tuple[int, int, int, int]
"""Top, left, bottom, right in pixels; the last two lie outside."""


def _around(corners: Sequence[Corner], side: int, margin: int, window: tuple[int, int]) -> Box:
    """What tiles and a margin cover of a window."""
    ys, xs = zip(*corners, strict=True)
    return (
        max(0, min(ys) - margin),
        max(0, min(xs) - margin),
        min(window[0], max(ys) + side + margin),
        min(window[1], max(xs) + side + margin),
    )


def _part(act: Activations, box: Box) -> Activations:
    """Activations of a box of their input, without copies.

    Relevance has to be zero at its sides: rules look at the neighbours of an activation, and there
    the outside is gone.
    """
    top, left, bottom, right = box
    height = act.x.shape[2]

    def part(t: Tensor) -> Tensor:
        stride = height // t.shape[2]
        return t[:, :, top // stride : bottom // stride, left // stride : right // stride]

    return Activations(part(act.x), [part(t) for t in act.outputs], act.kept, act.first)
