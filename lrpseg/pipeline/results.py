"""What a segmenter gives: for each class probability, relevance, likelihood and mask, their union,
and cheap second thoughts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from lrpseg.core.errors import OptionError
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.found import Found, Map
from lrpseg.pipeline.settings import Settings
from lrpseg.refiners import REFINERS
from lrpseg.thresholders import THRESHOLDERS, Fitted

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def fit(settings: Settings, image: Image, relevance: Map, evidence: Map) -> Fitted:
    """Likelihood and own threshold of one class: the thresholder's, bettered by the refiner.

    Args:
        image: (H, W, 3) uint8 RGB. relevance, evidence: (H, W) float32, see `Found`. The refiner
            gets relevance beside a network's own likelihood; else evidence is all that there is.

    Raises:
        RelevanceError: see `lrpseg.thresholders.base.scaled_relevance`.
    """
    fitted = THRESHOLDERS[settings.thresholder].fit(evidence)
    reason = reason_of(settings, relevance, evidence)
    return REFINERS[settings.refiner].refine(image, reason, evidence, fitted)


def reason_of(settings: Settings, relevance: Map, evidence: Map) -> Map:
    """What a refiner follows, of maps (..., H, W) float32: relevance where the network marks pixels
    by itself, else the evidence: what the witness does not second is no reason to follow damage
    there."""
    proposes = settings.network in NETWORKS and NETWORKS[settings.network].proposes
    return relevance if proposes else evidence


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer(Found):
    """What was found of one class, with the picture and the settings that make a mask of it."""

    image: Image
    settings: Settings

    @classmethod
    def of(cls, found: Found, image: Image, settings: Settings) -> "Layer":
        """`found` on `image` under `settings`."""
        return cls(
            name=found.name,
            probability=found.probability,
            damaged=found.damaged,
            explained=found.explained,
            relevance=found.relevance,
            own_likelihood=found.own_likelihood,
            network=found.network,
            witness=found.witness,
            seconded=found.seconded,
            image=image,
            settings=settings,
        )

    @cached_property
    def fitted(self) -> Fitted:
        """Likelihood and threshold of thresholder and refiner; fitted at first use, then kept."""
        return fit(self.settings, self.image, self.relevance, self.evidence)

    @property
    def likelihood(self) -> Map:
        """(H, W) float32 in [0, 1]: how likely each pixel shows the class."""
        return self.fitted.likelihood

    @property
    def threshold(self) -> float:
        """The likelihood from which on a pixel is in `mask`, in [0, 1]."""
        return self.fitted.threshold

    @property
    def mask(self) -> Mask:
        """(H, W) bool: `likelihood >= threshold`."""
        return self.at()

    def at(self, threshold: float | None = None) -> Mask:
        """The mask at another threshold in [0, 1]; nothing but the comparison is computed.

        A layer that was not explained stays empty at any threshold.
        """
        if not self.explained:
            return np.zeros(self.relevance.shape, bool)
        value = self.threshold if threshold is None else threshold
        if not 0 <= value <= 1:
            raise OptionError(f"A threshold is 0 to 1; {threshold} was given.")
        return self.fitted.at(value)


@dataclass(frozen=True, eq=False)
class Result:
    """One picture's result: a layer for each class of the domain, and their union.

    image: (H, W, 3) uint8, upright RGB. layers: at least one; they may overlap. Of one class, all
    that is said of the union is said of that layer, and the arrays are its own. Arrays have the
    picture's height and width and must not be written to.
    """

    image: Image
    settings: Settings
    layers: tuple[Layer, ...]

    @classmethod
    def of(cls, image: Image, settings: Settings, found: Sequence[Found]) -> "Result":
        """The result of what was found of each class."""
        return cls(image, settings, tuple(Layer.of(f, image, settings) for f in found))

    def layer(self, name: str) -> Layer:
        """The layer of the class `name`; raises `OptionError`."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        known = ", ".join(layer.name for layer in self.layers)
        raise OptionError(f"There is no class {name!r} here. Choose one of: {known}.")

    @property
    def probability(self) -> float:
        """Of damage of any class, 0 to 1: the highest of the layers'."""
        return max(layer.probability for layer in self.layers)

    @property
    def damaged(self) -> bool:
        """Whether some class was said to be there."""
        return any(layer.damaged for layer in self.layers)

    @property
    def doubtful(self) -> bool:
        """Whether network and witness disagree about some class."""
        return any(layer.doubtful for layer in self.layers)

    @property
    def explained(self) -> bool:
        """Whether some class has a reason to see, see `Found`."""
        return any(layer.explained for layer in self.layers)

    @property
    def relevance(self) -> Map:
        """(H, W) float32: the highest of the layers' at each pixel."""
        return highest([layer.relevance for layer in self.layers])

    @property
    def own_likelihood(self) -> Map | None:
        """(H, W) float32: the highest of the layers' own likelihoods, where the network gives
        them."""
        own = [layer.own_likelihood for layer in self.layers]
        return None if own[0] is None else highest([o for o in own if o is not None])

    @property
    def evidence(self) -> Map:
        """(H, W) float32: the highest of the layers' evidence at each pixel."""
        return highest([layer.evidence for layer in self.layers])

    @property
    def likelihood(self) -> Map:
        """(H, W) float32 in [0, 1]: the highest of the layers'."""
        return highest([layer.likelihood for layer in self.layers])

    @property
    def fitted(self) -> Fitted:
        """Of the only class; raises `OptionError` where there are several."""
        return self._only.fitted

    @property
    def threshold(self) -> float:
        """Of the only class; raises `OptionError` where there are several, of which each has its
        own: ask the layers."""
        return self._only.threshold

    @property
    def mask(self) -> Mask:
        """(H, W) bool: what is in the mask of some class."""
        return self.at()

    def at(self, threshold: float | Mapping[str, float] | None = None) -> Mask:
        """The union of the masks at another threshold in [0, 1], one for all classes or one for
        each that is named; nothing but the comparison is computed."""
        values = threshold if isinstance(threshold, Mapping) else None
        for name in values or ():
            self.layer(name)
        masks = (
            layer.at(threshold if values is None else values.get(layer.name))  # type: ignore[arg-type]
            for layer in self.layers
        )
        return reduce(np.logical_or, masks)

    def using(self, thresholder: str | None = None, refiner: str | None = None) -> "Result":
        """The same evidence under another thresholder or refiner; no network runs again.

        Raises `OptionError` for a name that does not exist.
        """
        settings = self.settings.but(thresholder=thresholder, refiner=refiner)
        # New layers, so that what was fitted is not carried over.
        return replace(
            self,
            settings=settings,
            layers=tuple(replace(layer, settings=settings) for layer in self.layers),
        )

    @property
    def _only(self) -> Layer:
        if len(self.layers) > 1:
            names = ", ".join(layer.name for layer in self.layers)
            raise OptionError(f"Each class has its own: ask one of the layers ({names}).")
        return self.layers[0]


def highest(maps: Sequence[Map]) -> Map:
    """The highest of the maps, each (H, W) of one size, at each pixel; a single one as it is."""
    return reduce(np.maximum, maps)
