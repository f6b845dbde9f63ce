"""GMM: three Gaussians describe the smoothed relevance; one of them is the damage."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrpseg.thresholders.base import Fitted, FloatMap, Thresholder, no_evidence, scaled_relevance
from lrpseg.thresholders.gaussians import (
    Gaussians,
    GmmConfig,
    expectation_maximisation,
    first_mixture,
    k_means,
)
from lrpseg.thresholders.mean_filter import mean_filtered
from lrpseg.thresholders.sketch import sketch_sorted

DEFAULT = GmmConfig()
CHUNK = 1 << 18  # pixels per evaluation of the posterior: bounds the memory on large maps


def fit(relevance: NDArray[Any], config: GmmConfig = DEFAULT) -> Fitted:
    """Segment a relevance map by a mixture of three 1-D Gaussians, fitted to its values by EM.

    The steps of the paper: 5x5 mean filter; k-means for the first belongings; EM; the damage
    component is the one with the largest likelihood for the maximal relevance; a pixel is damage
    if it belongs to that component with a likelihood of at least 50 %. In both places
    "likelihood" is read as the posterior,

        P(k | x) = w_k N(x; m_k, v_k) / sum_j w_j N(x; m_j, v_j),

    which is what the second place must mean; so the pixel of maximal relevance belongs to the
    damage more than to any other component.

    One deviation: a pixel whose smoothed relevance is not positive has likelihood 0. The damage
    component is the widest, and far below its mean its posterior rises again; negative relevance
    is evidence against damage and is never marked as damage.

    EM runs on a sketch of the values (see `sketch_sorted`), with scikit-learn's settings and
    stopping rule; `gmm_reference.fit` is the same on every pixel with scikit-learn itself.
    The posterior is evaluated on every pixel's own value.

    Parameters: `relevance` (H, W), any real dtype, finite.
    Returns: `Fitted`, likelihood (H, W) float32. A map without evidence gets an empty mask.
    Raises: `RelevanceError`, see `scaled_relevance`.

    Source: paper, section 3.3.2 (Seibold et al., VISAPP 2022, DOI 10.5220/0010893600003124).
    """
    smooth = smoothed(relevance)
    if smooth is None:
        return no_evidence(np.shape(relevance))
    values = standardised(smooth)
    ordered = np.sort(values, axis=None)
    sketch = sketch_sorted(ordered)
    # Equal values share a group, so with fewer groups than components there are too few values.
    clusters = min(config.components, sketch.count.size)
    start = first_mixture(ordered, k_means(ordered, sketch, clusters), config.variance_floor)
    mixture, converged, iterations = expectation_maximisation(sketch, start, config)
    likelihood = damage_posterior(mixture, values, smooth > 0)
    return Fitted(likelihood, float(np.float32(config.threshold)), converged, iterations)


def smoothed(relevance: NDArray[Any]) -> FloatMap | None:
    """Check, scale and mean-filter a relevance map; None if it holds no evidence for damage."""
    scaled = scaled_relevance(relevance)
    return None if scaled is None else mean_filtered(scaled)


def standardised(smooth: FloatMap) -> NDArray[np.float32]:
    """The map minus its mean, over its standard deviation.

    A Gaussian mixture moves along with any affine map, but the floor that scikit-learn adds to
    each variance is an absolute number (1e-6), while relevance comes in any scale, often tiny.
    In standard deviations the floor means the same for every map: a component is at least a
    thousandth of the map's own spread wide. The map is not flat, so the divisor is positive.
    """
    mean = smooth.mean(dtype=np.float64)
    deviation = smooth.std(dtype=np.float64)
    centred = smooth - smooth.dtype.type(mean)
    centred /= smooth.dtype.type(deviation)
    return centred.astype(np.float32, copy=False)


def damage_posterior(
    mixture: Gaussians, values: NDArray[np.float32], positive: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """The damage component's posterior where `positive`, else 0: (H, W) float32 in [0, 1]."""
    damage = int(np.argmax(mixture.log_joint(values.max(keepdims=True).ravel())[:, 0]))
    likelihood = np.zeros(values.shape, np.float32)
    candidates = values[positive]
    scores = np.empty_like(candidates)
    for start in range(0, candidates.size, CHUNK):
        part = slice(start, start + CHUNK)
        scores[part] = mixture.posterior(candidates[part], damage)
    likelihood[positive] = scores
    return likelihood


GMM = Thresholder(
    name="gmm",
    title="Gaussian mixture",
    description=(
        "Smooths the relevance map, sorts its values into three bell curves "
        "and marks the pixels that belong to the highest one."
    ),
    fit=fit,
)
