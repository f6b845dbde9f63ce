"""The loss of segmenters that learn from masks which are not equally sure everywhere."""

import torch
from torch import Tensor, nn


def weighted_loss(logits: Tensor, masks: Tensor, weights: Tensor) -> Tensor:
    """Cross entropy plus soft Dice of the whole batch, each pixel by its weight.

    Damage covers so little that cross entropy alone calls everything intact for long; soft Dice
    (Milletari, Navab, Ahmadi 2016, DOI 10.1109/3DV.2016.79) does not depend on its share.

    Args:
        logits: (B, 2, H, W) float32 of (intact, damaged).
        masks: (B, H, W) bool, true where damaged, or float32, how likely that is.
        weights: (B, H, W) float32, 0 (does not count) to 1.
    """
    truth = masks.float()
    entropy = nn.functional.cross_entropy(
        logits, torch.stack([1 - truth, truth], dim=1), reduction="none"
    )
    entropy = (entropy * weights).sum() / weights.sum().clamp(min=1)
    likelihood, truth = torch.softmax(logits, dim=1)[:, 1] * weights, truth * weights
    overlap = (likelihood * masks).sum()
    # The 1 keeps a batch without damage from dividing by zero.
    return entropy + 1 - (2 * overlap + 1) / (likelihood.sum() + truth.sum() + 1)
