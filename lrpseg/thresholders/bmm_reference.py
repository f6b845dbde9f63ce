"""BMM on every pixel instead of on a sketch: the yardstick for `bmm`."""

from typing import Any

from numpy.typing import NDArray

from lrpseg.thresholders.base import Fitted
from lrpseg.thresholders.beta_readings import Reading
from lrpseg.thresholders.betas import BmmConfig, expectation_maximisation
from lrpseg.thresholders.bmm import DEFAULT, DEFAULT_READING, damage_likelihood, prepare
from lrpseg.thresholders.sketch import sketch_pixels


def fit(
    relevance: NDArray[Any],
    reading: Reading = DEFAULT_READING,
    config: BmmConfig = DEFAULT,
) -> Fitted:
    """`bmm.fit` with EM on every kept pixel: same input, result, errors and reading.

    Source: paper, section 3.3.2 (Seibold et al., VISAPP 2022, DOI 10.5220/0010893600003124).
    """
    prepared = prepare(relevance, reading)
    if isinstance(prepared, Fitted):
        return prepared
    betas, converged, iterations = expectation_maximisation(
        sketch_pixels(prepared.kept), reading, config
    )
    likelihood = damage_likelihood(prepared, betas, reading, config)
    return Fitted(likelihood, reading.operating_point, converged, iterations)
