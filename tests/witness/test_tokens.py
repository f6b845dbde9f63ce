"""How pictures are shown to the encoder."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from lrpseg.models.vit import PATCH, VisionTransformer
from lrpseg.witness.tokens import PatchTokens, windows


@pytest.fixture
def encoder() -> VisionTransformer:
    torch.manual_seed(0)
    return VisionTransformer(3, 12, 2).eval()


@pytest.mark.parametrize(
    ("shape", "patches"), [((80, 40), (10, 5)), ((81, 43), (10, 5)), ((1, 1), (1, 1))]
)
def test_a_patch_is_eight_pixels(
    encoder: VisionTransformer, shape: tuple[int, int], patches: tuple[int, int]
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    sees = PatchTokens(encoder, blocks=(1, 3))
    found = sees(picture)
    assert found.shape == (*patches, 24)
    assert found.dtype == torch.float32
    assert sees.channels == 24
    assert torch.equal(found, sees(picture))


def test_blocks_stand_in_their_order(encoder: VisionTransformer) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    both, first, third = (PatchTokens(encoder, b)(picture) for b in ((1, 3), (1,), (3,)))
    assert torch.equal(both, torch.cat([first, third], dim=-1))


def test_without_enlarging_a_patch_is_its_own_size(encoder: VisionTransformer) -> None:
    picture = np.zeros((3 * PATCH, 2 * PATCH, 3), np.uint8)
    assert PatchTokens(encoder, (1,), 1.0)(picture).shape == (3, 2, 12)


@pytest.mark.parametrize("size", [(1, 1), (640, 640), (641, 30), (1500, 700), (6000, 4000)])
def test_windows_cover_all_and_overlap(size: tuple[int, int]) -> None:
    seen = np.zeros(size, np.uint8)
    found = list(windows(*size))
    for rows, columns in found:
        assert 0 <= rows.start < rows.stop <= size[0]
        assert 0 <= columns.start < columns.stop <= size[1]
        assert max(rows.stop - rows.start, columns.stop - columns.start) <= 640
        seen[rows, columns] += 1
    assert seen.min() == 1
    for axis in (0, 1):
        spans = sorted({(w[axis].start, w[axis].stop) for w in found})
        for (_, end), (start, _) in pairwise(spans):
            assert end - start >= 63  # to rounding
