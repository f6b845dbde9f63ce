"""Tiles cover every pixel, and merging neither shows seams nor lights up intact tiles."""

import numpy as np
import pytest

from lrpseg.core.errors import OptionError
from lrpseg.pipeline.tiling import TileGrid, blending_weights, tile_starts


@pytest.mark.parametrize("length", [224, 225, 300, 448, 449, 1000, 4001])
@pytest.mark.parametrize("overlap", [0, 1, 64, 112, 223])
def test_tiles_cover_the_length_with_the_overlap(length: int, overlap: int) -> None:
    starts = tile_starts(length, overlap)
    assert starts[0] == 0
    assert starts[-1] + 224 == length
    steps = np.diff(starts)
    assert (steps > 0).all()
    assert (224 - steps >= overlap).all()


@pytest.mark.parametrize(
    ("length", "overlap", "count"), [(224, 64, 1), (225, 64, 2), (384, 64, 2), (385, 64, 3)]
)
def test_no_more_tiles_than_are_needed(length: int, overlap: int, count: int) -> None:
    assert len(tile_starts(length, overlap)) == count


@pytest.mark.parametrize("overlap", [-1, 224, 1000])
def test_an_overlap_that_cannot_be_is_refused(overlap: int) -> None:
    with pytest.raises(OptionError, match="overlap"):
        tile_starts(500, overlap)


@pytest.mark.parametrize("length", [224, 300, 777])
def test_weights_are_a_partition_of_unity(length: int) -> None:
    starts = tile_starts(length)
    total = np.zeros(length)
    for start, weights in zip(starts, blending_weights(starts, length), strict=True):
        total[start : start + 224] += weights
    assert np.allclose(total, 1, atol=1e-6)


def merge(height: int, width: int, relevance) -> np.ndarray:  # type: ignore[no-untyped-def]
    grid = TileGrid(height, width)
    merged = np.zeros((height, width), np.float32)
    for tile in grid:
        grid.add(merged, tile, relevance(tile))
    return merged


@pytest.mark.parametrize(("height", "width"), [(224, 224), (260, 224), (333, 517), (900, 230)])
def test_tiles_that_agree_are_merged_to_what_they_say(height: int, width: int) -> None:
    truth = np.random.default_rng(0).normal(size=(height, width)).astype(np.float32)
    assert np.allclose(merge(height, width, lambda t: t.of(truth)), truth, atol=1e-5)


def test_a_lone_damaged_tile_fades_out_without_a_step() -> None:
    ones = np.ones((224, 224), np.float32)
    merged = merge(600, 600, lambda t: ones if (t.row, t.column) == (1, 1) else 0 * ones)
    steps = max(np.abs(np.diff(merged, axis=a)).max() for a in (0, 1))
    assert steps < 0.06  # a hard edge would be a step of 1
    assert merged.max() == pytest.approx(1, abs=1e-3)


def test_intact_tiles_do_not_light_up() -> None:
    ones = np.ones((224, 224), np.float32)
    grid = TileGrid(224, 1000)
    merged = merge(224, 1000, lambda t: ones if t.column == 0 else 0 * ones)
    first_of_others = [t.x for t in grid][1]
    assert (merged[:, :first_of_others] > 0.99).all()
    assert (merged[:, 224:] == 0).all()
