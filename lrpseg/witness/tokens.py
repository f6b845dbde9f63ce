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
        shown = self.shown(pixels)
        found = torch.empty(*self.patches(pixels.shape), self.channels)
        for rows, columns in self.layout(pixels.shape):
            part = self.window(shown, rows, columns)
            found[rows.kept, columns.kept] = part[rows.inside, columns.inside].cpu()
        return found

    def patches(self, shape: Sequence[int]) -> tuple[int, int]:
        """Patches (h, w) that cover a picture of the shape (H, W, ...)."""
        height, width = (max(1, round(n * self.enlarged / PATCH)) for n in shape[:2])
        return height, width

    def layout(self, shape: Sequence[int]) -> list[tuple["Window", "Window"]]:
        """Windows, of rows and of columns, in which a picture of the shape (H, W, ...) is seen."""
        height, width = self.patches(shape)
        return list(product(windows(height), windows(width)))

    def shown(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB at the size at which it is shown to the encoder."""
        height, width = self.patches(pixels.shape)
        size = (width * PATCH, height * PATCH)
        how = cv2.INTER_AREA if size[0] < pixels.shape[1] else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)

    @torch.inference_mode()
    def window(self, shown: NDArray[np.uint8], rows: "Window", columns: "Window") -> Tensor:
        """Tokens (h, w, C) float32, on the encoder's device, of a window of a picture as it is
        `shown`."""
        where = self.encoder.cls_token.device
        part = np.ascontiguousarray(shown[None, rows.pixels, columns.pixels])
        x = self.normalisation(torch.from_numpy(part).to(where))
        with torch.autocast(where.type, torch.bfloat16, enabled=_halves(where)):
            found = self.encoder(x)
        return torch.cat([found[block - 1][0].float() for block in self.blocks], dim=-1)


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
