"""From a relevance map to a likelihood map and a mask: the thresholders, by name.

A new thresholder is one module with a `Thresholder`, and one more entry in the loop below.
"""

from lrpseg.core.registry import Registry
from lrpseg.thresholders.base import Fitted, Thresholder
from lrpseg.thresholders.bmm import BMM, BMM_LITERAL
from lrpseg.thresholders.fraction import FRACTION
from lrpseg.thresholders.gmm import GMM
from lrpseg.thresholders.simple import SIMPLE

__all__ = ["THRESHOLDERS", "Fitted", "Thresholder"]

THRESHOLDERS: Registry[Thresholder] = Registry("thresholder")
for _thresholder in (SIMPLE, GMM, BMM, BMM_LITERAL, FRACTION):
    THRESHOLDERS.add(_thresholder.name, _thresholder)
