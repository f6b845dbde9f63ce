"""Results of several classes: a layer each, and their union; of one class all is as it was."""

from collections.abc import Callable

import numpy as np
import pytest

from lrpseg.core.errors import OptionError
from lrpseg.pipeline.results import Found, Result
from lrpseg.pipeline.settings import Settings

SETTINGS = Settings(domain="toy", network="one-fc", rule_set="ours", thresholder="fraction")
SHAPE = (6, 8)


def spot(rows: slice, columns: slice, height: float = 1.0) -> np.ndarray:
    """A map that is `height` in a rectangle, a quarter of it beside, 0 elsewhere."""
    found = np.zeros(SHAPE, np.float32)
    found[rows, columns] = height
    found[rows, columns.stop] = height / 4
    return found


CRACK = spot(slice(0, 3), slice(0, 4))
HOLE = spot(slice(2, 5), slice(3, 6), 10.0)


def made(*found: Found) -> Result:
    return Result.of(np.zeros((*SHAPE, 3), np.uint8), SETTINGS, found)


def two() -> Result:
    return made(Found("crack", 0.7, True, True, CRACK), Found("hole", 0.9, True, True, HOLE))


def test_the_union_is_what_any_class_says() -> None:
    result = two()
    crack, hole = result.layers
    assert result.probability == 0.9
    assert np.array_equal(result.mask, (CRACK == 1) | (HOLE == 10))
    assert np.array_equal(result.relevance, np.maximum(CRACK, HOLE))
    assert np.array_equal(result.likelihood, np.maximum(crack.likelihood, hole.likelihood))
    assert (crack.mask & hole.mask).any(), "layers may overlap"
    assert result.layer("hole") is hole
    with pytest.raises(OptionError, match="crack, hole"):
        result.layer("fray")


def test_thresholds_are_one_for_all_or_one_for_each() -> None:
    result = two()
    everything = (CRACK > 0) | (HOLE > 0)
    assert np.array_equal(result.at(0.2), everything)
    assert np.array_equal(result.at({"hole": 0.2}), (CRACK == 1) | (HOLE > 0))
    with pytest.raises(OptionError, match="no class"):
        result.at({"fray": 0.2})
    with pytest.raises(OptionError, match="0 to 1"):
        result.at({"hole": 1.5})


@pytest.mark.parametrize("ask", [lambda r: r.threshold, lambda r: r.fitted])
def test_what_each_class_has_for_itself_is_not_said_of_all(
    ask: Callable[[Result], object],
) -> None:
    with pytest.raises(OptionError, match="ask one of the layers"):
        ask(two())
    ask(made(Found("crack", 0.7, True, True, CRACK)))


def test_a_class_that_was_not_explained_adds_nothing() -> None:
    nothing = np.zeros(SHAPE, np.float32)
    result = made(Found("crack", 0.7, True, True, CRACK), Found("hole", 0.1, False, False, nothing))
    assert result.damaged
    assert not result.layer("hole").at(0).any()
    assert np.array_equal(result.at(0), np.ones(SHAPE, bool)), "crack's alone, at threshold 0"
    assert np.array_equal(result.mask, CRACK == 1)


def test_another_thresholder_changes_every_layer_and_no_evidence() -> None:
    result = two()
    other = result.using("simple")
    assert [layer.settings.thresholder for layer in other.layers] == ["simple", "simple"]
    assert all(a.relevance is b.relevance for a, b in zip(result.layers, other.layers, strict=True))
    assert other.layers[0].fitted is not result.layers[0].fitted


def test_one_class_is_the_union_itself() -> None:
    own = np.clip(CRACK, 0, 1)
    result = made(Found("damaged", 0.8, True, True, HOLE, own))
    (layer,) = result.layers
    assert result.relevance is layer.relevance
    assert result.own_likelihood is own
    assert result.evidence is own
    assert result.threshold == layer.threshold == 0.5
    assert np.array_equal(result.mask, CRACK == 1)
