"""What a segmenter gives: probability, relevance, likelihood, mask, and cheap second thoughts."""

import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lrpseg.core.errors import OptionError
from lrpseg.refiners import DEFAULT_REFINER, REFINERS
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
    refiner: str = DEFAULT_REFINER

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    def fit(
        self,
        image: NDArray[np.uint8],
        relevance: NDArray[np.float32],
        evidence: NDArray[np.float32],
    ) -> Fitted:
        """Likelihood and own threshold: the thresholder's, bettered by the refiner.

        Args:
            image: (H, W, 3) uint8 RGB. relevance, evidence: (H, W) float32, see `Result`.

        Raises:
            RelevanceError: see `lrpseg.thresholders.base.scaled_relevance`.
        """
        fitted = THRESHOLDERS[self.thresholder].fit(evidence)
        return REFINERS[self.refiner].refine(image, relevance, evidence, fitted)


@dataclass(frozen=True, eq=False)  # eq would compare arrays, which has no single truth value
class Result:
    """One picture's result. Arrays have the picture's height and width and must not be written to.

    image: (H, W, 3) uint8, upright RGB. probability: of damage, 0 to 1, the highest of all tiles.
    damaged: whether some tile was classified damaged. explained: whether LRP ran; if not (intact),
    relevance is 0 everywhere and the mask is empty. relevance: (H, W) float32, positive where a
    pixel speaks for damage, in units of the network's output. own_likelihood: (H, W) float32 in
    [0, 1], where the network gives a likelihood by itself; relevance is then the reason that a
    classifier of the same domain sees, to be shown beside it.
    """

    image: NDArray[np.uint8]
    probability: float
    damaged: bool
    explained: bool
    relevance: NDArray[np.float32]
    settings: Settings
    own_likelihood: NDArray[np.float32] | None = None

    @property
    def evidence(self) -> NDArray[np.float32]:
        """(H, W) float32: what the thresholder gets, the network's own likelihood or else the
        relevance."""
        return self.relevance if self.own_likelihood is None else self.own_likelihood

    @cached_property
    def fitted(self) -> Fitted:
        """Likelihood and threshold of thresholder and refiner; fitted at first use, then kept."""
        return self.settings.fit(self.image, self.relevance, self.evidence)

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

    def using(self, thresholder: str | None = None, refiner: str | None = None) -> "Result":
        """The same evidence under another thresholder or refiner; no network runs again.

        Raises `OptionError` for a name that does not exist.
        """
        settings = replace(
            self.settings,
            thresholder=self.settings.thresholder if thresholder is None else thresholder,
            refiner=self.settings.refiner if refiner is None else refiner,
        )
        THRESHOLDERS[settings.thresholder], REFINERS[settings.refiner]
        # `replace` makes a new object, so that what was fitted is not carried over.
        return replace(self, settings=settings)
