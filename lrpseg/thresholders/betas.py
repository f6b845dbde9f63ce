"""Two Beta distributions: their parameters, and EM with the changes of the paper."""

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, betaln, expit

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

    clip: float = 1e-4
    interval: float = 0.9
    tolerance: float = 1e-5
    iteration_limit: int = 500
    least_variance: float = 1e-8


@dataclass(frozen=True, eq=False)
class Betas:
    """The fitted pair, background first, damage with the larger mean.

    `alpha`, `beta`: (2,) float64; `prior`: log prior odds, damage over background.
    """

    alpha: Floats
    beta: Floats
    prior: float = 0.0

    def weighted(self, prior: float) -> "Betas":
        """The same densities with other prior odds."""
        return replace(self, prior=prior)

    def mean(self) -> Floats:
        """alpha / (alpha + beta), (2,)."""
        return np.asarray(self.alpha / (self.alpha + self.beta))

    def log_density(self, values: NDArray[np.floating]) -> Floats:
        """log f(x; alpha, beta) = (alpha-1) log x + (beta-1) log(1-x) - log B, (2, N)."""
        return _log_density(self.alpha, self.beta, np.log(values), np.log1p(-values))

    def log_odds(self, log_x: Floats, log_rest: Floats) -> Floats:
        """The log ratio of the densities, damage over background, (N,), without the prior."""
        (a, c), (b, d) = self.alpha.tolist(), self.beta.tolist()
        odds: Floats = (c - a) * log_x
        odds += (d - b) * log_rest
        odds -= float(betaln(c, d)) - float(betaln(a, b))
        return odds

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


def method_of_moments(mean: float, variance: float, least_variance: float) -> tuple[float, float]:
    """The M-step of one component: (alpha, beta) with this mean and variance.

    With c = m (1 - m) / v - 1, alpha = m c and beta = (1 - m) c. Values lie inside (0, 1), so
    m (1 - m) > v, and c > 0, but for rounding, which the floor 1e-6 of c absorbs.
    """
    concentration = max(mean * (1 - mean) / max(variance, least_variance) - 1, 1e-6)
    return mean * concentration, (1 - mean) * concentration


def start(sketch: Sketch) -> Floats:
    """The damage's first responsibilities (G,), 0 or 1: 1 above the 2-means cut of the values.

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
    return damage.astype(np.float64)


def expectation_maximisation(
    sketch: Sketch, reading: Reading, config: BmmConfig
) -> tuple[Betas, bool, int]:
    """Fit the two Betas to values in [0, 1]; returns (Betas, converged, iterations).

    Values are clipped to [clip, 1 - clip] in float64, after grouping: float32 has no number
    that close to 1. The prior odds of the result are those of `reading.weigh_final`.

    A step costs one product of a (3, G) matrix with the damage's responsibilities, and the
    posterior of those groups only that no hard assignment decides.
    """
    sketch = sketch.clipped(config.clip, 1 - config.clip)
    log_x, log_rest = np.log(sketch.mean), np.log1p(-sketch.mean)
    square = sketch.mean**2 + sketch.variance
    sums = sketch.count * np.stack([np.ones_like(square), sketch.mean, square])
    whole = sums.sum(axis=1)
    damage = start(sketch)
    before = (math.inf, math.inf, math.inf)
    converged, iteration = False, 0
    while not converged and iteration < config.iteration_limit:
        iteration += 1
        mine = sums @ damage
        pairs = [
            _component(whole - mine, float(sketch.mean[0]), config),
            _component(mine, float(sketch.mean[-1]), config),
        ]
        share = float(mine[0] / whole[0])
        if pairs[BACKGROUND][0] * pairs[DAMAGE][1] > pairs[DAMAGE][0] * pairs[BACKGROUND][1]:
            # The background has come out with the larger mean: the two change names.
            pairs, share = pairs[::-1], 1 - share
        betas = Betas(*np.array(pairs).T)
        densities = partial(_log_density, betas.alpha, betas.beta, log_x, log_rest)
        prior = reading.weigh(densities, sketch.count, share)
        lo, hi = betas.hard_edges(config.interval) if reading.hard else (0.0, 1.0)
        damage = _responsibilities(sketch, log_x, log_rest, betas, prior, (lo, hi))
        after = (*betas.mean().tolist(), float(sums[0] @ damage / whole[0]))
        converged = max(abs(x - y) for x, y in zip(after, before, strict=True)) < config.tolerance
        before = after
    return (
        betas.weighted(reading.weigh_final(densities, sketch.count, after[2])),
        converged,
        iteration,
    )


def _component(sums: Floats, alone: float, config: BmmConfig) -> tuple[float, float]:
    """(alpha, beta) from a component's sums of 1, x and x^2; at `alone` if it has no pixels."""
    if sums[0] < 1e-9:  # would divide by zero
        return method_of_moments(alone, 0.0, config.least_variance)
    # Rounding in "the whole minus the damage" may leave the mean a hair outside the values.
    mean = min(max(float(sums[1] / sums[0]), config.clip), 1 - config.clip)
    return method_of_moments(mean, float(sums[2] / sums[0]) - mean**2, config.least_variance)


def _responsibilities(
    sketch: Sketch,
    log_x: Floats,
    log_rest: Floats,
    betas: Betas,
    prior: float,
    edges: tuple[float, float],
) -> Floats:
    """The damage's share of each group, (G,): 0 up to lo, 1 above hi, the posterior between.

    Of a group across an edge, the posterior counts for the share of its values between them.
    """
    lo, hi = edges
    first = int(np.searchsorted(sketch.high, lo, side="right"))
    last = int(np.searchsorted(sketch.low, hi, side="right"))
    damage = np.zeros_like(log_x)
    damage[last:] = 1
    soft = slice(first, last)
    damage[soft] = posterior_of(betas.log_odds(log_x[soft], log_rest[soft]) + prior)
    for group in {first, last - 1} & set(range(first, last)):
        low, high = float(sketch.low[group]), float(sketch.high[group])
        if low < high:  # else all values are inside the edges
            certain = min(max((lo - low) / (high - low), 0.0), 1.0)
            possible = min(max((hi - low) / (high - low), 0.0), 1.0)
            damage[group] = damage[group] * (possible - certain) + (1 - possible)
    return damage


def posterior_of(log_odds: Floats) -> Floats:
    """1 / (1 + exp(-log_odds)), without overflow, (N,)."""
    return np.asarray(expit(log_odds))
