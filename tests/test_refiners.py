"""Refiners: against slow references at every threshold, drawn damage of known shape, odd input."""

from itertools import pairwise, product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from lrpseg.errors import OptionError
from lrpseg.refiners import DEFAULT_REFINER, REFINERS
from lrpseg.refiners.intensity import (
    DEFAULT,
    IntensityConfig,
    _local_means,
    _rescaled,
    _two_means,
    refine,
)
from lrpseg.refiners.reconstruction import connected, filled, touching
from lrpseg.refiners.support import refine as support
from lrpseg.thresholders import THRESHOLDERS, Fitted

EIGHT = np.ones((3, 3), bool)


def surface(height: int = 120, width: int = 160, level: int = 130) -> NDArray[np.uint8]:
    """A grey surface with noise and a slow change of light, (H, W, 3)."""
    random = np.random.default_rng(0)
    light = np.linspace(-15, 15, width)[None]
    grey = level + light + random.normal(0, 3, (height, width))
    return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def border_relevance(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Relevance as LRP gives it: high around the border, hollow inside, some noise elsewhere."""
    edge = mask & ~ndimage.binary_erosion(mask, iterations=2)
    random = np.random.default_rng(1)
    noise = random.random(mask.shape) * 0.02
    return (ndimage.gaussian_filter(edge.astype(float), 1.5) + noise).astype(np.float32)


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))


def disk(centre: tuple[int, int], radius: int, shape: tuple[int, int]) -> NDArray[np.bool_]:
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2


def fit(relevance: NDArray[np.float32], name: str = "simple") -> Fitted:
    return THRESHOLDERS[name].fit(relevance)


def test_registry_lists_the_refiners() -> None:
    assert list(REFINERS) == ["none", "intensity", "support"]
    assert DEFAULT_REFINER == "none"
    with pytest.raises(OptionError, match="none, intensity"):
        REFINERS["sharpen"]


def test_none_changes_nothing() -> None:
    fitted = fit(border_relevance(disk((50, 60), 9, (120, 160))))
    assert (
        REFINERS["none"].refine(surface(), *[np.zeros((120, 160), np.float32)] * 2, fitted)
        is fitted
    )


@pytest.mark.parametrize("change", [(-60, -60, -60), (60, 60, 60), (40, -30, -30)], ids=str)
def test_hollow_damage_is_filled_to_its_border(change: tuple[int, int, int]) -> None:
    truth = disk((50, 60), 12, (120, 160))
    image = surface().astype(int)
    image[truth] += np.array(change)
    image = image.clip(0, 255).astype(np.uint8)
    relevance = border_relevance(truth)
    fitted = fit(relevance)
    refined = refine(image, relevance, relevance, fitted)
    assert iou(fitted.mask, truth) < 0.75
    assert iou(refined.mask, truth) > 0.9
    assert refined.mask[50, 60]


def test_wide_relevance_shrinks_to_a_thin_crack_and_is_followed_past_its_end() -> None:
    truth = np.zeros((120, 160), bool)
    for x in range(20, 140):
        y = 60 + round(10 * np.sin(x / 25))
        truth[y : y + 3, x] = True
    image = surface()
    image[truth] = (image[truth] * 0.5).astype(np.uint8)
    relevance = ndimage.gaussian_filter(truth.astype(float), 4).astype(np.float32)
    relevance[:, 130:] = 0  # the classifier did not look there
    fitted = fit(relevance)
    refined = refine(image, relevance, relevance, fitted)
    assert iou(fitted.mask, truth) < 0.45
    assert iou(refined.mask, truth) > 0.75
    _, parts = ndimage.label(refined.mask, EIGHT)
    assert parts == 1
    assert refined.mask[:, 136].any()


def test_a_crack_whose_contrast_changes_along_it_is_followed_to_its_faint_end() -> None:
    """It takes 80 to 10 percent of the light; one pair of intensities loses its faint end."""
    truth = np.zeros((120, 260), bool)
    truth[58:62, 20:240] = True
    share = np.linspace(0.8, 0.1, 260)[None]
    image = surface(120, 260)
    image = np.where(truth[..., None], image * (1 - share[..., None]), image).astype(np.uint8)
    relevance = ndimage.gaussian_filter(truth.astype(float), 3).astype(np.float32)
    fitted = fit(relevance)
    refined = refine(image, relevance, relevance, fitted)
    one_pair = refine(image, relevance, relevance, fitted, IntensityConfig(updates=0))
    faint = np.s_[:, 180:240]
    assert iou(one_pair.mask[faint], truth[faint]) < 0.5
    assert iou(refined.mask[faint], truth[faint]) > 0.6
    assert iou(refined.mask, truth) > 0.85


def long_crack() -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.float32]]:
    """A crack of 220 pixels, the relevance of which is high at its left end and low elsewhere."""
    truth = np.zeros((120, 260), bool)
    truth[58:62, 20:240] = True
    image = surface(120, 260)
    image[truth] = 60
    relevance = ndimage.gaussian_filter(truth.astype(float), 3).astype(np.float32)
    relevance[:, 60:] *= 0.25
    return image, truth, relevance


def test_a_crack_is_followed_along_low_relevance_round_by_round() -> None:
    image, truth, relevance = long_crack()
    fitted = fit(relevance, "fraction")
    ends = []
    for rounds in (1, 3, 20):
        config = IntensityConfig(rounds=rounds)
        ends.append(int(np.argwhere(refine(image, relevance, relevance, fitted, config).mask)
                        [:, 1].max()))  # fmt: skip
    assert not fitted.mask[:, 70:].any()
    assert ends[0] < 90 < ends[1] < 150
    assert ends[2] >= 238
    assert iou(refine(image, relevance, relevance, fitted, config).mask, truth) > 0.9


def test_following_ends_a_little_past_where_relevance_does() -> None:
    image, _, relevance = long_crack()
    relevance[:, 150:] = 0
    mask = refine(image, relevance, relevance, fit(relevance, "fraction")).mask
    assert 150 <= np.argwhere(mask)[:, 1].max() < 165


def test_later_rounds_take_nothing_away() -> None:
    image, truth, relevance = long_crack()
    image[20:30, 90:100] = 60  # dark, but out of reach of the first rounds
    fitted = fit(relevance, "fraction")
    masks = [
        refine(image, relevance, relevance, fitted, IntensityConfig(rounds=n)).mask
        for n in range(1, 8)
    ]
    assert all((one <= more).all() for one, more in pairwise(masks))
    assert masks[-1].sum() > masks[0].sum()
    assert not masks[-1][~ndimage.binary_dilation(truth, iterations=3)].any()


def test_local_means_are_those_of_their_definition() -> None:
    random = np.random.default_rng(4)
    values = random.normal(0, 10, (9, 14)).astype(np.float32)
    own = random.random(values.shape) < 0.7
    config = IntensityConfig(along=1.5, updates=3, pull=0.2, contrast=1.0, local_contrast=0.1)
    lows, highs = _local_means(values, own, -5.0, 6.0, 2.0, config)

    # OpenCV's kernel of float pictures reaches 4 deviations to each side; borders are mirrored.
    reach = 6
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / 1.5) ** 2)
    window = np.outer(weights, weights) / weights.sum() ** 2
    low, high = np.full(values.shape, -5.0), np.full(values.shape, 6.0)

    def slow(mask: NDArray[np.bool_], whole: float) -> NDArray[np.float64]:
        found = np.empty(values.shape)
        padded = np.pad(np.where(mask, values, 0).astype(float), reach, "reflect")
        share = np.pad(mask.astype(float), reach, "reflect")
        for y, x in np.ndindex(values.shape):
            part = np.s_[y : y + 2 * reach + 1, x : x + 2 * reach + 1]
            total = (padded[part] * window).sum() + 0.2 * whole
            found[y, x] = total / ((share[part] * window).sum() + 0.2)
        return found

    for _ in range(3):
        above = values >= (low + high) / 2
        low, high = slow(own & ~above, -5.0), slow(own & above, 6.0)
        high = np.maximum(high, low + 2.0)  # of the noise: more than a tenth of 11
    np.testing.assert_allclose(lows, low, atol=0.02)
    np.testing.assert_allclose(highs, high, atol=0.02)


def test_dark_things_that_relevance_does_not_touch_stay_out() -> None:
    truth, other = disk((50, 60), 8, (120, 160)), disk((90, 130), 8, (120, 160))
    image = surface()
    image[truth | other] = 50
    relevance = border_relevance(truth)
    assert not refine(image, relevance, relevance, fit(relevance)).mask[other].any()


def test_without_contrast_the_thresholder_has_the_word() -> None:
    relevance = border_relevance(disk((50, 60), 12, (120, 160)))
    for name in THRESHOLDERS:
        fitted = fit(relevance, name)
        refined = refine(np.full((120, 160, 3), 77, np.uint8), relevance, relevance, fitted)
        assert np.array_equal(refined.mask, fitted.mask)
        assert refined.threshold == np.float32(DEFAULT.threshold)


def test_no_mask_to_start_from_stays_empty() -> None:
    fitted = fit(np.zeros((40, 50), np.float32))
    assert not refine(surface(40, 50), *[np.zeros((40, 50), np.float32)] * 2, fitted).mask.any()


def test_every_threshold_is_a_mask_inside_of_the_lower_ones() -> None:
    truth = disk((50, 60), 12, (120, 160))
    image = surface()
    image[truth] = 60
    relevance = border_relevance(truth)
    refined = refine(image, relevance, relevance, fit(relevance))
    assert refined.likelihood.dtype == np.float32
    assert refined.likelihood.min() >= 0
    assert refined.likelihood.max() <= 1
    masks = [refined.at(t) for t in (0.2, 0.4, refined.threshold, 0.7, 0.9)]
    assert all((b <= a).all() for a, b in pairwise(masks))
    assert masks[0].sum() > masks[-1].sum() > 0


@pytest.mark.parametrize("seed", range(4))
def test_reconstruction_is_the_slow_one_at_every_threshold(seed: int) -> None:
    random = np.random.default_rng(seed)
    place = (random.random((18, 23)) * 8).round().astype(np.float32) / 8
    marker = np.where(random.random(place.shape) < 0.05, place, 0).astype(np.float32)
    joined, solid = connected(marker, place), filled(place)
    for level in np.arange(1, 9, dtype=np.float32) / 8:
        labels, _ = ndimage.label(place >= level, EIGHT)
        wanted = np.unique(labels[marker >= level])
        assert np.array_equal(joined >= level, np.isin(labels, wanted[wanted > 0]))
        assert np.array_equal(solid >= level, ndimage.binary_fill_holes(place >= level))


def test_touching_is_the_slow_one() -> None:
    random = np.random.default_rng(3)
    mask, marker = random.random((30, 40)) < 0.4, random.random((30, 40)) < 0.02
    labels, count = ndimage.label(mask, EIGHT)
    wanted = [i for i in range(1, count + 1) if marker[labels == i].any()]
    assert 0 < len(wanted) < count
    assert np.array_equal(touching(mask, marker), np.isin(labels, wanted))
    assert not touching(mask, np.zeros_like(mask)).any()


def test_two_means_are_those_of_the_definition() -> None:
    values = np.array([0, 1, 2, 10, 11], np.float32)
    assert _two_means(values) == (1.0, 10.5)
    assert _two_means(np.full(4, 3, np.float32)) == (3.0, 3.0)


@pytest.mark.parametrize("own", [0.0, 1e-7, 0.3, 0.5, 0.99, 1.0])
def test_rescaling_keeps_every_pixel_on_its_side(own: float) -> None:
    likelihood = np.linspace(0, 1, 40, dtype=np.float32).reshape(5, 8)
    fitted = Fitted(likelihood, float(np.float32(own)), True, 1)
    moved = _rescaled(fitted, 0.55)
    assert np.array_equal(moved.mask, fitted.mask)
    assert (np.diff(moved.likelihood.ravel()) >= 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (5, 7), (33, 300)])
def test_odd_sizes(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(2)
    relevance = random.random(shape).astype(np.float32)
    image = random.integers(0, 256, (*shape, 3), np.uint8)
    for name, refiner in product(THRESHOLDERS, REFINERS):
        refined = REFINERS[refiner].refine(image, relevance, relevance, fit(relevance, name))
        assert refined.likelihood.shape == shape
        assert refined.mask.dtype == np.bool_


def test_support_keeps_whole_components_that_relevance_points_at() -> None:
    """Against the definition, at every threshold that there is."""
    random = np.random.default_rng(5)
    relevance = ndimage.gaussian_filter(random.normal(0, 1, (40, 60)), 3).astype(np.float32)
    likelihood = ndimage.gaussian_filter(random.random((40, 60)), 1.5).astype(np.float32)
    likelihood = np.round((likelihood - likelihood.min()) / np.ptp(likelihood), 2)
    reasons = fit(relevance).mask
    made = support(surface(40, 60), relevance, likelihood, Fitted(likelihood, 0.5, True, 1))
    assert made.threshold == 0.5
    kept = 0
    for level in np.unique(likelihood[likelihood > 0]):
        labels, count = ndimage.label(likelihood >= level, EIGHT)
        touched = [i for i in range(1, count + 1) if reasons[labels == i].any()]
        assert np.array_equal(made.likelihood >= level, np.isin(labels, touched))
        kept += 0 < len(touched) < count
    assert kept > 5  # there was something to keep and something to drop


def test_without_a_reason_nothing_has_support() -> None:
    likelihood = np.full((20, 30), 0.9, np.float32)
    nowhere = np.zeros((20, 30), np.float32)
    fitted = Fitted(likelihood, 0.5, True, 1)
    assert not support(surface(20, 30), nowhere, likelihood, fitted).mask.any()
    at_zero = Fitted(likelihood, 0.0, True, 1)
    assert support(surface(20, 30), nowhere, likelihood, at_zero) is at_zero


def test_the_settings_are_pixels_of_the_picture() -> None:
    truth = disk((50, 60), 5, (120, 160))
    image = surface()
    image[truth] = 60
    relevance = border_relevance(truth)
    none = refine(image, relevance, relevance, fit(relevance), IntensityConfig(contrast=1e9))
    assert np.array_equal(none.mask, fit(relevance).mask)
