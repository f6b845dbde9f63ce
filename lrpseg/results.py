"""What a segmenter gives: probability, relevance, likelihood, mask, and cheap second thoughts."""

import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lrpseg.errors import OptionError
from lrpseg.thresholders import THRESHOLDERS, Fitted


@dataclass(frozen=True)
class Settings:
    """What decides a result; each is a name in the registry of its kind."""

    domain: str
    network: str
    rule_set: str
    thresholder: str
    start: str
    pooling: str
    engine: str
    overlap: int

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2)


@dataclass(frozen=True, eq=False)  # eq would compare arrays, which has no single truth value
class Result:
    """One picture's result. Arrays have the picture's height and width and must not be written to.

    image: (H, W, 3) uint8, upright RGB. probability: of damage, 0 to 1, the highest of all tiles.
    damaged: whether some tile was classified damaged. explained: whether LRP ran; if not (intact),
    relevance is 0 everywhere and the mask is empty. relevance: (H, W) float32, positive where a
    pixel speaks for damage, in units of the network's output.
    """

    image: NDArray[np.uint8]
    probability: float
    damaged: bool
    explained: bool
    relevance: NDArray[np.float32]
    settings: Settings

    @cached_property
    def fitted(self) -> Fitted:
        """Likelihood and threshold of the chosen thresholder; fitted at first use, then kept."""
        return THRESHOLDERS[self.settings.thresholder].fit(self.relevance)

    @property
    def likelihood(self) -> NDArray[np.float32]:
        """(H, W) float32 in [0, 1]: how likely each pixel is damaged."""
        return self.fitted.likelihood

    @property
    def threshold(self) -> float:
        """The likelihood from which on a pixel is in `mask`, in [0, 1]."""
        return self.fitted.threshold

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(H, W) bool: `likelihood >= threshold`."""
        return self.at()

    def at(self, threshold: float | None = None) -> NDArray[np.bool_]:
        """The mask at another threshold in [0, 1]; nothing but the comparison is computed.

        An unexplained result (intact) stays empty at any threshold.
        """
        if not self.explained:
            return np.zeros(self.relevance.shape, bool)
        value = self.threshold if threshold is None else threshold
        if not 0 <= value <= 1:
            raise OptionError(f"A threshold is 0 to 1; {threshold} was given.")
        return self.fitted.at(value)

    def using(self, thresholder: str) -> "Result":
        """The same relevance under another thresholder; LRP does not run again."""
        THRESHOLDERS[thresholder]
        # `replace` makes a new object, so that what was fitted is not carried over.
        return replace(self, settings=replace(self.settings, thresholder=thresholder))
