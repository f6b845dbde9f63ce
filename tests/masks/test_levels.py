"""Eight-bit levels: masks from them equal those from the likelihood, to the pixel."""

import numpy as np
import pytest

from lrpseg.masks.levels import level_values, quantise

RANDOM = np.random.default_rng(0)
MAPS = {
    "even": RANDOM.random((60, 70)),
    "saturated": np.where(RANDOM.random((60, 70)) < 0.5, 1.0, 1 - RANDOM.random((60, 70)) * 1e-6),
    "low": RANDOM.random((60, 70)) * 1e-5,
    "two values": (RANDOM.random((60, 70)) < 0.3).astype(float),
    "constant": np.full((60, 70), 0.25),
    "zeros": np.zeros((60, 70)),
    "ones": np.ones((60, 70)),
    "one pixel": np.array([[0.3]]),
    "wide": RANDOM.random((1, 3000)) ** 4,
}


@pytest.mark.parametrize("name", MAPS)
def test_masks_are_exact_at_every_level(name: str) -> None:
    likelihood = MAPS[name].astype(np.float32)
    levels = level_values(likelihood, own=0.372, extra=[0.123456, 0.99999])
    quantised = quantise(likelihood, levels)
    assert quantised.dtype == np.uint8
    for k, threshold in enumerate(levels):
        assert np.array_equal(quantised >= k, likelihood >= threshold)


@pytest.mark.parametrize("name", MAPS)
def test_levels_ascend_from_0_to_1_and_hold_what_was_asked(name: str) -> None:
    extra = np.linspace(0.001, 0.999, 60).tolist()
    levels = level_values(MAPS[name].astype(np.float32), own=0.372, extra=extra)
    assert (len(levels) <= 256, levels.dtype) == (True, np.float32)
    assert (np.diff(levels) > 0).all()
    assert (levels[0], levels[-1]) == (0, 1)
    for value in (0.372, 0.01, 0.5, *extra):
        assert np.float32(value) in levels


def test_room_that_is_left_goes_to_where_the_values_are() -> None:
    likelihood = (1 - RANDOM.random((200, 200)) * 1e-4).astype(np.float32)
    levels = level_values(likelihood, own=0.5)
    inside = levels[(levels > 0.9999) & (levels < 1)]
    assert len(inside) > 100
    shares = np.array([(likelihood >= t).mean() for t in inside])
    assert np.ptp(shares) > 0.9  # spread over all of them, not over their lower end


def test_doubtful_thresholds_are_kept_in_range() -> None:
    levels = level_values(np.zeros((2, 2), np.float32), own=2.0, extra=[-1, 3])
    assert (levels[0], levels[-1]) == (0, 1)


@pytest.mark.parametrize("levels", [[], [0.5, 0.5], [1, 0]])
def test_levels_that_do_not_ascend_are_refused(levels: list[float]) -> None:
    with pytest.raises(ValueError, match="ascend"):
        quantise(np.zeros((2, 2), np.float32), np.array(levels, np.float32))
