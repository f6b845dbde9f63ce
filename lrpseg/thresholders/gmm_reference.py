"""GMM on every pixel with scikit-learn, as the paper ran it: the yardstick for `gmm`."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from lrpseg.thresholders.base import Fitted, no_evidence
from lrpseg.thresholders.gaussians import Gaussians, GmmConfig
from lrpseg.thresholders.gmm import DEFAULT, damage_posterior, smoothed, standardised

K_MEANS_STARTS = 10


def fit(relevance: NDArray[Any], config: GmmConfig = DEFAULT, seed: int = 0) -> Fitted:
    """`gmm.fit` with scikit-learn's `KMeans` and `GaussianMixture` on every pixel.

    Same input, result, errors and reading of the paper as `gmm.fit`. Ten seeded starts of
    k-means, of which the best is taken, make a poor local optimum unlikely; its labels give the
    initial weights, means and precisions, as `GaussianMixture(init_params="kmeans")` would.

    Source: paper, section 3.3.2 (Seibold et al., VISAPP 2022, DOI 10.5220/0010893600003124).
    """
    smooth = smoothed(relevance)
    if smooth is None:
        return no_evidence(np.shape(relevance))
    values = standardised(smooth)
    samples = values.reshape(-1, 1).astype(np.float64)
    clusters = min(config.components, np.unique(values).size)
    means = KMeans(clusters, n_init=K_MEANS_STARTS, tol=0, random_state=seed)
    labels = means.fit_predict(samples)
    groups = [samples[labels == k, 0] for k in range(clusters)]
    model = GaussianMixture(
        clusters,
        tol=config.tolerance,
        reg_covar=config.variance_floor,
        max_iter=config.iteration_limit,
        weights_init=np.array([group.size / samples.size for group in groups]),
        means_init=np.array([[group.mean()] for group in groups]),
        precisions_init=np.array(
            [[[1 / (group.var() + config.variance_floor)]] for group in groups]
        ),
        random_state=seed,
    )
    with warnings.catch_warnings():
        # Stopping at the limit is reported in the result, not as a warning.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(samples)
    mixture = Gaussians(model.weights_, model.means_[:, 0], model.covariances_[:, 0, 0])
    likelihood = damage_posterior(mixture, values, smooth > 0)
    threshold = float(np.float32(config.threshold))
    return Fitted(likelihood, threshold, bool(model.converged_), int(model.n_iter_))
