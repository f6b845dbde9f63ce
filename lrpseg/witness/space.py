"""The space in which patches are compared: what of their tokens varies on intact surfaces."""

from dataclasses import dataclass

import torch
from torch import Tensor

COMPONENTS = 256


@dataclass(frozen=True)
class Space:
    """Principal components of tokens (Pearson 1901) of C numbers, D of them.

    scale: (C,), one number for each block, which gives each block the same say. mean: (C,) of
    tokens that are scaled. components: (C, D), orthonormal. spread: (D,), the standard deviation
    along each of them. All float32.
    """

    scale: Tensor
    mean: Tensor
    components: Tensor
    spread: Tensor

    @classmethod
    def of(cls, tokens: Tensor, block: int, components: int = COMPONENTS) -> "Space":
        """That of `tokens` (N, C), as of `centred` pictures; block: numbers of one block's.

        Raises `ValueError` for fewer than two tokens, or such that do not vary.
        """
        if len(tokens) < 2:
            raise ValueError("Principal components take two tokens at least.")
        tokens = tokens.double()
        total = tokens.var(dim=0).reshape(-1, block).sum(dim=1)
        if not (total > 0).all():
            raise ValueError("The tokens of a block are all alike.")
        scale = total.rsqrt().repeat_interleave(block)
        scaled = tokens * scale
        mean = scaled.mean(dim=0)
        values, vectors = torch.linalg.eigh((scaled - mean).T @ (scaled - mean) / len(tokens))
        kept = min(components, tokens.shape[1])
        spread = values[-kept:].clamp(min=0).sqrt()
        return cls(scale.float(), mean.float(), vectors[:, -kept:].float(), spread.float())

    def to(self, where: torch.device) -> "Space":
        """The same on another device."""
        parts = (self.scale, self.mean, self.components, self.spread)
        return Space(*(part.to(where) for part in parts))

    def __call__(self, tokens: Tensor) -> Tensor:
        """(..., C) tokens of a `centred` picture to (..., D)."""
        return (tokens * self.scale - self.mean) @ self.components


def centred(tokens: Tensor) -> Tensor:
    """(h, w, C) of one picture less their mean: what is the same all over it, such as its light,
    says nothing of a place."""
    return tokens - tokens.mean(dim=(0, 1))
