"""Each thresholder's fit: against slow references, and exact small cases."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import betaincinv
from scipy.stats import beta as beta_distribution
from skimage.filters import threshold_isodata

from lrpseg.thresholders import (
    Fitted,
    bmm,
    bmm_reference,
    gmm,
    gmm_reference,
    simple,
)
from lrpseg.thresholders.beta_readings import READINGS, largest_half, largest_positive_half
from lrpseg.thresholders.betas import Betas, BmmConfig
from lrpseg.thresholders.gaussians import (
    Gaussians,
    GmmConfig,
    expectation_maximisation,
    first_mixture,
    k_means,
)
from lrpseg.thresholders.mean_filter import mean_filtered
from lrpseg.thresholders.simple import SimpleConfig
from lrpseg.thresholders.sketch import sketch_pixels, sketch_sorted
from tests.thresholders import thresholder_references as slow

# --- Simple ---


def test_simple_exact() -> None:
    # 0, 0, 0, 4, 8 over 8: mean 0.3; then (0 + 0.75) / 2 = 0.375, where it stays.
    fitted = simple.fit(np.array([[0.0, 0.0, 0.0, 4.0, 8.0]]))
    assert fitted.likelihood.tolist() == [[0.0, 0.0, 0.0, 0.5, 1.0]]
    assert fitted.threshold == 0.375
    assert fitted.mask.tolist() == [[False, False, False, True, True]]
    assert (fitted.converged, fitted.iterations) == (True, 2)


def test_simple_two_pixels() -> None:
    fitted = simple.fit(np.array([[-3.0, 5.0]]))
    assert fitted.threshold == 0.5
    assert fitted.mask.tolist() == [[False, True]]


def test_simple_stops_at_its_limit() -> None:
    fitted = simple.fit(slow.damage_like_map(0, (64, 64))[0], SimpleConfig(iteration_limit=1))
    assert (fitted.converged, fitted.iterations) == (False, 1)


@pytest.mark.parametrize("seed", range(4))
def test_simple_against_loops(seed: int) -> None:
    relevance, _ = slow.damage_like_map(seed, (48, 64))
    unit, threshold = slow.simple_by_loops(relevance)
    fitted = simple.fit(relevance)
    assert np.allclose(fitted.likelihood, unit, atol=1e-6)
    assert fitted.threshold == pytest.approx(threshold, abs=1e-6)
    assert fitted.converged


@pytest.mark.parametrize("seed", range(4))
def test_simple_is_among_the_isodata_thresholds(seed: int) -> None:
    fitted = simple.fit(slow.damage_like_map(seed, (64, 64))[0])
    # The fixed point need not be unique, so all of them are asked for.
    oracle = threshold_isodata(fitted.likelihood, nbins=8192, return_all=True)
    assert np.abs(oracle - fitted.threshold).min() <= 1 / 8192


# --- mean filter, sketch, k-means ---


@pytest.mark.parametrize("shape", [(9, 12), (1, 1), (2, 3), (1, 8)])
def test_mean_filter_against_loops(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).uniform(0, 1, shape)
    values[0, 0] = 1.0
    expected = slow.mean_filter_by_loops(values)
    result = mean_filtered(values)
    if np.ptp(expected) < 1e-12:
        assert result is None
    else:
        assert result is not None
        assert np.allclose(result, expected, atol=1e-12)


def test_mean_filter_sees_no_evidence_in_rounding() -> None:
    values = np.full((12, 12), 0.3, np.float32)
    values[::2, ::3] = np.nextafter(np.float32(0.3), np.float32(1))
    assert mean_filtered(values) is None
    values[6, 6] = 0.301
    assert mean_filtered(values) is not None


@pytest.mark.parametrize("size", [1, 2, 700, 50_000])
def test_sketch_keeps_counts_means_and_variances(size: int) -> None:
    values = np.sort(np.random.default_rng(size).standard_t(2.0, size).astype(np.float32))
    sketch = sketch_sorted(values)
    exact = values.astype(np.float64)
    total = sketch.count.sum()
    mean = (sketch.count * sketch.mean).sum() / total
    variance = (sketch.count * (sketch.variance + (sketch.mean - mean) ** 2)).sum() / total
    assert total == size
    assert sketch.count.size <= 1024
    assert mean == pytest.approx(exact.mean(), rel=1e-9, abs=1e-12)
    assert variance == pytest.approx(exact.var(), rel=1e-5, abs=1e-12)
    assert np.all(sketch.low <= sketch.mean + 1e-12)
    assert np.all(sketch.high[:-1] < sketch.low[1:])


def test_sketch_share_up_to_counts_values() -> None:
    values = np.sort(np.random.default_rng(1).uniform(0, 1, 20_000).astype(np.float32))
    sketch = sketch_sorted(values)
    for edge in (-1.0, 0.2003, 0.7, 2.0):
        count = float(sketch.count @ sketch.share_up_to(edge))
        assert count == pytest.approx(np.count_nonzero(values <= edge), abs=15)
    assert sketch_pixels(values[:3]).share_up_to(float(values[1])).tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("clusters", [2, 3])
def test_k_means_is_the_best_of_all_cuts(clusters: int) -> None:
    values = np.sort(np.random.default_rng(clusters).standard_t(2.0, 40).astype(np.float32))
    bounds = k_means(values, sketch_pixels(values), clusters)

    def cost(groups: list[NDArray[np.float32]]) -> float:
        return sum(float(((g - g.mean()) ** 2).sum()) for g in groups)

    cuts = [[i] for i in range(1, 40)]
    if clusters == 3:
        cuts = [[i, j] for i in range(1, 40) for j in range(i + 1, 40)]
    best = min(cost(np.split(values, cut)) for cut in cuts)
    assert cost(np.split(values, bounds[1:-1])) == pytest.approx(best, rel=1e-6)


# --- GMM ---


@pytest.mark.parametrize("shape", [(224, 224), (150, 300)])
def test_gmm_agrees_with_sklearn_on_every_pixel(shape: tuple[int, int]) -> None:
    agreement = []
    for seed in range(6):
        relevance, _ = slow.damage_like_map(seed, shape)
        exact = gmm_reference.fit(relevance)
        assert exact.mask.any()
        agreement.append(slow.iou(gmm.fit(relevance).mask, exact.mask))
    # k-means has neighbouring fixed points, and scikit-learn's stopping rule lets EM remember
    # from which it came: single maps differ by a little more than the mean.
    assert np.mean(agreement) >= 0.99
    assert min(agreement) >= 0.97


@pytest.mark.parametrize("seed", range(8))
def test_gmm_on_the_sketch_agrees_with_em_on_every_pixel(seed: int) -> None:
    relevance, _ = slow.damage_like_map(seed, (224, 224))
    smooth = gmm.smoothed(relevance)
    assert smooth is not None
    values = gmm.standardised(smooth)
    ordered = np.sort(values, axis=None)
    start = first_mixture(ordered, k_means(ordered, sketch_sorted(ordered), 3), 1e-6)
    pixels, _, steps = expectation_maximisation(sketch_pixels(ordered), start, GmmConfig())
    fast = gmm.fit(relevance)
    assert fast.iterations == steps
    assert slow.iou(fast.mask, gmm.damage_posterior(pixels, values, smooth > 0) >= 0.5) >= 0.995


@pytest.mark.parametrize("seed", range(3))
def test_gmm_reference_agrees_with_plain_sklearn(seed: int) -> None:
    relevance, _ = slow.damage_like_map(seed, (64, 64))
    # Run to the end, where the start no longer shows.
    config = GmmConfig(tolerance=1e-7, iteration_limit=1500)
    expected = slow.gmm_by_sklearn(relevance, tolerance=1e-7, steps=1500)
    assert expected.any()
    assert slow.iou(gmm_reference.fit(relevance, config).mask, expected) >= 0.99


def test_gmm_posterior_in_the_far_tail_is_no_nan() -> None:
    mixture = Gaussians(np.array([0.9, 0.1]), np.array([0.0, 1.0]), np.array([1e-6, 1e-6]))
    posterior = mixture.posterior(np.array([-1e3, 0.0, 1.0, 1e3]), 1)
    assert posterior.tolist() == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize("fit", [gmm.fit, gmm_reference.fit])
def test_gmm_stops_at_its_limit(fit: Callable[..., Fitted]) -> None:
    fitted = fit(slow.damage_like_map(0, (64, 64))[0], GmmConfig(tolerance=0, iteration_limit=3))
    assert (fitted.converged, fitted.iterations) == (False, 3)


# --- BMM ---


@pytest.mark.parametrize("reading", ["mixture-positive", "mixture", "equal-posterior", "literal"])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", [(224, 224), (150, 300)])
def test_bmm_agrees_with_every_pixel(reading: str, seed: int, shape: tuple[int, int]) -> None:
    relevance, _ = slow.damage_like_map(seed, shape)
    fast = bmm.fit(relevance, READINGS[reading])
    exact = bmm_reference.fit(relevance, READINGS[reading])
    assert exact.mask.any()
    assert slow.iou(fast.mask, exact.mask) >= 0.99


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("reading", "positive_half", "mixture"),
    [("mixture-positive", True, True), ("mixture", False, True), ("literal", False, False)],
)
def test_bmm_against_loops(seed: int, reading: str, positive_half: bool, mixture: bool) -> None:
    relevance, _ = slow.damage_like_map(seed, (36, 40))
    expected = slow.bmm_by_loops(relevance, positive_half, mixture)
    threshold = READINGS[reading].operating_point
    for fit in (bmm.fit, bmm_reference.fit):
        fitted = fit(relevance, READINGS[reading])
        assert slow.iou(fitted.mask, expected >= threshold) >= 0.98
        assert np.abs(fitted.likelihood - expected).mean() < 0.002


def test_kept_values() -> None:
    ordered = np.array([0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0])
    assert largest_half(ordered).tolist() == [1, 2, 3, 4]
    assert largest_positive_half(ordered).tolist() == [3, 4]
    assert largest_half(ordered[-1:]).tolist() == [4]


def betas(background: tuple[float, float], damage: tuple[float, float]) -> Betas:
    alpha, beta = zip(background, damage, strict=True)
    return Betas(np.array(alpha), np.array(beta))


def test_beta_density_is_scipys() -> None:
    pair = betas((0.7, 9.0), (6.0, 2.5))
    values = np.array([1e-6, 0.1, 0.5, 0.9, 1 - 1e-6])
    expected = [
        beta_distribution(0.7, 9.0).logpdf(values),
        beta_distribution(6, 2.5).logpdf(values),
    ]
    assert np.allclose(pair.log_density(values), expected)


def test_hard_edges() -> None:
    apart = betas((2.0, 30.0), (20.0, 10.0))
    assert apart.hard_edges(0.9) == pytest.approx((betaincinv(2, 30, 0.9), 2 / 3))
    # Wide background: its 90 % quantile lies above the damage's mean, the edges change places.
    crossed = betas((1.0, 1.2), (1.2, 1.2))
    assert crossed.hard_edges(0.9) == pytest.approx((0.5, betaincinv(1, 1.2, 0.9)))


@pytest.mark.parametrize(
    ("background", "damage"),
    [((1.0, 9.0), (5.0, 3.0)), ((1.0, 3.0), (9.0, 5.0)), ((5.0, 9.0), (2.0, 1.5))],
)
def test_rising_range(background: tuple[float, float], damage: tuple[float, float]) -> None:
    pair = betas(background, damage)
    values = np.linspace(0.001, 0.999, 999)
    density = pair.log_density(values)
    rising = np.diff(density[1] - density[0]) > 0
    first, last = pair.rising_range()
    middle = (values[1:] + values[:-1]) / 2
    inside = (middle > first) & (middle < last)
    near = (np.abs(middle - first) < 0.002) | (np.abs(middle - last) < 0.002)
    assert np.array_equal(rising[~near], inside[~near])


def test_bmm_stops_at_its_limit() -> None:
    relevance = slow.damage_like_map(0, (64, 64))[0]
    fitted = bmm.fit(relevance, config=BmmConfig(tolerance=0, iteration_limit=3))
    assert (fitted.converged, fitted.iterations) == (False, 3)
