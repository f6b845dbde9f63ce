"""Large pictures: which tiles are looked at together, and that results are those of tiles."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from torch import Tensor

import lrpseg
from lrpseg.core.errors import RelevanceError
from lrpseg.lrp.windows import Corner, Windows
from lrpseg.pipeline import segmenter as segmenting
from lrpseg.pipeline.looking import InWindows
from lrpseg.pipeline.segmenter import Segmenter, Steps
from lrpseg.pipeline.tiling import TileGrid
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
    grid = TileGrid(*shape)
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


def load(tiling: str, **choices: object) -> Segmenter:
    made = lrpseg.load("toy", thresholder="simple", tiling=tiling, device="cpu", **choices)  # type: ignore[arg-type]
    return replace(made, large=330 * 500)


class Counted:
    """A look that says of some tiles that they are surely intact; counts the others."""

    def __init__(self, inner: Windows, odds: Callable[[Tensor], Tensor]) -> None:
        self.stride, self._inner, self._odds = inner.stride, inner, odds
        self.seen = 0

    def __call__(self, x: Tensor, corners: Sequence[Corner]) -> Tensor:
        assert all(side % self.stride == 0 for side in (*x.shape[2:], *sum(corners, ())))
        assert all(y + 224 <= x.shape[2] and z + 224 <= x.shape[3] for y, z in corners)
        self.seen += len(corners)
        return self._odds(self._inner(x, corners))


def looking(odds: Callable[[Tensor], Tensor], **choices: object) -> tuple[Segmenter, Counted]:
    made = load("windows", **choices)
    assert isinstance(made.look, InWindows)
    windows = Counted(made.look.windows, odds)
    return replace(made, look=replace(made.look, windows=windows)), windows


def test_tiles_that_are_not_surely_intact_give_what_they_give_alone(large: np.ndarray) -> None:
    alone = load("tiles")(large)
    segmenter, look = looking(lambda odds: odds * 0 - 1.9)
    seen = segmenter(large)
    assert look.seen > 0
    assert seen.probability == pytest.approx(alone.probability, abs=1e-6)
    assert np.allclose(seen.relevance, alone.relevance, atol=1e-4 * alone.relevance.max())
    assert np.mean(seen.mask == alone.mask) > 0.999


def test_surely_intact_tiles_run_no_more(large: np.ndarray) -> None:
    segmenter, look = looking(lambda odds: odds * 0 - 2.1)
    told: list[int] = []
    result = segmenter(large, progress=lambda done, total: told.append(done))
    assert look.seen == told[-1] == 8
    assert not result.damaged
    assert not result.relevance.any()
    assert result.probability == pytest.approx(1 / (1 + np.exp(2.1)))


def test_where_most_is_damaged_nothing_is_looked_at_twice(large: np.ndarray) -> None:
    wide = np.concatenate([large] * 4, axis=1)
    segmenter, look = looking(lambda odds: odds * 0 + 1, batch=1)
    seen = segmenter(wide)
    assert 0 < look.seen < 8
    assert np.allclose(seen.relevance, load("tiles")(wide).relevance, atol=1e-4)


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
    assert told == sorted(told)
    assert np.array_equal(again.relevance, whole.relevance)
    small = large[:250, :250]
    streamed = list(segmenter.stream([small, large, small]))
    assert [r.relevance.shape for r in streamed] == [(250, 250), (331, 545), (250, 250)]
    assert np.array_equal(streamed[1].relevance, whole.relevance)
    assert np.allclose(streamed[0].relevance, segmenter(small).relevance, atol=1e-5)


def test_a_sketch_is_what_was_found_so_far(large: np.ndarray) -> None:
    steps = load("windows", batch=1).steps(large)
    suspected, sketches = [], []
    try:
        while True:
            step = next(steps)
            assert step.sketch is not None
            (sketches if step.done else suspected).append(step.sketch((33, 54)))
    except StopIteration as end:
        result = end.value
    assert all(sketch.shape == (33, 54) for sketch in (*suspected, *sketches))
    assert suspected[-1].any()
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
    segmenter, look = looking(lambda odds: odds, **choices)
    seen = segmenter(large, explain_intact=True)
    alone = load("tiles", **choices)(large, explain_intact=True)
    assert look.seen > 0
    assert seen.own_likelihood is not None
    assert np.allclose(seen.own_likelihood, alone.own_likelihood, atol=1e-5)


def test_what_cannot_share_runs_in_tiles(large: np.ndarray) -> None:
    assert load("windows", engine="zennit").look is None
    assert load("tiles").look is None


def test_a_network_that_gives_nan_is_no_intact_picture(
    large: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = load("windows")
    assert isinstance(segmenter.look, InWindows)
    network = segmenter.look.windows._network
    monkeypatch.setattr(network, "likelihood", lambda x: x * 0)
    monkeypatch.setattr(network, "judge", lambda likelihood, odds: odds * float("nan"))
    with pytest.raises(RelevanceError, match="NaN"):
        segmenter(large)
