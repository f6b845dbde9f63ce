"""BMM on every pixel, written plainly from the paper: the yardstick for `bmm`."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrpseg.thresholders.base import Fitted
from lrpseg.thresholders.beta_readings import BACKGROUND, DAMAGE, Reading
from lrpseg.thresholders.betas import Betas, BmmConfig, method_of_moments, posterior_of
from lrpseg.thresholders.bmm import DEFAULT, DEFAULT_READING, damage_likelihood, prepare


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
    values = np.clip(prepared.kept.astype(np.float64), config.clip, 1 - config.clip)
    counts = np.ones_like(values)
    damage = _two_means(values)
    before = np.full(3, np.inf)
    converged, iteration = False, 0
    while not converged and iteration < config.iteration_limit:
        iteration += 1
        pairs = [_moments(values, weight, config) for weight in (1 - damage, damage)]
        share = float(damage.mean())
        if pairs[BACKGROUND][0] * pairs[DAMAGE][1] > pairs[DAMAGE][0] * pairs[BACKGROUND][1]:
            pairs, share = pairs[::-1], 1 - share
        betas = Betas(*np.array(pairs).T)
        densities = betas.log_density(values)
        prior = reading.weigh(partial(betas.log_density, values), counts, share)
        damage = posterior_of(densities[DAMAGE] - densities[BACKGROUND] + prior)
        if reading.hard:
            lo, hi = betas.hard_edges(config.interval)
            damage[values > hi] = 1
            damage[values <= lo] = 0
        after = np.array([*betas.mean(), damage.mean()])
        converged = bool(np.abs(after - before).max() < config.tolerance)
        before = after
    final = reading.weigh_final(partial(betas.log_density, values), counts, float(before[2]))
    likelihood = damage_likelihood(prepared, betas.weighted(final), reading, config)
    return Fitted(likelihood, reading.operating_point, converged, iteration)


def _two_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 where a value lies above the halfway point of the means on both sides of it, else 0."""
    cut = values.mean()
    while True:  # the cuts are monotone and between finitely many values: this comes to rest
        above = values > cut
        moved = (values[above].mean() + values[~above].mean()) / 2
        if np.array_equal(values > moved, above):
            return above.astype(np.float64)
        cut = moved


def _moments(
    values: NDArray[np.float64], weight: NDArray[np.float64], config: BmmConfig
) -> tuple[float, float]:
    """(alpha, beta) from the weighted mean and variance of the values."""
    total = weight.sum()
    if total < 1e-9:  # a component without pixels, at the end of the values where it would be
        alone = float(values[0] if weight[0] >= weight[-1] else values[-1])
        return method_of_moments(alone, 0.0, config.least_variance)
    mean = float((weight * values).sum() / total)
    variance = float((weight * (values - mean) ** 2).sum() / total)
    return method_of_moments(mean, variance, config.least_variance)
