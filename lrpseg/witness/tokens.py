"""From a picture to what the encoder gives of its patches."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

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

WINDOW = 640
"""Longest side in pixels of what is seen at once: attention costs the square of it."""

OVERLAP = 64
"""Pixels that neighbouring windows of larger pictures share."""


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

    @torch.inference_mode()
    def __call__(self, pixels: NDArray[np.uint8]) -> Tensor:
        """(H, W, 3) uint8 RGB to float32 (h, w, C), of patches that cover it evenly."""
        height, width = (max(1, round(n * self.enlarged / PATCH)) for n in pixels.shape[:2])
        size = (width * PATCH, height * PATCH)
        shrinks = size[0] < pixels.shape[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        shown = np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)
        where = self.encoder.cls_token.device
        x = self.normalisation(torch.from_numpy(shown[None]).to(where))
        with torch.autocast(where.type, torch.bfloat16, enabled=_halves(where)):
            found = self.encoder(x)
        return torch.cat([found[block - 1][0].float() for block in self.blocks], dim=-1)


def _halves(where: torch.device) -> bool:
    """Whether a device multiplies bfloat16 faster than float32."""
    if where.type == "cpu":
        return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return where.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def windows(height: int, width: int, most: int = WINDOW, overlap: int = OVERLAP) -> Iterator[
    tuple[slice, slice]
]:  # fmt: skip
    """Rectangles of a picture (height, width) that are seen at once: all of it where no side is
    longer than `most`, else the fewest of about one size that share `overlap` pixels at least."""

    def parts(length: int) -> list[slice]:
        if length <= most:
            return [slice(0, length)]
        count = math.ceil((length - overlap) / (most - overlap))
        side = math.ceil((length + (count - 1) * overlap) / count)
        starts = (round(i * (length - side) / (count - 1)) for i in range(count))
        return [slice(start, start + side) for start in starts]

    yield from product(parts(height), parts(width))
