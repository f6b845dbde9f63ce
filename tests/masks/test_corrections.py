"""Corrections and cleaning against plain references that flood pixel by pixel."""

import numpy as np
import pytest

from lrpseg.core.errors import ImageError
from lrpseg.masks.corrections import apply, clean, from_mask


def parts(mask: np.ndarray, eight: bool) -> list[set[tuple[int, int]]]:
    """Connected parts of a mask by flooding, the slow and plain way."""
    steps = [(0, 1), (1, 0), (0, -1), (-1, 0)]
    steps += [(1, 1), (1, -1), (-1, 1), (-1, -1)] if eight else []
    left, found = {tuple(p) for p in np.argwhere(mask).tolist()}, []
    while left:
        todo, part = [left.pop()], set()
        while todo:
            y, x = todo.pop()
            part.add((y, x))
            near = {(y + dy, x + dx) for dy, dx in steps} & left
            left -= near
            todo += near
        found.append(part)
    return found


def slow_clean(mask: np.ndarray, min_area: int, max_hole: int) -> np.ndarray:
    out, (height, width) = mask.copy(), mask.shape
    for part in parts(out, eight=True):
        if len(part) < min_area:
            for y, x in part:
                out[y, x] = False
    for part in parts(~out, eight=False):
        edge = any(y in (0, height - 1) or x in (0, width - 1) for y, x in part)
        if len(part) <= max_hole and not edge:
            for y, x in part:
                out[y, x] = True
    return out


@pytest.mark.parametrize("seed", range(12))
def test_clean_is_what_flooding_gives(seed: int) -> None:
    random = np.random.default_rng(seed)
    mask = random.random((17, 23)) < random.uniform(0.2, 0.8)
    for min_area, max_hole in ((0, 0), (1, 1), (2, 0), (4, 3), (0, 5), (10, 20), (1000, 1000)):
        before = mask.copy()
        assert np.array_equal(clean(mask, min_area, max_hole), slow_clean(mask, min_area, max_hole))
        assert np.array_equal(mask, before)


@pytest.mark.parametrize("value", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 1), (3, 3)])
def test_clean_of_plain_masks(value: bool, shape: tuple[int, int]) -> None:
    mask = np.full(shape, value)
    assert np.array_equal(clean(mask, 2, 2), slow_clean(mask, 2, 2))


def test_a_ring_is_filled_and_a_speck_goes() -> None:
    drawn = """
        #.......
        ..####..
        ..#..#..
        ..####..
        ........
    """
    mask = np.array([[c == "#" for c in line.strip()] for line in drawn.split()])
    cleaned = clean(mask, min_area=2, max_hole=2)
    assert not cleaned[0, 0]
    assert cleaned[2, 3] and cleaned[2, 4]  # noqa: PT018 - one hole
    assert cleaned.sum() == 12


def test_apply_and_from_mask_are_inverse() -> None:
    random = np.random.default_rng(0)
    automatic, wanted = random.random((2, 30, 40)) < 0.5
    corrections = from_mask(automatic, wanted)
    assert corrections.dtype == np.uint8
    assert np.array_equal(apply(automatic, corrections), wanted)
    assert np.array_equal(corrections == 0, automatic == wanted)
    # What was drawn stays on top of another automatic mask.
    other = apply(~automatic, corrections)
    assert np.array_equal(other[corrections == 1], np.ones((corrections == 1).sum(), bool))
    assert not other[corrections == 2].any()


def test_sizes_must_fit() -> None:
    with pytest.raises(ImageError, match="3x2"):
        apply(np.zeros((2, 3), bool), np.zeros((3, 2), np.uint8))
    with pytest.raises(ImageError, match="Export it at the picture's size"):
        from_mask(np.zeros((2, 3), bool), np.zeros((3, 2), bool))
