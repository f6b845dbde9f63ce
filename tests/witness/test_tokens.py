"""How pictures are shown to the encoder."""

from itertools import pairwise

import cv2
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


@pytest.mark.parametrize("count", [1, 47, 80, 81, 92, 93, 136, 137, 500])
def test_windows_keep_each_patch_once_and_away_from_their_edges(count: int) -> None:
    found = list(windows(count))
    assert [p for w in found for p in range(w.first, w.last)] == list(range(count))
    for w in found:
        assert 0 <= w.start <= w.first < w.last <= w.stop <= count
        assert w.stop - w.start <= 80
        assert w.first - w.start >= 2 or w.first == 0
        assert w.stop - w.last >= 2 or w.last == count
    for a, b in pairwise(found):
        assert a.stop - b.start >= 4
    assert len(found) == (1 if count <= 80 else -(-(count - 4) // 44))


def test_a_large_picture_is_put_together_from_windows(
    encoder: VisionTransformer,
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (100 * 8, 24, 3), dtype=np.uint8)
    found = PatchTokens(encoder, (1,))(picture)
    assert found.shape == (100, 3, 12)
    # What a window keeps is what it gives by itself, wherever the others lie.
    sees = PatchTokens(encoder, (1,))
    places = sees.layout(picture.shape)
    assert len(places) == 3
    for rows, columns in places:
        alone = PatchTokens(encoder, (1,), 1.0)(sees.shown(picture, (rows, columns)))
        assert torch.equal(found[rows.kept, columns.kept], alone[rows.inside, columns.inside])


@pytest.mark.parametrize("enlarged", [1.75, 0.4])
def test_a_window_shows_what_the_whole_picture_shows_there(
    encoder: VisionTransformer, enlarged: float
) -> None:
    random = np.random.default_rng(0)
    side = int(100 * PATCH / enlarged)
    small = random.integers(0, 256, (side // 20, side // 20, 3), dtype=np.uint8)
    picture = np.asarray(cv2.resize(small, (side, side + 5), interpolation=cv2.INTER_CUBIC))
    sees = PatchTokens(encoder, (1,), enlarged)
    height, width = sees.patches(picture.shape)
    how = cv2.INTER_CUBIC if enlarged > 1 else cv2.INTER_AREA
    whole = cv2.resize(picture, (width * PATCH, height * PATCH), interpolation=how)
    places = sees.layout(picture.shape)
    assert len(places) == 9
    for place in places:
        rows, columns = place
        apart = sees.shown(picture, place).astype(int) - whole[rows.pixels, columns.pixels]
        assert np.abs(apart).mean() < 1.5
        assert np.abs(apart).max() <= 12


def test_windows_of_a_batch_are_seen_each_for_itself(
    encoder: VisionTransformer,
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (100 * 8, 24, 3), dtype=np.uint8)
    sees = PatchTokens(encoder, (1,))
    places = sees.layout(picture.shape)
    assert sees.batches(picture.shape) == [[place] for place in places]  # on a CPU
    together = sees.windows(picture, places)
    assert together.shape == (3, 48, 3, 12)
    for place, found in zip(places, together, strict=True):
        assert torch.allclose(found, sees.windows(picture, [place])[0], atol=1e-5)
