"""Tokens of many pictures, computed once and kept on the disk."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from lrpseg.core.files import atomically
from lrpseg.core.images import enlarge_to, read_image
from lrpseg.witness.space import centred
from lrpseg.witness.tokens import PatchTokens
from training.data.datasets import Example
from training.data.drawn_damage import DRAWINGS, LEAST_SIDE, draw_damage


@dataclass(frozen=True)
class Tokens:
    """Tokens of the patches of N pictures, each picture's `centred`.

    values: (P, C) float16 of all patches. first: (N + 1,) place of each picture's first one.
    shapes: (N, 2), rows and columns of each. block: numbers of one of the encoder's blocks.
    """

    values: Tensor
    first: list[int]
    shapes: list[tuple[int, int]]
    block: int

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, index: int) -> Tensor:
        """(p, C) float32 of one picture."""
        return self.values[self.first[index] : self.first[index + 1]].float()

    def some(self, indices: Sequence[int], each: int, seed: int = 0) -> Tensor:
        """(n, C) float32: `each` patches at random of each of these pictures, or all it has."""
        random = np.random.default_rng(seed)
        rows = []
        for index in indices:
            first, end = self.first[index], self.first[index + 1]
            rows.append(first + random.permutation(end - first)[:each])
        return self.values[torch.from_numpy(np.concatenate(rows))].float()

    @classmethod
    def of(
        cls, examples: Sequence[Example], sees: PatchTokens, weights: str, cache: Path
    ) -> "Tokens":
        """Those of the examples' pictures; weights: hash of the encoder's file. What `cache` has of
        the same pictures, weights and ways of seeing is not computed again."""
        cache.mkdir(parents=True, exist_ok=True)
        parts, shapes = [], []
        for example in tqdm(examples, desc="tokens"):
            found = _cached(example, sees, weights, cache)
            shapes.append((found.shape[0], found.shape[1]))
            parts.append(found.reshape(-1, found.shape[2]))
        return cls._joined(parts, shapes, sees)

    @classmethod
    def _joined(
        cls, parts: Sequence[np.ndarray], shapes: list[tuple[int, int]], sees: PatchTokens
    ) -> "Tokens":
        first = np.cumsum([0, *map(len, parts)]).tolist()
        return cls(torch.from_numpy(np.concatenate(parts)), first, shapes, sees.encoder.width)


@dataclass(frozen=True)
class Drawn:
    """Tokens of intact pictures with damage drawn in (`training.data.drawn_damage`).

    owner: (N,) index of the example that was drawn into. cover: (P,) float32, the share of each
    patch that is damage, 0 to 1.
    """

    tokens: Tokens
    owner: list[int]
    cover: Tensor

    @classmethod
    def of(
        cls, examples: Sequence[Example], sees: PatchTokens, weights: str, cache: Path,
        drawing: str, seed: int = 0,
    ) -> "Drawn":  # fmt: skip
        """One of each intact example, cached as in `Tokens.of`; drawing: a name in `DRAWINGS`."""
        parts, shapes, covers, owner = [], [], [], []
        for index, example in enumerate(tqdm(examples, desc="drawn")):
            if example.damaged:
                continue
            image = enlarge_to(read_image(example.image), LEAST_SIDE)
            random = np.random.default_rng((seed, index))
            shown, mask = draw_damage(image, random, DRAWINGS[drawing])
            about = f"{drawing} {seed} {index}"
            found = _cached(example, sees, weights, cache, shown, about)
            height, width = found.shape[:2]
            share = mask.astype(np.float32)
            cover = cv2.resize(share, (width, height), interpolation=cv2.INTER_AREA)
            covers.append(torch.from_numpy(cover.ravel()))
            shapes.append((height, width))
            parts.append(found.reshape(-1, found.shape[2]))
            owner.append(index)
        return cls(Tokens._joined(parts, shapes, sees), owner, torch.cat(covers))


def _cached(
    example: Example, sees: PatchTokens, weights: str, cache: Path,
    shown: np.ndarray | None = None, about: str = "",
) -> np.ndarray:  # fmt: skip
    """Tokens (h, w, C) float16 of an example's picture, or of what is `shown` instead, which
    `about` tells from others."""
    key = hashlib.sha256(example.image.read_bytes())
    key.update(f"{weights} {tuple(sees.blocks)} {sees.enlarged} {sees.normalisation}".encode())
    key.update(about.encode())
    path = cache / f"{key.hexdigest()[:32]}.npy"
    if path.is_file():
        return np.load(path)
    pixels = read_image(example.image) if shown is None else shown
    found = centred(sees(pixels)).half().cpu().numpy()
    atomically(path, lambda file: np.save(file, found))
    return found
