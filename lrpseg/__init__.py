"""lrpseg: pixel masks of surface damage from a classifier that was trained on image labels alone.

    import lrpseg
    segmenter = lrpseg.load("magnetic-tile", thresholder="bmm")
    result = segmenter("tile.png")
    result.probability, result.relevance, result.likelihood, result.mask
    result.at(threshold=0.7)    # another mask, without running LRP again

After Seibold, Künzel, Hilsmann, Eisert: "From Explanations to Segmentation: Using Explainable AI
for Image Segmentation", VISAPP 2022, DOI 10.5220/0010893600003124.
"""

from lrpseg.errors import LrpsegError
from lrpseg.operating_curve import OperatingPoint, OperatingPoints
from lrpseg.operating_points import load_operating_points
from lrpseg.results import Result, Settings
from lrpseg.segmenter import Segmenter, load
from lrpseg.version import __version__

__all__ = [
    "LrpsegError",
    "OperatingPoint",
    "OperatingPoints",
    "Result",
    "Segmenter",
    "Settings",
    "__version__",
    "load",
    "load_operating_points",
]
