"""How far a patch is from all patches of intact surfaces (PatchCore, Roth et al. 2022, DOI
10.1109/CVPR52688.2022.01392, section 3.3, without its reweighting)."""

import torch
from torch import Tensor

HIGHEST = 5
"""Patches whose mean is a picture's."""
AT_ONCE = 1 << 24
"""Distances in memory at a time."""


def nearest(patches: Tensor, bank: Tensor) -> Tensor:
    """Euclidean distance (N,) of each of the patches (N, D) to the nearest in the bank (M, D).

    Raises `ValueError` for an empty bank.
    """
    if not len(bank):
        raise ValueError("The bank has no patches.")
    squares = bank.square().sum(dim=1)
    parts = patches.split(max(1, AT_ONCE // len(bank)))
    found = [torch.addmm(squares, part, bank.T, alpha=-2).amin(dim=1) for part in parts]
    return (torch.cat(found) + patches.square().sum(dim=1)).clamp(min=0).sqrt()


def highest(values: Tensor, count: int = HIGHEST) -> float:
    """Mean of the `count` highest of a picture's values, of any shape; of all where there are
    fewer."""
    flat = values.flatten()
    return float(flat.topk(min(count, len(flat))).values.mean())
