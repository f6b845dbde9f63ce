"""Support: keeps the damage for which the classifier has a reason where it lies.

A network that segments by itself also marks what merely looks like damage, and is sure of it: the
dark edge of a tile, say. LRP shows where the classifier, which knows intact surfaces from their
labels, saw damage. What the two agree on is damage more often.
"""

import numpy as np
from numpy.typing import NDArray

from lrpseg.refiners.base import Image, Refiner
from lrpseg.refiners.reconstruction import connected
from lrpseg.thresholders import simple
from lrpseg.thresholders.base import Fitted


def refine(
    image: Image,
    relevance: NDArray[np.float32],
    evidence: NDArray[np.float32],
    fitted: Fitted,
) -> Fitted:
    """The likelihood, at every threshold only of what touches LRP's mask.

    LRP's mask is what the thresholder Simple makes of the relevance. At every threshold those
    8-connected components of the likelihood are kept that share a pixel with it, whole: this is
    grey-scale reconstruction (Vincent 1993, DOI 10.1109/83.217222). Where relevance speaks for
    damage nowhere, nothing is kept.

    Args:
        image: (H, W, 3) uint8, not looked at. relevance, evidence: (H, W) float32; the likelihood
            in `fitted` is of that evidence.

    Returns:
        `Fitted` with the same threshold, likelihood (H, W) float32.
    """
    if fitted.threshold <= 0:  # pixels that are dropped get 0, and would be in the mask
        return fitted
    reasons = simple.fit(relevance).mask
    marker = np.where(reasons, fitted.likelihood, np.float32(0))
    kept = connected(marker, fitted.likelihood)
    return Fitted(kept, fitted.threshold, fitted.converged, fitted.iterations)


SUPPORT = Refiner(
    name="support",
    title="Support",
    description=(
        "Keeps the marked parts that touch what LRP's heatmap points at, and drops the others."
    ),
    refine=refine,
)
