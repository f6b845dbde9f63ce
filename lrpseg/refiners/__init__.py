"""From a likelihood map, the picture and the relevance to a better likelihood map: the refiners,
by name.

A new refiner is one module with a `Refiner`, and one more entry in the loop below.
"""

from lrpseg.core.registry import Registry
from lrpseg.refiners.base import Refiner
from lrpseg.refiners.intensity import INTENSITY
from lrpseg.refiners.support import SUPPORT

__all__ = ["DEFAULT_REFINER", "REFINERS", "Refiner"]

DEFAULT_REFINER = "none"
"""The paper's: the likelihood as the thresholder made it."""

NONE = Refiner(
    name=DEFAULT_REFINER,
    title="None",
    description="The likelihood as the thresholder makes it, as in the paper.",
    refine=lambda image, relevance, evidence, fitted: fitted,
)

REFINERS: Registry[Refiner] = Registry("refiner")
for _refiner in (NONE, INTENSITY, SUPPORT):
    REFINERS.add(_refiner.name, _refiner)
