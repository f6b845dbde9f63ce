"""What a network learns from: patches of corrected pictures, and random crops of those."""

import numpy as np
import pytest

from lrpseg.learning.crops import Patch, crop, patches


def test_crops_and_masks_stay_together() -> None:
    random = np.random.default_rng(0)
    mask = random.random((240, 300)) < 0.001
    mask = np.kron(mask[::12, ::12], np.ones((12, 12), bool)) | (np.indices((240, 300))[0] > 200)
    image = np.repeat(np.where(mask, 60, 180).astype(np.uint8)[..., None], 3, axis=2)
    compared = 0
    for _ in range(20):
        part, found = crop(Patch(image, mask, mask), 96, random)
        assert part.shape == (96, 96, 3)
        assert part.dtype == np.uint8
        if 0 < found.sum() < found.size:
            bright = float(part[~found].mean()), float(part[found].mean())
            assert np.mean((part[..., 0] < np.mean(bright)) == found) > 0.97
            compared += 1
    assert compared > 10


def test_most_crops_show_damage() -> None:
    random = np.random.default_rng(0)
    mask = np.zeros((448, 448), bool)
    mask[400:410, 20:30] = True
    patch = Patch(np.zeros((448, 448, 3), np.uint8), mask, mask)
    share = np.mean([crop(patch, 64, random)[1].any() for _ in range(200)])
    assert 0.6 < share < 0.95


def test_large_pictures_are_cut_around_what_was_corrected() -> None:
    random = np.random.default_rng(0)
    image = np.zeros((1500, 2000, 3), np.uint8)
    mask, changed = np.zeros((2, 1500, 2000), bool)
    mask[700:720, 1900:1990] = True
    changed[30:40, 30:40] = True  # erased by hand
    found = patches(image, mask, changed, random)
    assert len(found) == 3
    assert all(p.image.shape == (448, 448, 3) for p in found)
    assert sum(p.mask.any() for p in found) == 1
    assert sum((p.focus & ~p.mask).any() for p in found) == 1
    everywhere = patches(image, np.ones_like(mask), changed, random)
    assert len(everywhere) == 13


def test_small_pictures_are_enlarged_with_their_masks() -> None:
    mask = np.zeros((50, 60), bool)
    mask[10:20] = True
    (patch,) = patches(np.zeros((50, 60, 3), np.uint8), mask, mask, np.random.default_rng(0))
    assert patch.image.shape[:2] == patch.mask.shape == (224, 269)
    assert patch.mask.mean() == pytest.approx(0.2, abs=0.02)
