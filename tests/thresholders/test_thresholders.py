"""Thresholders: against slow references, exact small cases, degenerate input, invariances."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lrpseg.core.errors import OptionError, RelevanceError
from lrpseg.thresholders import (
    THRESHOLDERS,
    Fitted,
    bmm,
    bmm_reference,
    gmm,
    gmm_reference,
    simple,
)
from lrpseg.thresholders.base import scaled_relevance
from lrpseg.thresholders.beta_readings import READINGS
from lrpseg.thresholders.mean_filter import mean_filtered
from tests.thresholders import thresholder_references as slow

Fit = Callable[[NDArray[Any]], Fitted]

NAMES = ["simple", "gmm", "bmm", "bmm-literal", "fraction"]
FITS: dict[str, Fit] = {
    **{name: THRESHOLDERS[name].fit for name in NAMES},
    **{f"reading {name}": (lambda x, r=r: bmm.fit(x, r)) for name, r in READINGS.items()},
    "gmm on every pixel": gmm_reference.fit,
    "bmm on every pixel": bmm_reference.fit,
}
every_fit = pytest.mark.parametrize("fit", FITS.values(), ids=FITS.keys())
every_name = pytest.mark.parametrize("name", NAMES)


def check_contract(fitted: Fitted, shape: tuple[int, ...]) -> None:
    assert fitted.likelihood.shape == shape
    assert fitted.likelihood.dtype == np.float32
    assert fitted.likelihood.min() >= 0
    assert fitted.likelihood.max() <= 1
    assert 0 <= fitted.threshold <= 1
    assert fitted.mask.dtype == np.bool_
    # The same mask whether the comparison is made in float32 or in float64.
    assert np.array_equal(fitted.mask, fitted.likelihood >= fitted.threshold)
    wide = fitted.likelihood.astype(np.float64)
    assert np.array_equal(fitted.mask, wide >= np.float64(fitted.threshold))


# --- registry ---


def test_registry_lists_the_thresholders() -> None:
    assert list(THRESHOLDERS) == NAMES
    assert [THRESHOLDERS[name].name for name in NAMES] == NAMES
    with pytest.raises(OptionError, match="simple, gmm, bmm"):
        THRESHOLDERS["otsu"]


def test_readings_are_named_and_distinct() -> None:
    assert bmm.DEFAULT_READING is READINGS["mixture-positive"]
    relevance, _ = slow.damage_like_map(3, (96, 96))
    literal = bmm.fit(relevance, READINGS["literal"])
    assert np.array_equal(literal.likelihood, THRESHOLDERS["bmm-literal"].fit(relevance).likelihood)
    sizes = {
        name: int(bmm.fit(relevance, reading).mask.sum()) for name, reading in READINGS.items()
    }
    assert sizes["literal"] > sizes["equal-posterior"] > sizes["mixture"] > 0


# --- contract and invariances ---


@every_fit
@pytest.mark.parametrize("shape", [(64, 80), (7, 5), (1, 60), (60, 1)])
def test_contract(fit: Fit, shape: tuple[int, int]) -> None:
    relevance, _ = slow.damage_like_map(1, shape)
    before = relevance.copy()
    fitted = fit(relevance)
    check_contract(fitted, shape)
    assert np.array_equal(relevance, before)


@every_fit
def test_at_is_the_mask_for_any_threshold(fit: Fit) -> None:
    fitted = fit(slow.damage_like_map(2, (64, 64))[0])
    assert np.array_equal(fitted.at(0.0), np.ones((64, 64), bool))
    assert np.array_equal(fitted.at(fitted.threshold), fitted.mask)
    assert fitted.at(0.2).sum() >= fitted.at(0.8).sum()


@every_fit
def test_deterministic(fit: Fit) -> None:
    relevance, _ = slow.damage_like_map(4, (64, 64))
    one, other = fit(relevance), fit(relevance.copy())
    assert np.array_equal(one.likelihood, other.likelihood)
    assert (one.threshold, one.iterations) == (other.threshold, other.iterations)


@every_name
@pytest.mark.parametrize("factor", [1e-4, 1e4, 1e-36, 1e36])
def test_scale_does_not_matter(name: str, factor: float) -> None:
    relevance, _ = slow.damage_like_map(5, (96, 96))
    plain = THRESHOLDERS[name].fit(relevance).mask
    scaled = THRESHOLDERS[name].fit(relevance * np.float32(factor)).mask
    assert plain.any()
    # The product rounds each value to float32, so values on the edge may change sides.
    assert slow.iou(plain, scaled) > 0.995


@every_name
def test_a_power_of_two_changes_nothing(name: str) -> None:
    relevance, _ = slow.damage_like_map(5, (96, 96))
    plain = THRESHOLDERS[name].fit(relevance)
    scaled = THRESHOLDERS[name].fit(relevance * np.float32(2.0**-20))
    assert np.array_equal(plain.likelihood, scaled.likelihood)


@every_name
def test_flipping_the_map_flips_the_mask(name: str) -> None:
    relevance, _ = slow.damage_like_map(6, (96, 80))
    plain = THRESHOLDERS[name].fit(relevance).mask
    turned = THRESHOLDERS[name].fit(np.ascontiguousarray(relevance[::-1, ::-1]).T)
    assert slow.iou(plain[::-1, ::-1].T, turned.mask) > 0.995


@every_name
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16, np.int64])
def test_any_real_dtype(name: str, dtype: type) -> None:
    relevance, _ = slow.damage_like_map(7, (64, 64))
    rounded = np.round(relevance * 20000).clip(-2000, 2000)  # exact in every one of the dtypes
    expected = THRESHOLDERS[name].fit(rounded.astype(np.float32)).mask
    fitted = THRESHOLDERS[name].fit(rounded.astype(dtype))
    check_contract(fitted, (64, 64))
    assert expected.any()
    assert slow.iou(fitted.mask, expected) > 0.99


def test_unsigned_and_bool_maps_are_accepted() -> None:
    relevance = np.zeros((9, 9), np.uint8)
    relevance[4, 4] = 200
    assert simple.fit(relevance).mask.sum() == 1
    assert simple.fit(relevance > 0).mask.sum() == 1


@pytest.mark.parametrize("fit", [bmm.fit, bmm_reference.fit])
@pytest.mark.parametrize("reading", READINGS.values(), ids=READINGS.keys())
def test_bmm_never_falls_with_relevance(fit: Callable[..., Fitted], reading: Any) -> None:
    for seed in range(4):
        relevance, _ = slow.damage_like_map(seed, (64, 64))
        scaled = scaled_relevance(relevance)
        assert scaled is not None
        smooth = mean_filtered(scaled)
        assert smooth is not None
        order = np.argsort(smooth, axis=None)
        likelihood = fit(relevance, reading).likelihood.ravel()[order]
        assert np.all(np.diff(likelihood) >= 0)
        assert likelihood[-1] > 0.5


@pytest.mark.parametrize("name", ["gmm", "bmm", "bmm-literal"])
def test_negative_smoothed_relevance_is_never_damage(name: str) -> None:
    relevance = slow.damage_like_map(8, (64, 64))[0]
    relevance[5:25, 5:25] -= 0.05  # farther below zero than the damage lies above
    fitted = THRESHOLDERS[name].fit(relevance)
    assert fitted.mask.any()
    assert fitted.likelihood[8:22, 8:22].max() == 0


# --- degenerate and wrong input ---


@every_fit
@pytest.mark.parametrize(
    "relevance",
    [
        np.zeros((6, 6), np.float32),
        np.full((6, 6), 0.3, np.float32),
        np.full((6, 6), -0.3, np.float32),
        -np.arange(36, dtype=np.float32).reshape(6, 6),
        np.array([[1.0]]),
        np.array([[-1.0]]),
    ],
    ids=["zero", "constant", "negative constant", "no positive value", "1x1", "negative 1x1"],
)
def test_no_evidence_gives_an_empty_mask(fit: Fit, relevance: NDArray[Any]) -> None:
    fitted = fit(relevance)
    check_contract(fitted, relevance.shape)
    assert fitted.likelihood.max() == 0
    assert not fitted.mask.any()
    assert fitted.converged


@every_fit
@pytest.mark.parametrize(
    ("relevance", "message"),
    [
        (np.zeros(5), "two axes"),
        (np.zeros((1, 5, 5)), "two axes"),
        (np.zeros((0, 5)), "empty"),
        (np.array([[0.0, np.nan], [1.0, 2.0]]), "1 values that are NaN"),
        (np.array([[0.0, np.inf], [1.0, -np.inf]], np.float32), "2 values that are NaN"),
        (np.zeros((2, 2), complex), "real numbers"),
        (np.full((2, 2), "a"), "real numbers"),
    ],
)
def test_wrong_input_says_what_to_do(fit: Fit, relevance: NDArray[Any], message: str) -> None:
    with pytest.raises(RelevanceError, match=message):
        fit(relevance)


@pytest.mark.parametrize("fit", [gmm.fit, bmm.fit, bmm_reference.fit, gmm_reference.fit])
def test_one_peak_becomes_its_filter_window(fit: Fit) -> None:
    relevance = np.zeros((20, 20), np.float32)
    relevance[8, 9] = 1
    expected = np.zeros((20, 20), bool)
    expected[6:11, 7:12] = True
    assert np.array_equal(fit(relevance).mask, expected)


def test_bmm_calls_no_majority_damage() -> None:
    relevance = np.ones((20, 20), np.float32)
    relevance[:, 15:] = -1
    assert not bmm.fit(relevance, READINGS["literal"]).mask.any()


@every_name
def test_two_valued_map(name: str) -> None:
    relevance = np.full((40, 40), -0.5, np.float32)
    relevance[10:22, 10:22] = 2.0
    mask = THRESHOLDERS[name].fit(relevance).mask
    assert mask[12:20, 12:20].all()
    assert not mask[:7].any()


@pytest.mark.parametrize("name", [n for n in NAMES if n != "fraction"])
def test_huge_offset_keeps_the_order(name: str) -> None:
    # Of a map that is all but constant, every pixel is all but the whole of the maximum.
    relevance = slow.damage_like_map(9, (64, 64))[0].astype(np.float64)
    fitted = THRESHOLDERS[name].fit(relevance + 1e6)
    check_contract(fitted, (64, 64))
    assert fitted.likelihood.max() > 0.9
    assert 0 < fitted.mask.mean() < 0.6


def test_shift_does_not_matter_to_simple() -> None:
    relevance = slow.damage_like_map(9, (64, 64))[0].astype(np.float64)
    expected = simple.fit(relevance)
    shifted = simple.fit(relevance + 1e6)
    assert np.allclose(shifted.likelihood, expected.likelihood, atol=1e-6)
    assert slow.iou(shifted.mask, expected.mask) > 0.995


@every_fit
def test_extreme_magnitudes_stay_finite(fit: Fit) -> None:
    relevance = slow.damage_like_map(10, (40, 40))[0]
    largest = np.finfo(np.float32).max
    stretched = (relevance / np.abs(relevance).max()).astype(np.float32) * largest
    stretched[0, 0] = -largest
    fitted = fit(stretched)
    check_contract(fitted, (40, 40))
    assert fitted.mask.any()


# --- size ---


@every_name
def test_sixteen_megapixels(name: str) -> None:
    tile, damage = slow.damage_like_map(11, (256, 256))
    relevance = np.tile(tile, (16, 16))
    fitted = THRESHOLDERS[name].fit(relevance)
    assert fitted.likelihood.shape == (4096, 4096)
    assert fitted.converged
    small = THRESHOLDERS[name].fit(tile)
    assert slow.iou(fitted.mask[256:512, 256:512][8:-8, 8:-8], small.mask[8:-8, 8:-8]) > 0.98
    assert (fitted.mask[:256, :256] & damage).any()
