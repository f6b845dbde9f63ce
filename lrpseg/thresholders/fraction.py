"""Share of the map's maximum: the plainest likelihood, also for maps that are one already."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrpseg.thresholders.base import Fitted, Thresholder, no_evidence, scaled_relevance

THRESHOLD = 0.5


def fit(relevance: NDArray[Any]) -> Fitted:
    """Likelihood: positive relevance over its maximum; threshold: half of that.

    A self-trained network's map is a likelihood with a maximum near 1 wherever it sees damage; it
    passes all but unchanged.

    Raises `RelevanceError`, see `scaled_relevance`.

    >>> fitted = fit(np.array([[-1.0, 1.0, 2.0, 4.0]]))
    >>> fitted.likelihood, fitted.mask
    (array([[0.  , 0.25, 0.5 , 1.  ]], dtype=float32), array([[False, False,  True,  True]]))
    """
    scaled = scaled_relevance(relevance)
    if scaled is None:
        return no_evidence(np.shape(relevance))
    likelihood = np.clip(scaled / scaled.max(), 0, 1).astype(np.float32)
    return Fitted(likelihood, THRESHOLD, converged=True, iterations=0)


FRACTION = Thresholder(
    name="fraction",
    title="Fraction",
    description="Each pixel's share of the highest value; half of it is the threshold.",
    fit=fit,
)
