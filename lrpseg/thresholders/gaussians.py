"""A one-dimensional Gaussian mixture: its parameters, and EM on a sketch of the values."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lrpseg.thresholders.sketch import Floats, Sketch

COARSE_GROUPS = 192
LLOYD_LIMIT = 300
TINY = 10 * np.finfo(np.float64).eps


@dataclass(frozen=True)
class GmmConfig:
    """How the mixture is fitted; names and defaults follow scikit-learn's `GaussianMixture`.

    `components`: Gaussians; `tolerance`: EM stops when the mean log-likelihood of a value changes
    by less; `variance_floor`: added to each variance, in units of the variance of all values;
    `iteration_limit`: EM steps at most; `threshold`: posterior from which a pixel is damage.
    """

    components: int = 3
    tolerance: float = 1e-3
    variance_floor: float = 1e-6
    iteration_limit: int = 100
    threshold: float = 0.5


@dataclass(frozen=True, eq=False)
class Gaussians:
    """Mixture parameters, each (K,) float64: weights (sum 1), means, variances (positive)."""

    weight: Floats
    mean: Floats
    variance: Floats

    def log_joint(self, values: NDArray[np.floating]) -> Floats:
        """log(weight_k N(x; mean_k, variance_k)), (K, N) for (N,) values."""
        offset = np.log(self.weight) - 0.5 * np.log(2 * np.pi * self.variance)
        joint: Floats = values[None, :] - self.mean[:, None]
        joint *= joint
        joint *= (-0.5 / self.variance)[:, None]
        joint += offset[:, None]
        return joint

    def posterior(self, values: NDArray[np.floating], component: int) -> Floats:
        """P(component | x) for (N,) values; the ratio is formed after subtracting the largest
        logarithm, so the far tail, where every density underflows, gives no 0 / 0."""
        joint = self.log_joint(values)
        joint -= joint.max(axis=0)
        np.exp(joint, out=joint)
        return np.asarray(joint[component] / joint.sum(axis=0))


def moments(sketch: Sketch, responsibility: Floats, variance_floor: float) -> Gaussians:
    """The M-step: weights, means and variances under (K, G) responsibilities.

    TINY keeps a component that has lost all its values finite, as scikit-learn does.
    """
    mass = responsibility * sketch.count
    total = mass.sum(axis=1) + TINY
    mean = mass @ sketch.mean / total
    spread = (sketch.mean - mean[:, None]) ** 2 + sketch.variance
    variance = (mass * spread).sum(axis=1) / total + variance_floor
    return Gaussians(total / total.sum(), mean, variance)


def k_means(ordered: NDArray[np.float32], sketch: Sketch, clusters: int) -> NDArray[np.intp]:
    """Bounds (clusters + 1,) of the 1-D k-means clusters of ascending values (N,), for 1 to 3.

    Cluster k is `ordered[bounds[k] : bounds[k + 1]]`: clusters of sorted values are intervals.
    So the start is the best of all pairs of cuts between COARSE_GROUPS groups of the sketch,
    then between all groups nearby: no random start, no poor local optimum. Lloyd's iteration
    settles the cuts on the values themselves. Needs at least `clusters` distinct values.
    """
    groups, size = sketch.count.size, ordered.size
    if clusters == 1:
        return np.array([0, size])
    counts = np.concatenate([[0.0], np.cumsum(sketch.count)])
    sums = np.concatenate([[0.0], np.cumsum(sketch.count * sketch.mean)])
    coarse = np.unique(np.linspace(1, groups - 1, min(COARSE_GROUPS, groups - 1)).astype(np.intp))
    best = _best_cuts(counts, sums, coarse, clusters)
    reach = groups // COARSE_GROUPS + 1
    nearby = (best[:, None] + np.arange(-reach, reach + 1)).ravel()
    best = _best_cuts(counts, sums, np.unique(np.clip(nearby, 1, groups - 1)), clusters)

    cuts = counts[best].astype(np.intp)
    prefix = np.cumsum(ordered, dtype=np.float64)
    for _ in range(LLOYD_LIMIT):
        stops = np.append(cuts, size)
        centres = np.diff(prefix[stops - 1], prepend=0.0) / np.diff(stops, prepend=0)
        middles = ((centres[1:] + centres[:-1]) / 2).astype(np.float32)
        moved = np.searchsorted(ordered, middles, side="right")
        # An emptied cluster would divide by zero above; the cuts before it are a valid answer.
        if np.array_equal(moved, cuts) or np.any(np.diff([0, *moved, size]) == 0):
            break
        cuts = moved
    return np.array([0, *cuts, size])


def first_mixture(
    ordered: NDArray[np.float32], bounds: NDArray[np.intp], variance_floor: float
) -> Gaussians:
    """The mixture whose components are the clusters `ordered[bounds[k] : bounds[k + 1]]`."""
    parts = [ordered[start:stop] for start, stop in pairwise(bounds)]
    return Gaussians(
        np.diff(bounds) / ordered.size,
        np.array([part.mean(dtype=np.float64) for part in parts]),
        np.array([part.var(dtype=np.float64) for part in parts]) + variance_floor,
    )


def _best_cuts(
    counts: Floats, sums: Floats, cuts: NDArray[np.intp], clusters: int
) -> NDArray[np.intp]:
    """The one or two of `cuts` with the least within-cluster sum of squares.

    That sum is a constant minus the gain, the sum over clusters of (sum of values)^2 / count.
    """
    head = sums[cuts] ** 2 / counts[cuts]
    tail = (sums[-1] - sums[cuts]) ** 2 / (counts[-1] - counts[cuts])
    if clusters == 2:
        return cuts[[int(np.argmax(head + tail))]]
    width = counts[cuts][None, :] - counts[cuts][:, None]
    middle = (sums[cuts][None, :] - sums[cuts][:, None]) ** 2 / np.where(width > 0, width, 1.0)
    gain = np.where(width > 0, head[:, None] + middle + tail[None, :], -np.inf)
    first, second = np.unravel_index(int(np.argmax(gain)), gain.shape)
    return cuts[[first, second]]


def expectation_maximisation(
    sketch: Sketch, mixture: Gaussians, config: GmmConfig
) -> tuple[Gaussians, bool, int]:
    """Fit the mixture by EM from a first `mixture`; returns (mixture, converged, iterations).

    Same order and stopping rule as scikit-learn: stop when the mean log-likelihood, measured
    before each M-step, has changed by less than `config.tolerance`.
    """
    share = sketch.count / sketch.count.sum()
    bound = -np.inf
    for iteration in range(1, config.iteration_limit + 1):
        joint = mixture.log_joint(sketch.mean)
        top = joint.max(axis=0)
        joint -= top
        np.exp(joint, out=joint)
        norm = joint.sum(axis=0)
        joint /= norm
        mixture = moments(sketch, joint, config.variance_floor)
        previous, bound = bound, float(share @ (top + np.log(norm)))
        if abs(bound - previous) < config.tolerance:
            return mixture, True, iteration
    return mixture, False, config.iteration_limit
