"""What the networks find of one class, before thresholder and refiner."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]


@dataclass(frozen=True, eq=False)  # eq would compare arrays, which has no single truth value
class Found:
    """What the networks found of one class on a picture (H, W); arrays must not be written to.

    name: of the class. probability: that it is there, 0 to 1, the highest of all tiles. damaged:
    whether some tile was said to show it. explained: whether LRP ran for it; if not, relevance is 0
    everywhere and the mask is empty. relevance: (H, W) float32, positive where a pixel speaks for
    the class, in units of the network's output. own_likelihood: (H, W) float32 in [0, 1], where the
    network gives a likelihood by itself; relevance is then the reason that a classifier of the same
    domain sees, to be shown beside it.
    """

    name: str
    probability: float
    damaged: bool
    explained: bool
    relevance: Map
    own_likelihood: Map | None = None

    @property
    def evidence(self) -> Map:
        """(H, W) float32: what the thresholder gets, the network's own likelihood or else the
        relevance."""
        return self.relevance if self.own_likelihood is None else self.own_likelihood
