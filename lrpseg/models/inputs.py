"""What stands before and behind a network: how its input is normalised, its output calibrated."""

from dataclasses import dataclass
from math import inf, isfinite

import torch
from torch import Tensor


@dataclass(frozen=True)
class Normalisation:
    """Per-channel mean and standard deviation of RGB values scaled to [0, 1]."""

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __call__(self, images: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 to (B, 3, H, W) float32, on the device where `images` is."""
        mean = torch.tensor(self.mean, device=images.device).view(1, 3, 1, 1)
        std = torch.tensor(self.std, device=images.device).view(1, 3, 1, 1)
        return (images.permute(0, 3, 1, 2).float() / 255 - mean) / std

    def bounds(self) -> tuple[Tensor, Tensor]:
        """Lowest and highest normalised value of a pixel, (1, 3, 1, 1) float64: the z^B box."""
        mean = torch.tensor(self.mean, dtype=torch.float64).view(1, 3, 1, 1)
        std = torch.tensor(self.std, dtype=torch.float64).view(1, 3, 1, 1)
        return (0 - mean) / std, (1 - mean) / std


@dataclass(frozen=True)
class Calibration:
    """Slope and offset of a classifier's log-odds (`VggA.calibrate`) that its weights do not hold.
    weights: SHA-256 of the file for which they were fitted, in hexadecimal."""

    slope: float
    offset: float
    weights: str

    def __post_init__(self) -> None:
        if not 0 < self.slope < inf or not isfinite(self.offset):
            raise ValueError("a calibration's slope is positive, and its offset finite")
