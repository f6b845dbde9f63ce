"""DINOv2's vision transformer, as far as the witness reads it: tokens of patches, block by block.

Names of weights are timm's (`vit_small_patch14_dinov2`), which `tests/models/test_vit.py` compares
it with. timm itself is no package of the app: it brings all of torchvision, which takes seconds to
import, for a dozen layers.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate, scaled_dot_product_attention

PATCH = 14
"""Side of a patch in pixels."""
GRID = 37
"""Patches along a side of the pictures that it was trained on."""


class _Attention(nn.Module):
    """Multi-head self-attention: (B, N, C) to (B, N, C)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, count, width = x.shape
        parts = self.qkv(x).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = scaled_dot_product_attention(query, key, value)
        return self.proj(mixed.transpose(1, 2).reshape(batch, count, width))


class _Perceptron(nn.Module):
    """Two linear layers: (B, N, C) to (B, N, C)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(gelu(self.fc1(x)))


class _Scale(nn.Module):
    """LayerScale (Touvron et al. 2021, arXiv:2103.17239)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class _Block(nn.Module):
    """A block of the transformer: (B, N, C) to (B, N, C)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = _Attention(width, heads)
        self.ls1 = _Scale(width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = _Perceptron(width)
        self.ls2 = _Scale(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))


class VisionTransformer(nn.Module):
    """ViT-S/14 of DINOv2 (Oquab et al. 2023, arXiv:2304.07193), or its first `depth` blocks.

    heads: of attention; they divide `width`.
    """

    def __init__(self, depth: int = 12, width: int = 384, heads: int = 6) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + GRID**2, width))
        self.patch_embed = nn.Sequential()
        self.patch_embed.add_module("proj", nn.Conv2d(3, width, PATCH, PATCH))
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(depth))

    @property
    def width(self) -> int:
        """Numbers of a token."""
        return self.cls_token.shape[-1]

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised, H and W multiples of `PATCH`, to what each block gives of each
        patch: tensors (B, H / PATCH, W / PATCH, width)."""
        tokens = self.patch_embed(x)
        rows, columns = tokens.shape[2:]
        tokens = tokens.flatten(2).transpose(1, 2) + self._places(rows, columns)
        first = (self.cls_token + self.pos_embed[:, :1]).expand(len(tokens), -1, -1)
        tokens = torch.cat([first, tokens], dim=1)
        found = []
        for block in self.blocks:
            tokens = block(tokens)
            found.append(tokens[:, 1:].reshape(len(tokens), rows, columns, -1))
        return found

    def _places(self, rows: int, columns: int) -> Tensor:
        """The embedding of places, at the size of this input (1, rows * columns, width)."""
        held = self.pos_embed[:, 1:].reshape(1, GRID, GRID, -1).permute(0, 3, 1, 2)
        if (rows, columns) != (GRID, GRID):
            held = interpolate(held, size=(rows, columns), mode="bicubic", antialias=True)
        return held.flatten(2).transpose(1, 2)
