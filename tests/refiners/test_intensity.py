"""The refiner intensity: drawn damage of known shape, and the definitions that it is made of."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from lrpseg.refiners.intensity import (
    DEFAULT,
    IntensityConfig,
    _local_means,
    _rescaled,
    _two_means,
    refine,
)
from lrpseg.thresholders import THRESHOLDERS, Fitted
from tests.shapes import border_relevance, disk, iou, surface

EIGHT = np.ones((3, 3), bool)


def fit(relevance: NDArray[np.float32], name: str = "simple") -> Fitted:
    return THRESHOLDERS[name].fit(relevance)


@pytest.mark.parametrize("change", [(-60, -60, -60), (60, 60, 60), (40, -30, -30)], ids=str)
def test_hollow_damage_is_filled_to_its_border(change: tuple[int, int, int]) -> None:
    truth = disk(50, 60, 12, (120, 160))
    image = surface().astype(int)
    image[truth] += np.array(change)
    image = image.clip(0, 255).astype(np.uint8)
    relevance = border_relevance(truth)
    fitted = fit(relevance)
    refined = refine(image, relevance, relevance, fitted)
    assert iou(fitted.mask, truth) < 0.75
    assert iou(refined.mask, truth) > 0.9
    assert refined.mask[50, 60]


def test_relevance_of_any_size_gives_the_same_mask() -> None:
    truth = disk(50, 60, 12, (120, 160))
    image = surface()
    image[truth] //= 2
    small = border_relevance(truth)
    large = (small.astype(float) * (3e38 / float(small.max()))).astype(np.float32)
    masks = [refine(image, r, r, fit(r)).mask for r in (small, large)]
    assert iou(*masks) > 0.99
    assert iou(masks[1], truth) > 0.9


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
    truth, other = disk(50, 60, 8, (120, 160)), disk(90, 130, 8, (120, 160))
    image = surface()
    image[truth | other] = 50
    relevance = border_relevance(truth)
    assert not refine(image, relevance, relevance, fit(relevance)).mask[other].any()


def test_without_contrast_the_thresholder_has_the_word() -> None:
    relevance = border_relevance(disk(50, 60, 12, (120, 160)))
    for name in THRESHOLDERS:
        fitted = fit(relevance, name)
        refined = refine(np.full((120, 160, 3), 77, np.uint8), relevance, relevance, fitted)
        assert np.array_equal(refined.mask, fitted.mask)
        assert refined.threshold == np.float32(DEFAULT.threshold)


def test_no_mask_to_start_from_stays_empty() -> None:
    fitted = fit(np.zeros((40, 50), np.float32))
    assert not refine(surface(40, 50), *[np.zeros((40, 50), np.float32)] * 2, fitted).mask.any()


def test_every_threshold_is_a_mask_inside_of_the_lower_ones() -> None:
    truth = disk(50, 60, 12, (120, 160))
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


def test_the_settings_are_pixels_of_the_picture() -> None:
    truth = disk(50, 60, 5, (120, 160))
    image = surface()
    image[truth] = 60
    relevance = border_relevance(truth)
    none = refine(image, relevance, relevance, fit(relevance), IntensityConfig(contrast=1e9))
    assert np.array_equal(none.mask, fit(relevance).mask)
