"""Fewer patches that stand for many: of a bank those that lie farthest apart."""

import torch
from torch import Tensor


def coreset(patches: Tensor, count: int) -> Tensor:
    """Indices (count,) of those of the patches (N, D) that cover all of them best, or all N: each
    is the one farthest from those before it (greedy k-centre, Gonzalez 1985, DOI
    10.1016/0304-3975(85)90224-5, as in PatchCore, section 3.2); the first is the one farthest from
    their mean.

    Raises `ValueError` for no patches, or a count below 1.
    """
    if not len(patches) or count < 1:
        raise ValueError("A bank keeps one patch at least, of one at least.")
    if count >= len(patches):
        return torch.arange(len(patches), device=patches.device)
    squares = patches.square().sum(dim=1)
    mean = patches.mean(dim=0)
    chosen = torch.empty(count, dtype=torch.long, device=patches.device)
    chosen[0] = (patches - mean).square().sum(dim=1).argmax()
    left = torch.full_like(squares, torch.inf)
    for place in range(1, count):
        last = patches[chosen[place - 1]]
        # Squared distances to the last one, less what all share.
        found = torch.addmv(squares, patches, last, alpha=-2) + last.square().sum()
        left = torch.minimum(left, found)
        chosen[place] = left.argmax()
    return chosen
