"""Regions, splits, and the readers of three layouts."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.datasets import DataError, Example, split_by_region
from training.data.readers import read, tile_regions


@pytest.fixture
def real_tiles() -> Path:
    """The published magnetic-tile set, where it is at hand."""
    given = os.environ.get("LRPSEG_DATA")
    shared = Path(given) if given else Path(__file__).parents[3] / "shared" / "data"
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
