"""Strokes make the corrections that drawing on the whole picture makes, and cost what they are."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lrpseg.workspace import Workspace, WorkspaceError, strokes
from lrpseg.workspace.schema import FILE_NAME, connect, transaction
from lrpseg.workspace.strokes import pack, unpack
from tests.workspace_support import SHAPE, analysed

pytestmark = pytest.mark.usefixtures("only_toy")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws")


def rows(workspace: Workspace) -> list[tuple[int, ...]]:
    """(id, x, y, w, h) of all strokes."""
    connection = connect(workspace.folder / FILE_NAME)
    found = connection.execute("SELECT id, x, y, w, h FROM strokes ORDER BY id").fetchall()
    connection.close()
    return [tuple(row) for row in found]


def anything(random: np.random.Generator) -> tuple[int, int, np.ndarray]:
    """A stroke somewhere: often of one value, and often of 0."""
    w, h = int(random.integers(1, 12)), int(random.integers(1, 12))
    x, y = int(random.integers(0, SHAPE[1] - w + 1)), int(random.integers(0, SHAPE[0] - h + 1))
    values = random.integers(0, 3, (h, w), dtype=np.uint8)
    return x, y, values * 0 if random.random() < 0.4 else values


@pytest.mark.parametrize("many", [3, 7, 1000])
@pytest.mark.parametrize("seed", range(4))
def test_strokes_make_what_drawing_on_the_whole_picture_makes(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, seed: int, many: int
) -> None:
    monkeypatch.setattr(strokes, "MANY", many)
    item, random = analysed(workspace), np.random.default_rng(seed)
    fresh = Workspace(workspace.folder)  # sees what the first one draws
    drawn = np.zeros(SHAPE, np.uint8)
    for turn in range(40):
        x, y, values = anything(random)
        if turn % 13 == 12:  # undone altogether
            x, y, values = 0, 0, np.zeros(SHAPE, np.uint8)
        for row in range(values.shape[0]):
            for column in range(values.shape[1]):
                drawn[y + row, x + column] = values[row, column]
        workspace.patch_corrections(item.id, x, y, values.shape[1], values.shape[0], values)
        seen = workspace.snapshot(item.id)
        assert np.array_equal(seen.of("damaged"), drawn)
        assert seen.item.drawn == drawn.any()
        if turn % 5 == 0:
            assert np.array_equal(fresh.corrections(item.id), drawn)
    assert np.array_equal(Workspace(workspace.folder).corrections(item.id), drawn)
    assert len(rows(workspace)) <= many


def test_a_stroke_reads_no_other(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    item = analysed(workspace)
    workspace.patch_corrections(item.id, 0, 0, 50, 40, np.ones(SHAPE, np.uint8))
    monkeypatch.setattr(strokes, "unpack", lambda packed: pytest.fail("a stroke was decoded"))
    workspace.patch_corrections(item.id, 5, 5, 3, 3, np.full((3, 3), 2, np.uint8))
    workspace.patch_corrections(item.id, 5, 5, 2, 2, np.zeros((2, 2), np.uint8))
    workspace.patch_corrections(item.id, 20, 20, 9, 9, np.zeros((9, 9), np.uint8))
    assert workspace.item(item.id).drawn
    assert [row[1:] for row in rows(workspace)] == [
        (0, 0, 50, 40), (5, 5, 3, 3), (5, 5, 2, 2), (20, 20, 9, 9),
    ]  # fmt: skip


def test_strokes_that_are_hidden_go(workspace: Workspace) -> None:
    item = analysed(workspace)
    for x in (3, 4, 20):
        workspace.patch_corrections(item.id, x, 3, 2, 2, bytes([1, 1, 2, 2]))
    workspace.patch_corrections(item.id, 2, 2, 9, 9, bytes([1] * 81))
    assert [row[1:] for row in rows(workspace)] == [(20, 3, 2, 2), (2, 2, 9, 9)]
    workspace.patch_corrections(item.id, 0, 0, 50, 40, bytes(2000))
    assert rows(workspace) == []
    assert not workspace.item(item.id).drawn
    # What is drawn after all was undone lies on nothing, whoever remembers what there was.
    workspace.patch_corrections(item.id, 0, 0, 1, 1, b"\x02")
    assert np.argwhere(workspace.corrections(item.id)).tolist() == [[0, 0]]


def test_what_is_left_is_found_where_the_pixel_that_told_so_is_gone(workspace: Workspace) -> None:
    item = analysed(workspace)
    workspace.patch_corrections(item.id, 0, 0, 3, 1, bytes([1, 0, 1]))
    workspace.patch_corrections(item.id, 0, 0, 2, 1, bytes(2))
    assert workspace.item(item.id).drawn
    workspace.patch_corrections(item.id, 1, 0, 2, 1, bytes(2))
    assert not workspace.item(item.id).drawn
    assert rows(workspace) == []


def test_many_strokes_become_one_and_ids_go_on(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strokes, "MANY", 5)
    item = analysed(workspace)
    for x in range(6):
        workspace.patch_corrections(item.id, 3 * x, 0, 2, 1, b"\x01\x02")
    (first, *whole), (second, *stroke) = rows(workspace)
    assert (whole, stroke) == ([0, 0, 50, 40], [15, 0, 2, 1])
    assert first < second


def test_a_stroke_during_the_folding_stays(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strokes, "MANY", 3)
    item, packing = analysed(workspace), strokes.pack
    turns = []

    def slow(values: np.ndarray) -> bytes:
        if values.shape == SHAPE and not turns:  # while the first three are folded
            turns.append(1)
            Workspace(workspace.folder).patch_corrections(item.id, 0, 0, 2, 1, b"\x02\x02")
        return packing(values)

    monkeypatch.setattr(strokes, "pack", slow)
    for x in range(3):
        workspace.patch_corrections(item.id, x, 0, 1, 1, b"\x01")
    assert turns == [1]
    for reader in (workspace, Workspace(workspace.folder)):
        assert reader.corrections(item.id)[0, :4].tolist() == [2, 2, 1, 0]


def test_threads_that_draw_and_fold_lose_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strokes, "MANY", 4)
    item = analysed(workspace)
    spots = [(x, y) for x in range(0, 48, 6) for y in range(0, 40, 6)]

    def draw(spot: tuple[int, int]) -> None:
        workspace.patch_corrections(item.id, *spot, 2, 2, b"\x01" * 4)
        assert workspace.corrections(item.id)[spot[1], spot[0]] == 1

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(draw, spots))
    assert np.count_nonzero(Workspace(workspace.folder).corrections(item.id)) == 4 * len(spots)


def test_a_picture_takes_its_strokes_along_when_it_goes(workspace: Workspace) -> None:
    item = analysed(workspace)
    workspace.patch_corrections(item.id, 0, 0, 1, 1, b"\x01")
    workspace.delete(item.id)
    assert rows(workspace) == []


def test_a_damaged_stroke_says_so(workspace: Workspace) -> None:
    item = analysed(workspace)
    workspace.patch_corrections(item.id, 0, 0, 1, 1, b"\x01")
    with transaction(workspace.folder / FILE_NAME) as db:
        db.execute("UPDATE strokes SET pixels=?", (b"no picture",))
    with pytest.raises(WorkspaceError, match="damaged"):
        workspace.corrections(item.id)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (64, 64)])
def test_packing_keeps_every_value(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).integers(0, 3, shape, dtype=np.uint8)
    assert np.array_equal(unpack(pack(values)), values)
