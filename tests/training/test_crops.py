"""The crops that are cut out of labelled pictures, for training and for scoring."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.test_datasets import draw
from training.data.crops import (
    PAPER,
    Augmentation,
    centre_crop,
    damage_bounds,
    load_example,
    random_crop,
)
from training.data.datasets import DataError, Example
from training.data.training_crops import TrainingCrops


def bounds_by_trying(mask: np.ndarray, size: int) -> list[tuple[int, int]]:
    """Reference: for each axis the extent of all crops of `size` that contain the damage."""
    extents = []
    for lit in (mask.any(axis=1), mask.any(axis=0)):
        starts = [
            s for s in range(len(lit) - size + 1) if lit[s : s + size].sum() == lit.sum()
        ]  # fmt: skip
        extents.append((starts[0], starts[-1] + size))
    return extents


@pytest.mark.parametrize("seed", range(25))
def test_every_crop_in_the_bounds_contains_the_damage(seed: int) -> None:
    random = np.random.default_rng(seed)
    height, width = random.integers(224, 600, 2)
    mask = np.zeros((height, width), bool)
    box = random.integers(1, 225, 2)
    y, x = (int(random.integers(0, n - b + 1)) for n, b in zip((height, width), box, strict=True))
    mask[y : y + box[0], x : x + box[1]] = True
    top, bottom, left, right = damage_bounds(mask)
    assert [(top, bottom), (left, right)] == bounds_by_trying(mask, 224)
    for _ in range(20):
        crop = random_crop(mask[..., None] * np.full(3, 255, np.uint8), mask, PAPER, random)
        assert np.count_nonzero(crop[..., 0]) == mask.sum()


def test_bounds_of_damage_that_is_longer_than_the_window() -> None:
    mask = np.zeros((400, 700), bool)
    mask[50, 100:400] = True
    assert damage_bounds(mask) == (0, 274, 100, 400)
    assert damage_bounds(np.ones((224, 500), bool)) == (0, 224, 0, 500)
    assert damage_bounds(mask, 300) == (0, 350, 100, 400)


def test_random_crop_shows_some_of_damage_that_is_far_apart() -> None:
    mask = np.zeros((900, 1200), bool)
    mask[0, 0] = mask[899, 1199] = mask[450, 3] = True
    image = np.where(mask, 255, 0).astype(np.uint8)[..., None].repeat(3, axis=2)
    for seed in range(30):
        assert random_crop(image, mask, PAPER, np.random.default_rng(seed)).max() == 255


@pytest.mark.parametrize("shape", [(224, 224), (224, 300), (500, 230)])
@pytest.mark.parametrize("zoom", [0.5, 1.0, 1.7])
def test_random_crop_is_fixed_by_its_seed(shape: tuple[int, int], zoom: float) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    vary = Augmentation(
        zoom=(zoom, zoom + 0.2), brightness=(0.8, 1.2), contrast=(0.8, 1.2), colour=0.1, noise=5
    )
    first, again, other = (
        random_crop(image, None, vary, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first.shape == (224, 224, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_centre_crop() -> None:
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    crop, mask = centre_crop(image, None)
    assert np.array_equal(crop, image[38:262, 88:312])
    assert mask.shape == (224, 224)
    assert not mask.any()
    truth = np.zeros((300, 400), bool)
    truth[0:10, 390:400] = True  # in a corner: the manually cropped picture is [0:224, 176:400]
    crop, mask = centre_crop(image, truth)
    assert np.array_equal(crop, image[:224, 176:])
    assert mask.sum() == 100
    assert mask[:10, 214:].all()


def test_centre_crop_of_long_damage_shows_some_of_it() -> None:
    image = np.zeros((300, 900, 3), np.uint8)
    truth = np.zeros((300, 900), bool)
    truth[150, [5, 880]] = True  # its middle, at 442, shows nothing
    truth[150, 700] = True
    crop, mask = centre_crop(image, truth)
    assert crop.shape == (224, 224, 3)
    assert mask.sum() == 1
    assert mask[:, 112].any()  # the spot nearest to the middle is the crop's own middle


@pytest.mark.parametrize(("low", "high"), [(0, 87), (0, 255), (0, 1)])
def test_masks_of_two_values(tmp_path: Path, low: int, high: int) -> None:
    values = np.full((240, 250), low, np.uint8)
    values[10:20, 30:50] = high
    Image.fromarray(values).save(tmp_path / "mask.png")
    image = draw(tmp_path / "image.png", size=(250, 240))
    _, mask = load_example(Example("a", image, True, "a", "a", tmp_path / "mask.png"))
    assert mask is not None
    assert np.array_equal(mask, values == high)


def test_small_labels_are_no_halos(tmp_path: Path) -> None:
    values = np.zeros((240, 250), np.uint8)
    values[10:20, 30:50] = 1
    values[100:110, 30:50] = 2
    Image.fromarray(values).save(tmp_path / "mask.png")
    image = draw(tmp_path / "image.png", size=(250, 240))
    _, mask = load_example(Example("a", image, True, "a", "a", tmp_path / "mask.png"))
    assert mask is not None
    assert np.array_equal(mask, values > 0)


def test_halos_of_masks_do_not_count(tmp_path: Path) -> None:
    values = np.zeros((240, 250), np.uint8)
    values[8:22, 28:52] = 32
    values[9:21, 29:51] = 7
    values[10:20, 30:50] = 250
    values[10, 30:50] = 33
    Image.fromarray(values).save(tmp_path / "mask.png")
    image = draw(tmp_path / "image.png", size=(250, 240))
    _, mask = load_example(Example("a", image, True, "a", "a", tmp_path / "mask.png"))
    assert mask is not None
    assert np.array_equal(mask, values > 32)


def test_small_pictures_are_enlarged_with_their_masks(tmp_path: Path) -> None:
    values = np.zeros((56, 100), np.uint8)
    values[14:28, 50:75] = 255
    Image.fromarray(values).save(tmp_path / "mask.png")
    image = draw(tmp_path / "image.png", size=(100, 56))
    loaded, mask = load_example(Example("a", image, True, "a", "a", tmp_path / "mask.png"))
    assert loaded.shape == (224, 400, 3)
    expected = np.zeros((224, 400), bool)
    expected[56:112, 200:300] = True
    assert mask is not None
    assert np.array_equal(mask, expected)
    _, none = load_example(Example("a", image, False, "a", "a", tmp_path / "mask.png"))
    assert none is None  # an intact picture has no damage to keep in view


def test_training_crops_are_drawn_by_class_and_region_in_any_order(tmp_path: Path) -> None:
    """One region of fifteen pictures, four of one: each region's grey level tells it."""
    examples = [
        Example(f"{r}-{i}", draw(tmp_path / f"{r}-{i}.png", 20 * r + 10), r < 3, str(r), "k")
        for r, count in enumerate((15, 1, 1, 1, 1))
        for i in range(count)
    ]
    crops = TrainingCrops(tuple(examples), 300, Augmentation(flips=False), seed=4)
    drawn = [crops[i] for i in range(300)]
    regions = np.array([image[0, 0, 0] // 20 for image, _ in drawn])
    labels = np.array([label for _, label in drawn])
    assert len(crops) == 300
    assert np.array_equal(labels, regions < 3)
    # Bounds of about five standard deviations.
    assert abs(labels.sum() - 150) < 43
    counts = np.bincount(regions, minlength=5)
    assert (np.abs(counts[:3] - 50) < 32).all()
    assert (np.abs(counts[3:] - 75) < 37).all()

    vary = Augmentation(noise=20)
    one, two = (TrainingCrops(tuple(examples), 9, vary, seed=4, epoch=1) for _ in range(2))
    forwards = [one[i] for i in range(9)]
    backwards = [two[i] for i in reversed(range(9))][::-1]
    for (a, label), (b, same) in zip(forwards, backwards, strict=True):
        assert label == same
        assert np.array_equal(a, b)
    two.epoch = 2
    assert any(not np.array_equal(a, two[i][0]) for i, (a, _) in enumerate(forwards))


@pytest.mark.parametrize(("damaged", "missing"), [(True, "intact"), (False, "damaged")])
def test_training_needs_both_kinds(tmp_path: Path, damaged: bool, missing: str) -> None:
    lone = Example("a", draw(tmp_path / "a.png"), damaged, "a", "a")
    with pytest.raises(DataError, match=missing):
        TrainingCrops((lone,), 4, PAPER, seed=0)
