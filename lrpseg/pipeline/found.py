"""What the networks find of one class, before thresholder and refiner."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]


@dataclass(frozen=True, eq=False)  # eq would compare arrays, which has no single truth value
class Found:
    """What the networks found of one class on a picture (H, W); arrays must not be written to.

    name: of the class. probability: that it is there, 0 to 1, the highest of all tiles; with a
    witness, of both. damaged: whether some tile was said to show it; with a witness, whether both
    together say so. explained: whether there is a reason to see; if not, relevance is 0 everywhere
    and the mask is empty. relevance: (H, W) float32, positive where a pixel speaks for the class,
    in units of the network's output. own_likelihood: (H, W) float32 in [0, 1], where the network
    gives a likelihood by itself; relevance is then the reason that a classifier of the same domain
    sees, to be shown beside it. network, witness: the probability by each of the two alone, 0 to 1;
    None where no witness was asked. seconded: (H, W) float32, 0 or more, where one was: relevance,
    or the network's own likelihood, as far as the witness sees damage there, too.
    """

    name: str
    probability: float
    damaged: bool
    explained: bool
    relevance: Map
    own_likelihood: Map | None = None
    network: float | None = None
    witness: float | None = None
    seconded: Map | None = None

    @property
    def doubtful(self) -> bool:
        """Whether network and witness disagree."""
        return disagree(self.network, self.witness)

    @property
    def evidence(self) -> Map:
        """(H, W) float32: what the thresholder gets: what the witness seconded, else the network's
        own likelihood, else the relevance."""
        maps = (self.seconded, self.own_likelihood, self.relevance)
        return next(values for values in maps if values is not None)


def disagree(network: float | None, witness: float | None) -> bool:
    """Whether one of two probabilities says damaged and the other intact; None says nothing."""
    if network is None or witness is None:
        return False
    return (network > 0.5) != (witness > 0.5)
