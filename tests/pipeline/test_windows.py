"""Large pictures in windows: which tiles go together, and that results are as those of tiles."""

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

import lrpseg
from lrpseg.core.errors import RelevanceError
from lrpseg.pipeline import segmenter as segmenting
from lrpseg.pipeline.segmenter import Segmenter, Steps
from lrpseg.pipeline.tiling import TileGrid, tile_starts
from tests.conftest import add_self_trained

pytestmark = pytest.mark.usefixtures("narrow")

SHAPES = [
    (224, 224),
    (4000, 6000),
    (304, 20000),
    (20000, 304),
    (1504, 2000),
    (736, 736),
    (240, 224),
]


@pytest.mark.parametrize("pixels", [1, 400_000, 800_000])
@pytest.mark.parametrize("shape", SHAPES)
def test_windows_hold_each_tile_once_and_no_more_than_fits(
    shape: tuple[int, int], pixels: int
) -> None:
    grid = TileGrid(*shape, align=16)
    windows = list(grid.windows(pixels))
    every = [(t.row, t.column) for tiles in windows for t in tiles]
    assert sorted(every) == [(t.row, t.column) for t in grid]
    for tiles in windows:
        first, last = tiles[0], tiles[-1]
        high, wide = last.y + 224 - first.y, last.x + 224 - first.x
        assert len(tiles) == 1 or high * wide <= pixels
        ends = {(t.y, t.x) for t in tiles}
        assert {(y, x) for y, _ in ends for _, x in ends} == ends  # a full rectangle
        assert (first.y, first.x) == min(ends)
        assert (last.y, last.x) == max(ends)
        assert all((y - first.y) % 16 == (x - first.x) % 16 == 0 for y, x in ends)


@pytest.mark.parametrize("overlap", [0, 40, 64, 100, 207, 223])
@pytest.mark.parametrize("length", [224, 225, 240, 399, 400, 1504, 20003])
def test_aligned_tiles_overlap_as_much_as_wanted_and_end_at_the_end(
    length: int, overlap: int
) -> None:
    starts = tile_starts(length, overlap, align=16)
    assert starts[0] == 0
    assert starts[-1] == length - 224
    assert all(start % 16 == 0 for start in starts[:-1])
    wanted = min(overlap, 208)  # the least step is 16 pixels
    assert all(a + 224 - b >= wanted for a, b in pairwise(starts))
    grid = TileGrid(224, length, overlap, align=16)
    total = np.zeros((224, length))
    for tile in grid:
        tile.of(total)[...] += grid.weights(tile)
    assert np.allclose(total, 1, atol=1e-5)


@pytest.fixture
def large() -> np.ndarray:
    """(331, 545, 3): a picture that counts as large, of no aligned size, with a dark spot."""
    image = np.random.default_rng(0).integers(120, 220, (331, 545, 3), dtype=np.uint8)
    image[100:140, 200:300] = 20
    return image


def load(tiling: str, **choices: object) -> Segmenter:
    made = lrpseg.load("toy", thresholder="simple", tiling=tiling, device="cpu", **choices)  # type: ignore[arg-type]
    return replace(made, large=330 * 500)


def test_windows_give_nearly_what_tiles_give(large: np.ndarray) -> None:
    seen, alone = load("windows")(large), load("tiles")(large)
    assert seen.relevance.shape == alone.relevance.shape == large.shape[:2]
    assert seen.settings.tiling == "windows"
    assert seen.damaged == alone.damaged
    assert not np.array_equal(seen.relevance, alone.relevance)
    assert np.corrcoef(seen.relevance.ravel(), alone.relevance.ravel())[0, 1] > 0.7


def test_small_pictures_are_not_changed_by_it(large: np.ndarray) -> None:
    small = large[:300, :400]
    seen, alone = load("windows")(small), load("tiles")(small)
    assert np.array_equal(seen.relevance, alone.relevance)
    assert seen.probability == alone.probability


def test_steps_and_streams_give_what_a_call_gives(large: np.ndarray) -> None:
    segmenter = load("windows", batch=1)
    told: list[tuple[int, int]] = []
    whole = segmenter(large, progress=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1]
    assert len(told) > 1
    again, seen = finished(segmenter.steps(large))
    assert seen == told
    assert np.array_equal(again.relevance, whole.relevance)
    small = large[:250, :250]
    streamed = list(segmenter.stream([small, large, small]))
    assert [r.relevance.shape for r in streamed] == [(250, 250), (331, 545), (250, 250)]
    assert np.array_equal(streamed[1].relevance, whole.relevance)
    assert np.allclose(streamed[0].relevance, segmenter(small).relevance, atol=1e-5)


def test_a_sketch_is_what_was_found_so_far(large: np.ndarray) -> None:
    steps = load("windows", batch=1).steps(large)
    sketches = []
    try:
        while True:
            step = next(steps)
            assert step.sketch is not None
            sketches.append(step.sketch((33, 54)))
    except StopIteration as end:
        result = end.value
    assert all(sketch.shape == (33, 54) for sketch in sketches)
    shares = [np.count_nonzero(sketch) for sketch in sketches]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1]
    whole = cv2.resize(result.relevance, (54, 33), interpolation=cv2.INTER_AREA)
    assert np.allclose(sketches[-1], whole)


def finished(steps: Steps) -> tuple[lrpseg.Result, list[tuple[int, int]]]:
    seen = []
    while True:
        try:
            step = next(steps)
            seen.append((step.done, step.total))
        except StopIteration as end:
            return end.value, seen


def test_an_intact_picture_is_explained_when_asked(
    large: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = load("windows")
    monkeypatch.setattr(segmenting, "is_damaged", lambda odds: odds > 1e9)
    intact = segmenter(large)
    assert not intact.explained
    assert not intact.relevance.any()
    anyway = segmenter(large, explain_intact=True)
    assert anyway.explained
    assert not anyway.damaged
    assert np.abs(anyway.relevance).max() > 0
    assert anyway.probability == intact.probability


def test_a_network_with_a_likelihood_of_its_own(
    large: np.ndarray, narrow_assets: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "assets" / "toy"
    shutil.copytree(narrow_assets / "toy", folder)
    add_self_trained(folder)
    choices = {"network": "self-trained", "assets": tmp_path / "assets"}
    seen = load("windows", **choices)(large, explain_intact=True)
    alone = load("tiles", **choices)(large, explain_intact=True)
    assert seen.own_likelihood is not None
    assert alone.own_likelihood is not None
    assert seen.own_likelihood.shape == large.shape[:2]
    assert 0 <= seen.own_likelihood.min() <= seen.own_likelihood.max() <= 1 + 1e-5
    assert np.abs(seen.own_likelihood - alone.own_likelihood).mean() < 0.02


def test_what_cannot_share_runs_in_tiles(large: np.ndarray) -> None:
    assert load("windows", engine="zennit").windows is None
    assert load("tiles").windows is None


def test_a_network_that_gives_nan_is_no_intact_picture(
    large: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = load("windows")
    assert segmenter.windows is not None
    network = segmenter.windows._network  # type: ignore[attr-defined]
    monkeypatch.setattr(network, "likelihood", lambda x: x * 0)
    monkeypatch.setattr(network, "judge", lambda likelihood, odds: odds * float("nan"))
    with pytest.raises(RelevanceError, match="NaN"):
        segmenter(large)
