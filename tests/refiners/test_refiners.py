"""Refiners: against slow references at every threshold, odd input."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from lrpseg.core.errors import OptionError
from lrpseg.refiners import DEFAULT_REFINER, REFINERS
from lrpseg.refiners.reconstruction import connected, filled, touching
from lrpseg.refiners.support import refine as support
from lrpseg.thresholders import THRESHOLDERS, Fitted
from tests.shapes import border_relevance, disk, surface

EIGHT = np.ones((3, 3), bool)


def fit(relevance: NDArray[np.float32], name: str = "simple") -> Fitted:
    return THRESHOLDERS[name].fit(relevance)


def test_registry_lists_the_refiners() -> None:
    assert list(REFINERS) == ["none", "intensity", "support"]
    assert DEFAULT_REFINER == "none"
    with pytest.raises(OptionError, match="none, intensity"):
        REFINERS["sharpen"]


def test_none_changes_nothing() -> None:
    fitted = fit(border_relevance(disk(50, 60, 9, (120, 160))))
    assert (
        REFINERS["none"].refine(surface(), *[np.zeros((120, 160), np.float32)] * 2, fitted)
        is fitted
    )


@pytest.mark.parametrize("many", [1000, 0])
@pytest.mark.parametrize("share", [1, 0.5, 0.3])  # of pixels above 0: one part, nested ones, many
@pytest.mark.parametrize("seed", range(4))
def test_reconstruction_is_the_slow_one_at_every_threshold(
    seed: int, share: float, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lrpseg.refiners.reconstruction._MANY", many)
    random = np.random.default_rng(seed)
    place = (random.random((18, 23)) * 8).round().astype(np.float32) / 8
    place[random.random(place.shape) > share] = 0
    if share < 0.4:
        place[2:16, 2] = place[2:16, 20] = place[2, 2:21] = place[15, 2:21] = 0.5  # round others
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
