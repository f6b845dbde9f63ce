"""Regions and splits, the readers of three layouts, and the crops that are cut from them."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.crops import (
    PAPER,
    Augmentation,
    TrainingCrops,
    centre_crop,
    damage_bounds,
    load_example,
    random_crop,
)
from training.datasets import DataError, Example, read, split_by_region, tile_regions


@pytest.fixture
def real_tiles() -> Path:
    """The published magnetic-tile set, where it is at hand."""
    given = os.environ.get("LRPSEG_DATA")
    shared = Path(given) if given else Path(__file__).parents[2] / "shared" / "data"
    if not (shared / "magnetic-tile" / "split.json").is_file():
        pytest.skip("needs the magnetic-tile set; set LRPSEG_DATA to the folder that holds it")
    return shared / "magnetic-tile"


def draw(path: Path, value: int = 100, size: tuple[int, int] = (30, 20)) -> Path:
    """A picture of one grey level; `size` is (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path)
    return path


def example(name: str, damaged: bool = True, region: str = "", kind: str = "") -> Example:
    return Example(
        name, Path(name), damaged, region or name, kind or ("damaged" if damaged else "intact")
    )


# -------------------------------------------------------------------------------------- regions


@pytest.mark.parametrize(
    ("numbers", "regions"),
    [
        ([1000, 1150], ["r001000", "r001000"]),
        ([1000, 1151], ["r001000", "r001151"]),
        ([1000, 1100, 1250, 1401], ["r001000", "r001000", "r001000", "r001401"]),  # chains
        ([1401, 1250, 1000, 1100], ["r001401", "r001000", "r001000", "r001000"]),  # any order
        ([7], ["r000007"]),
        ([], []),
        ([85602, 88201], ["r085602", "r085602"]),  # the one crack that is wider than the gap
        ([85602, 88202], ["r085602", "r088202"]),
        ([85601, 88201], ["r085601", "r088201"]),
        ([85601, 85602, 88201], ["r085601", "r085601", "r085601"]),
        ([86000, 88201, 88351, 88502], ["r086000", "r086000", "r086000", "r088502"]),
    ],
)
def test_gap_rule(numbers: list[int], regions: list[str]) -> None:
    names = [f"MT_Free/Imgs/exp{1 + i % 6}_num_{n}.jpg" for i, n in enumerate(numbers)]
    assert tile_regions(names) == dict(zip(names, regions, strict=True))


@pytest.mark.parametrize("name", ["tile.jpg", "exp1_num_.jpg", "exp_num_5.jpg", "exp1_num_5b.jpg"])
def test_names_that_tell_no_region_are_refused(name: str) -> None:
    with pytest.raises(DataError, match=name):
        tile_regions(["exp1_num_5.jpg", name])


def test_published_regions_come_from_the_names(real_tiles: Path) -> None:
    plan = json.loads((real_tiles / "split.json").read_text())
    every = [n for names in plan["splits"].values() for n in names]
    assert len(every) == len(set(every)) > 1000
    assert tile_regions(every) == plan["regions"]
    splits_by_region: dict[str, set[str]] = {}
    for split, names in plan["splits"].items():
        for name in names:
            splits_by_region.setdefault(plan["regions"][name], set()).add(split)
    assert [r for r, splits in splits_by_region.items() if len(splits) > 1] == []

    found = [e for examples in read("magnetic-tile", real_tiles).splits.values() for e in examples]
    assert len(found) > 900
    regions = tile_regions(e.name for e in found)
    assert regions == {e.name: e.region for e in found}
    assert regions == {e.name: plan["regions"][e.name] for e in found}


def test_published_set_split_anew_keeps_regions_apart(real_tiles: Path) -> None:
    plan = json.loads((real_tiles / "split.json").read_text())
    names, regions = plan["splits"], plan["regions"]
    examples = [
        example(n, "Free" not in n, regions[n], n.split("/")[0])
        for n in (*names["train"], *names["val"], *names["test"])
    ]
    # A few large regions, some with pictures of two kinds: shares are rougher than of drawn ones.
    check_apart(split_by_region(examples, seed=3), examples, tolerance=0.2)


# --------------------------------------------------------------------------------------- splits


def check_apart(
    splits: dict[str, tuple[Example, ...]], examples: Sequence[Example], tolerance: float = 0.1
) -> None:
    """Every example is in one split, no region in two, and each kind is shared out 60/20/20."""
    assert sorted(e.name for s in splits.values() for e in s) == sorted(e.name for e in examples)
    where = [{e.region for e in s} for s in splits.values()]
    assert len(set().union(*where)) == sum(map(len, where))
    for kind in {e.kind for e in examples}:
        sizes = [sum(e.kind == kind for e in splits[s]) for s in ("train", "val", "test")]
        shares = np.array(sizes) / sum(sizes)
        assert np.abs(shares - (0.6, 0.2, 0.2)).max() < tolerance, (kind, sizes)


@pytest.mark.parametrize("seed", range(5))
def test_split_by_region(seed: int) -> None:
    random = np.random.default_rng(seed)
    examples = [
        example(f"{kind}{i}", kind != "free", f"{kind}{random.integers(count // 4)}", kind)
        for kind, count in (("free", 200), ("crack", 80), ("hole", 120))
        for i in range(count)
    ]
    splits = split_by_region(examples, seed)
    check_apart(splits, examples)
    assert split_by_region(reversed(examples), seed) == splits  # the order read plays no part
    assert split_by_region(examples, seed + 1) != splits


def test_split_of_one_region_and_of_nothing() -> None:
    lone = [example(f"a{i}", region="r") for i in range(5)]
    assert [len(s) for s in split_by_region(lone).values()] == [5, 0, 0]
    assert split_by_region([]) == {"train": (), "val": (), "test": ()}


def test_region_of_two_kinds_is_not_torn() -> None:
    mixed = [example(f"{r}-{d}", d, f"r{r}") for r in range(10) for d in (True, False)]
    splits = split_by_region(mixed)
    assert [len(splits[s]) for s in ("train", "val", "test")] == [12, 4, 4]
    assert all(sum(e.damaged for e in s) * 2 == len(s) for s in splits.values())


# -------------------------------------------------------------------------------------- readers


def make_tiles(root: Path) -> None:
    for i, kind in enumerate(("Free", "Crack", "Blowhole")):
        for k in range(3):
            image = draw(root / f"MT_{kind}" / "Imgs" / f"exp1_num_{1000 * (3 * i + k)}.jpg")
            if kind != "Free" and k < 2:
                draw(image.with_suffix(".png"), 255)
    (root / "MT_Crack" / "Imgs" / "notes.txt").write_text("no picture")
    draw(root / "MT_Break" / "Imgs" / "exp1_num_99000.jpg")  # a class that is not asked for


def test_magnetic_tile_layout(tmp_path: Path) -> None:
    make_tiles(tmp_path)
    data = read("magnetic-tile", tmp_path)
    found = {e.name: e for s in data.splits.values() for e in s}
    assert len(found) == 7
    assert "exp1_num_5000.jpg: damaged, but exp1_num_5000.png is missing" in data.report
    assert "exp1_num_8000.jpg: damaged, but exp1_num_8000.png is missing" in str(data)
    crack = found["MT_Crack/Imgs/exp1_num_3000.jpg"]
    assert (crack.damaged, crack.kind, crack.region) == (True, "crack", "r003000")
    assert crack.mask == tmp_path / "MT_Crack/Imgs/exp1_num_3000.png"
    free = found["MT_Free/Imgs/exp1_num_0.jpg"]
    assert (free.damaged, free.kind, free.mask) == (False, "free", None)


def test_split_file_keeps_audit_names_out(tmp_path: Path) -> None:
    make_tiles(tmp_path)
    free, crack, hole = (f"MT_{k}/Imgs/exp1_num_{{}}.jpg" for k in ("Free", "Crack", "Blowhole"))
    splits = {
        "train": [free.format(0), crack.format(3000)],
        "val": [hole.format(6000), crack.format(123456)],
        "test": [],
        "audit": [free.format(1000), crack.format(4000)],
    }
    plan = {"splits": splits, "regions": {crack.format(3000): "one crack"}}
    (tmp_path / "split.json").write_text(json.dumps(plan))
    data = read("magnetic-tile", tmp_path, seed=5)
    names = {split: [e.name for e in examples] for split, examples in data.splits.items()}
    assert names == {**splits, "val": [hole.format(6000)]}
    assert data.splits["train"][1].region == "one crack"
    assert data.report[-2:] == (
        "1 of 2 names in val are not here",
        "2 pictures are in no split of split.json",
    )


def test_concrete_layout(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d", "e"):
        draw(tmp_path / "images" / f"{name}.jpg")
    draw(tmp_path / "masks" / "a.png", 87)
    draw(tmp_path / "masks" / "c.png", 0)
    (tmp_path / "images" / "thumbs.txt").write_text("no picture")
    labels = {f"{n}.jpg": int(n in "ab") for n in "abce"}
    splits = {"train": ["a.jpg", "b.jpg"], "val": ["c.jpg"], "test": [], "audit": ["e.jpg"]}
    (tmp_path / "split.json").write_text(json.dumps({"labels": labels, "splits": splits}))
    data = read("concrete-crack", tmp_path)
    assert {s: [e.name for e in v] for s, v in data.splits.items()} == {
        **splits,
        "train": ["a.jpg"],
    }
    (a,), (c,) = data.splits["train"], data.splits["val"]
    assert (a.damaged, a.kind, a.mask) == (True, "crack", tmp_path / "masks" / "a.png")
    assert (c.damaged, c.kind, c.mask) == (False, "intact", None)
    assert data.report == (
        "b.jpg: damaged, but masks/b.png is missing",
        "d.jpg: has no label in split.json",
        "1 of 2 names in train are not here",
    )


def test_own_folder(tmp_path: Path) -> None:
    for name in ("damaged/1.png", "damaged/2.JPG", "damaged/plate/3.png", "damaged/plate/4.bmp"):
        draw(tmp_path / name)
    for name in ("intact/1.png", "intact/wall/1.png", "intact/wall/deep/2.tif", "masks/2.png"):
        draw(tmp_path / name)
    (tmp_path / "damaged" / "readme.txt").write_text("no picture")
    data = read("folder", tmp_path)
    found = {e.name: e for s in data.splits.values() for e in s}
    assert {n: e.region for n, e in found.items()} == {
        "damaged/1.png": "damaged/1.png",
        "damaged/2.JPG": "damaged/2.JPG",
        "damaged/plate/3.png": "damaged/plate",
        "damaged/plate/4.bmp": "damaged/plate",
        "intact/1.png": "intact/1.png",
        "intact/wall/1.png": "intact/wall",
        "intact/wall/deep/2.tif": "intact/wall",
    }
    assert [n for n, e in found.items() if e.mask] == ["damaged/2.JPG"]
    assert "damaged/1.png: has no mask (the picture itself is used)" in data.report
    assert len(data.report) == 3
    assert data.name == tmp_path.name


def test_equal_names_in_two_regions_keep_their_own_masks(tmp_path: Path) -> None:
    for name in ("damaged/a/1.png", "damaged/b/1.png", "damaged/c/1.png", "damaged/c/2.png"):
        draw(tmp_path / name)
    for name in ("intact/x.png", "masks/a/1.png", "masks/b/1.png", "masks/1.png", "masks/2.png"):
        draw(tmp_path / name)
    found = {e.name: e.mask for s in read("folder", tmp_path).splits.values() for e in s}
    masks = tmp_path / "masks"
    assert found["damaged/a/1.png"] == masks / "a" / "1.png"
    assert found["damaged/b/1.png"] == masks / "b" / "1.png"
    assert found["damaged/c/1.png"] is None  # masks/1.png could be meant for three pictures
    assert found["damaged/c/2.png"] == masks / "2.png"


def test_own_folder_without_masks_and_with_splits(tmp_path: Path) -> None:
    draw(tmp_path / "damaged" / "a.png")
    draw(tmp_path / "intact" / "a.png")
    assert read("folder", tmp_path).report == ()
    plan = {"splits": {"train": ["damaged/a.png"], "val": []}}
    (tmp_path / "split.json").write_text(json.dumps(plan))
    data = read("folder", tmp_path)
    assert {s: [e.name for e in v] for s, v in data.splits.items()} == plan["splits"]
    assert data.report == ("1 pictures are in no split of split.json",)


@pytest.mark.parametrize(
    ("reader", "present", "named"),
    [
        ("magnetic-tile", ["MT_Free/Imgs/exp1_num_1.jpg"], "MT_Crack"),
        ("concrete-crack", ["images/a.jpg"], "split.json"),
        ("folder", ["intact/a.png"], "damaged"),
        ("folder", ["damaged/a.png"], "intact"),
    ],
)
def test_missing_folders_are_named(
    tmp_path: Path, reader: str, present: list[str], named: str
) -> None:
    for name in present:
        draw(tmp_path / name)
    with pytest.raises(DataError, match=named):
        read(reader, tmp_path)


def test_other_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        read("folder", tmp_path / "nowhere")
    (tmp_path / "split.json").write_text('{"labels": {}}')
    with pytest.raises(DataError, match="images"):
        read("concrete-crack", tmp_path)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "notes.txt").write_text("no picture")
    with pytest.raises(DataError, match="damaged holds no pictures"):
        read("folder", tmp_path)


# ---------------------------------------------------------------------------------------- crops


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


def test_odd_tile_folders(tmp_path: Path) -> None:
    for kind in ("Free", "Crack", "Blowhole"):
        draw(tmp_path / f"MT_{kind}" / "Imgs" / f"exp1_num_{len(kind)}000.JPG")
        draw(tmp_path / f"MT_{kind}" / "Imgs" / f"exp1_num_{len(kind)}000.png")
    names = [f"MT_{k}/Imgs/exp1_num_{len(k)}000.JPG" for k in ("Free", "Crack", "Blowhole")]
    (tmp_path / "split.json").write_text(json.dumps({"splits": {"train": names + names[:1]}}))
    data = read("magnetic-tile", tmp_path)
    assert [e.name for e in data.splits["train"]] == names  # one that is named twice is there once
    assert data.report == ()


def test_concrete_without_labels_is_named(tmp_path: Path) -> None:
    draw(tmp_path / "images" / "a.jpg")
    (tmp_path / "split.json").write_text(json.dumps({"splits": {}}))
    with pytest.raises(DataError, match="has no labels"):
        read("concrete-crack", tmp_path)
