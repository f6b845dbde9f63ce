"""From a picture to what the encoder gives of its patches."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lrpseg.models.inputs import Normalisation
from lrpseg.models.vit import PATCH, VisionTransformer

BLOCKS = (6, 9)
"""Blocks whose tokens are taken, counted from 1: the middle of the twelve. Later ones know what a
thing is, earlier ones only its edges; chosen by leaving regions out (docs/results)."""

ENLARGED = 1.75
"""Pictures are enlarged by this, so that a patch is 8 pixels of the surface."""

MOST = 80
"""Patches along a side up to which a picture is seen at once."""

SIDE = 48
"""Patches along a side of the windows of a larger one: attention costs the square of all that are
seen at once, and the encoder learned from 37."""

SHARED = 4
"""Patches that neighbouring windows of larger pictures share, at least."""


AT_ONCE = 8
"""Windows that a GPU sees at once."""

MARGIN = 2
"""Pixels around a window that cubic interpolation looks at."""

Place = tuple["Window", "Window"]
"""A window of a picture: of its rows, and of its columns."""


@dataclass(frozen=True)
class PatchTokens:
    """An encoder, and how pictures are shown to it.

    Thread-safe, as it changes nothing. `enlarged` times as many pixels along a side; `blocks`,
    counted from 1, in whose order their tokens stand behind each other.
    """

    encoder: VisionTransformer
    blocks: Sequence[int] = BLOCKS
    enlarged: float = ENLARGED
    normalisation: Normalisation = field(default_factory=Normalisation)

    @property
    def channels(self) -> int:
        """Numbers of a patch, C."""
        return self.encoder.width * len(self.blocks)

    def __call__(self, pixels: NDArray[np.uint8]) -> Tensor:
        """(H, W, 3) uint8 RGB to float32 (h, w, C) on the CPU, of patches that cover it evenly.

        A picture of more than `MOST` patches along a side is seen in windows.
        """
        found = torch.empty(*self.patches(pixels.shape), self.channels)
        for places in self.batches(pixels.shape):
            for (rows, columns), part in zip(places, self.windows(pixels, places), strict=True):
                found[rows.kept, columns.kept] = part[rows.inside, columns.inside].cpu()
        return found

    def patches(self, shape: Sequence[int]) -> tuple[int, int]:
        """Patches (h, w) that cover a picture of the shape (H, W, ...)."""
        height, width = (max(1, round(n * self.enlarged / PATCH)) for n in shape[:2])
        return height, width

    def layout(self, shape: Sequence[int]) -> list["Place"]:
        """The windows in which a picture of the shape (H, W, ...) is seen; they are of one size."""
        height, width = self.patches(shape)
        return list(product(windows(height), windows(width)))

    def batches(self, shape: Sequence[int]) -> list[list["Place"]]:
        """The same, those together that are seen at once."""
        layout = self.layout(shape)
        count = 1 if self.encoder.cls_token.device.type == "cpu" else AT_ONCE
        return [layout[first : first + count] for first in range(0, len(layout), count)]

    def shown(self, pixels: NDArray[np.uint8], place: "Place") -> NDArray[np.uint8]:
        """(h, w, 3) uint8: a window of (H, W, 3) uint8 RGB as it is shown to the encoder. Where
        pictures are enlarged, what is outside of it is not: ten times a camera's picture is more
        than the memory of many machines."""
        rows, columns = (
            (w.pixels, count * PATCH, side)
            for w, count, side in zip(place, self.patches(pixels.shape), pixels.shape, strict=False)
        )
        size, shrunk = (columns[1], rows[1]), columns[1] < pixels.shape[1]
        if shrunk or all(seen == slice(0, count) for seen, count, _ in (rows, columns)):
            how = cv2.INTER_AREA if shrunk else cv2.INTER_CUBIC
            whole = cv2.resize(pixels, size, interpolation=how)
            return np.asarray(whole, np.uint8)[rows[0], columns[0]]
        (y, part_y), (x, part_x) = _sources(*rows), _sources(*columns)
        at_x, at_y = np.meshgrid(x - part_x.start, y - part_y.start)
        enlarged = cv2.remap(
            np.ascontiguousarray(pixels[part_y, part_x]),
            at_x.astype(np.float32), at_y.astype(np.float32), cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        return np.asarray(enlarged, np.uint8)

    @torch.inference_mode()
    def windows(self, pixels: NDArray[np.uint8], places: Sequence["Place"]) -> Tensor:
        """Tokens (B, h, w, C) float32, on the encoder's device, of B windows of a picture (H, W, 3)
        uint8 RGB."""
        where = self.encoder.cls_token.device
        shown = np.stack([self.shown(pixels, place) for place in places])
        x = self.normalisation(torch.from_numpy(shown).to(where))
        with torch.autocast(where.type, torch.bfloat16, enabled=_halves(where)):
            found = self.encoder(x)
        return torch.cat([found[block - 1].float() for block in self.blocks], dim=-1)


def _sources(seen: slice, count: int, side: int) -> tuple[NDArray[np.float64], slice]:
    """Along one axis of `side` pixels, which is shown as `count`: where those `seen` come from, in
    pixels, and the part that is needed to interpolate them."""
    at = (np.arange(seen.start, seen.stop) + 0.5) * side / count - 0.5
    first, last = math.floor(at[0]) - MARGIN, math.ceil(at[-1]) + MARGIN
    return at, slice(max(0, first), min(side, last + 1))


def _halves(where: torch.device) -> bool:
    """Whether a device multiplies bfloat16 faster than float32."""
    if where.type == "cpu":
        told: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
        return any(told.get(name, False) for name in ("amx_bf16", "avx512_bf16"))
    return where.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


@dataclass(frozen=True)
class Window:
    """Along one axis, in patches: `start` to `stop` are seen at once, and of these `first` to
    `last` kept, ends exclusive."""

    start: int
    stop: int
    first: int
    last: int

    @property
    def pixels(self) -> slice:
        """What is seen, in pixels."""
        return slice(self.start * PATCH, self.stop * PATCH)

    @property
    def kept(self) -> slice:
        """Where what is kept lies in the picture."""
        return slice(self.first, self.last)

    @property
    def inside(self) -> slice:
        """Where what is kept lies in the window."""
        return slice(self.first - self.start, self.last - self.start)


def windows(
    count: int, most: int = MOST, side: int = SIDE, shared: int = SHARED
) -> Iterator[Window]:
    """Windows along an axis of `count` patches: all of it where it is no longer than `most`, else
    the fewest of `side`, evenly spaced, that share `shared` patches at least, of which each keeps
    its half. `side` is not more than `most`, and more than `shared`.

    >>> [(w.start, w.stop, w.first, w.last) for w in windows(100, 80, 60, 10)]
    [(0, 60, 0, 50), (40, 100, 50, 100)]
    """
    if count <= most:
        yield Window(0, count, 0, count)
        return
    parts = math.ceil((count - shared) / (side - shared))
    starts = [i * (count - side) // (parts - 1) for i in range(parts)]
    edges = [0, *((a + side + b) // 2 for a, b in pairwise(starts)), count]
    for start, (first, last) in zip(starts, pairwise(edges), strict=True):
        yield Window(start, start + side, first, last)
