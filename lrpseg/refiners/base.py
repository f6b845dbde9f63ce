"""What every refiner shares: its entry in the registry."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrpseg.thresholders.base import Fitted

Image = NDArray[np.uint8]
Likelihood = NDArray[np.float32]

Refine = Callable[[Image, NDArray[np.float32], NDArray[np.float32], Fitted], Fitted]
"""From a picture (H, W, 3) uint8 RGB, its relevance (H, W) float32, its evidence (H, W) float32
(the relevance, or the own likelihood of a network that segments) and what the thresholder made of
the evidence, to a better `Fitted` of the same size."""


@dataclass(frozen=True)
class Refiner:
    """One way to better a likelihood map by the picture or the relevance; `description` is one
    sentence for a lay user."""

    name: str
    title: str
    description: str
    refine: Refine
