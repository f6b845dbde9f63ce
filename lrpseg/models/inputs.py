"""What stands before and behind a network: how its input is normalised, its output calibrated."""

from collections.abc import Mapping
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
    """Slope and offset of a classifier's log-odds (`Classifier.calibrate`) that its weights do not
    hold: a number each, or of several classes a tuple of one for each class. weights: SHA-256 of
    the file for which they were fitted, in hexadecimal."""

    slope: float | tuple[float, ...]
    offset: float | tuple[float, ...]
    weights: str

    def __post_init__(self) -> None:
        slopes, offsets = _each(self.slope), _each(self.offset)
        if not all(0 < slope < inf for slope in slopes) or not all(map(isfinite, offsets)):
            raise ValueError("a calibration's slope is positive, and its offset finite")

    def __str__(self) -> str:
        """Both in short, as keys of what was made with them hold it."""
        return ",".join(f"{value:g}" for value in (*_each(self.slope), *_each(self.offset)))


@dataclass(frozen=True)
class Ranges:
    """The highest outputs of a classifier's layers on training pictures, by the layer's name, which
    its features in 8 bits need (`lrpseg.lrp.quantized`). weights: SHA-256 of the file with which
    they were measured, in hexadecimal."""

    highest: Mapping[str, float]
    weights: str

    def __post_init__(self) -> None:
        if not self.highest or not all(0 < value < inf for value in self.highest.values()):
            raise ValueError("ranges have the highest output of each layer, a positive number")


def _each(values: float | tuple[float, ...]) -> tuple[float, ...]:
    return values if isinstance(values, tuple) else (values,)
