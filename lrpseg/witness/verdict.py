"""One probability from two: what the network says of a picture, and what the witness says."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Verdict:
    """Logistic functions (Platt 1999) of what both say, fitted on pictures of surfaces that
    neither knew.

    alone: slope and offset of the witness's score, which make its own log-odds. together: slope of
    the network's probability, slope of the witness's score, and offset, which make the log-odds of
    both. The network's probability has bounded weight: on surfaces that it never saw it is as
    sure of its errors as of all else.
    """

    alone: tuple[float, float]
    together: tuple[float, float, float]

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (*self.alone, *self.together))):
            raise ValueError("the numbers of a verdict are finite")
        if min(self.alone[0], *self.together[:2]) < 0:
            raise ValueError("slopes of a verdict are not negative")

    def witness(self, score: float) -> float:
        """Probability of damage, 0 to 1, by the witness's score alone."""
        return _sigmoid(self.alone[0] * score + self.alone[1])

    def of_both(self, network: float, score: float) -> float:
        """Probability of damage, 0 to 1, by the network's probability and the witness's score."""
        a, b, offset = self.together
        return _sigmoid(a * network + b * score + offset)

    def relevance(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values of patches (h, w) to what they say for damage: log-odds by which each is above the
        picture's middle one, 0 below it."""
        above = np.maximum(patches - np.median(patches), 0) * self.alone[0]
        return np.asarray(above, np.float32)


def _sigmoid(x: float) -> float:
    # Never exp of what is large and positive.
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
