"""Two Beta distributions: their parameters, and EM with the changes of the paper."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, betaln

from lrpseg.thresholders.beta_readings import BACKGROUND, DAMAGE, Reading
from lrpseg.thresholders.sketch import Floats, Sketch


@dataclass(frozen=True)
class BmmConfig:
    """How the two Betas are fitted.

    `clip`: values are clipped to [clip, 1 - clip], where the logarithms in the density are
    finite. `interval`: the background's lower-sided confidence interval reaches up to this
    quantile. `tolerance`: EM stops when no component's mean or share changes by more in one
    step; `iteration_limit`: EM steps at most. `least_variance`: floor of a component's variance.
    """

    clip: float = 1e-6
    interval: float = 0.9
    tolerance: float = 1e-5
    iteration_limit: int = 500
    least_variance: float = 1e-8


@dataclass(frozen=True, eq=False)
class Betas:
    """The fitted pair, each field (2,) float64, background first, damage with the larger mean."""

    alpha: Floats
    beta: Floats
    log_weight: Floats

    def mean(self) -> Floats:
        """alpha / (alpha + beta), (2,)."""
        return np.asarray(self.alpha / (self.alpha + self.beta))

    def log_density(self, values: NDArray[np.floating]) -> Floats:
        """log f(x; alpha, beta) = (alpha-1) log x + (beta-1) log(1-x) - log B, (2, N)."""
        return _log_density(self.alpha, self.beta, np.log(values), np.log1p(-values))

    def hard_edges(self, interval: float) -> tuple[float, float]:
        """(lo, hi): a value <= lo is background for certain, a value > hi is damage for certain.

        The paper's two edges are the `interval` quantile q of the background, below which a
        pixel is background, and the mean m of the damage, above which it is damage. With q <= m
        they are lo and hi. With m < q both sentences claim the values in between; then neither
        gets its way there, they keep their soft responsibility, and lo = m, hi = q.
        """
        quantile = float(betaincinv(self.alpha[BACKGROUND], self.beta[BACKGROUND], interval))
        mean = float(self.mean()[DAMAGE])
        return min(quantile, mean), max(quantile, mean)

    def rising_range(self) -> tuple[float, float]:
        """The part [a, b] of [0, 1] where the damage's posterior does not fall.

        The log-odds p log x + q log(1-x) + c, with p and q the differences in alpha and beta,
        have one turning point, p / (p + q), when p and q have the same sign: a maximum if they
        are positive, else a minimum. With different signs they rise everywhere, as damage has
        the larger mean.
        """
        p = float(self.alpha[DAMAGE] - self.alpha[BACKGROUND])
        q = float(self.beta[DAMAGE] - self.beta[BACKGROUND])
        if p * q <= 0:
            return 0.0, 1.0
        turn = p / (p + q)  # p and q have one sign, so their sum is not 0
        return (0.0, turn) if p > 0 else (turn, 1.0)


def _log_density(alpha: Floats, beta: Floats, log_x: Floats, log_rest: Floats) -> Floats:
    density: Floats = (alpha - 1)[:, None] * log_x
    density += (beta - 1)[:, None] * log_rest
    density -= betaln(alpha, beta)[:, None]
    return density


def method_of_moments(
    sketch: Sketch, responsibilities: Floats, least_variance: float
) -> tuple[Floats, Floats]:
    """The M-step: alpha and beta, each (2,), from (2, G) responsibilities.

    With m and v the weighted mean and variance, c = m (1 - m) / v - 1, alpha = m c and
    beta = (1 - m) c. Values lie inside (0, 1), so m (1 - m) > v, and c > 0, but for rounding,
    which the floor 1e-6 of c absorbs. A component without any pixel would divide by zero: it
    falls back to the edge of the values on its side, with the least variance.
    """
    mass = responsibilities * sketch.count
    total = mass.sum(axis=1)
    alive = total > 0
    divisor = np.where(alive, total, 1.0)
    mean = np.where(alive, mass @ sketch.mean / divisor, sketch.mean[[0, -1]])
    spread = (sketch.mean - mean[:, None]) ** 2 + sketch.variance
    variance = np.maximum((mass * spread).sum(axis=1) / divisor, least_variance)
    concentration = np.maximum(mean * (1 - mean) / variance - 1, 1e-6)
    return mean * concentration, (1 - mean) * concentration


def start(sketch: Sketch) -> Floats:
    """First responsibilities (2, G): damage is what lies above the 2-means cut of the values.

    The cut is the fixed point of Ridler and Calvard, from the mean of the values; it needs no
    random start.
    """
    cut = np.average(sketch.mean, weights=sketch.count)
    damage = sketch.mean > cut
    for _ in range(sketch.mean.size):
        if not damage.any():  # a single group, at its own mean
            break
        low = np.average(sketch.mean[~damage], weights=sketch.count[~damage])
        high = np.average(sketch.mean[damage], weights=sketch.count[damage])
        moved = sketch.mean > (low + high) / 2
        if np.array_equal(moved, damage):
            break
        damage = moved
    return np.stack([~damage, damage]).astype(np.float64)


def expectation_maximisation(
    sketch: Sketch, reading: Reading, config: BmmConfig
) -> tuple[Betas, bool, int]:
    """Fit the two Betas to values in [0, 1]; returns (Betas, converged, iterations).

    Values are clipped to [clip, 1 - clip] in float64, after grouping: float32 has no number
    that close to 1. The weights of the result are those of `reading.weigh_final`.
    """
    sketch = sketch.clipped(config.clip, 1 - config.clip)
    log_x, log_rest = np.log(sketch.mean), np.log1p(-sketch.mean)
    responsibilities = start(sketch)
    before = np.full((2, 2), np.inf)
    converged, iteration = False, 0
    while not converged and iteration < config.iteration_limit:
        iteration += 1
        alpha, beta = method_of_moments(sketch, responsibilities, config.least_variance)
        if alpha[0] * beta[1] > alpha[1] * beta[0]:  # the first has the larger mean: swap
            alpha, beta, responsibilities = alpha[::-1], beta[::-1], responsibilities[::-1]
        density = _log_density(alpha, beta, log_x, log_rest)
        log_weight = reading.weigh(density, sketch.count, responsibilities)
        odds = density[DAMAGE] - density[BACKGROUND] + log_weight[DAMAGE] - log_weight[BACKGROUND]
        damage = posterior_of(odds)
        betas = Betas(alpha, beta, log_weight)
        if reading.hard:
            lo, hi = betas.hard_edges(config.interval)
            certain, uncertain_up_to = sketch.share_up_to(lo), sketch.share_up_to(hi)
            damage = damage * (uncertain_up_to - certain) + (1 - uncertain_up_to)
        responsibilities = np.stack([1 - damage, damage])
        share = responsibilities @ sketch.count / sketch.count.sum()
        after = np.stack([betas.mean(), share])
        converged = bool(np.abs(after - before).max() < config.tolerance)
        before = after
    final = reading.weigh_final(density, sketch.count, responsibilities)
    return Betas(alpha, beta, final), converged, iteration


def posterior_of(log_odds: Floats) -> Floats:
    """1 / (1 + exp(-log_odds)), without overflow: beyond +-700 it is 0 or 1 in float64."""
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -700, 700))))
