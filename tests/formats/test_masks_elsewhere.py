"""Masks as other people lay them down: beside pictures, by number."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lrpseg.core.errors import OptionError
from lrpseg.formats import FORMATS, ExportOptions, FormatError
from lrpseg.formats.reading import READERS, Reading, ReadMask, finder, matched, read_masks
from lrpseg.formats.reading.kinds import BOXES, OTHER_FILE, OTHER_LABEL, PICTURE
from tests.formats.pictures import MASKS, annotated
from tests.formats.test_formats_reading import coco, labelme, rle, shape

SQUARE = np.zeros((40, 50), bool)
SQUARE[4:9, 3:9] = True


def photo(path: Path, colour: bool = False) -> None:
    """A picture of many shades."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    size = (40, 50, 3) if colour else (40, 50)
    Image.fromarray(random.normal(120, 30, size).clip(0, 255).astype(np.uint8)).save(path)


def mask_file(path: Path, values: np.ndarray | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(SQUARE.astype(np.uint8) * 255 if values is None else values).save(path)


class Read:
    """What `read_masks` gives of a folder, and what it leaves out by kind."""

    def __init__(self, source: Path, kind: str | None = None, **options: Any) -> None:
        self.left: dict[str, list[str]] = {}
        masks = read_masks(source, kind, self._told, Reading(**options))
        self.masks = {mask.name: mask for mask in masks}

    def _told(self, name: str, error: FormatError) -> None:
        self.left.setdefault(error.kind, []).append(name)


def test_pictures_that_annotation_files_name_are_no_masks(tmp_path: Path) -> None:
    photo(tmp_path / "belt" / "a.png")
    (tmp_path / "belt" / "a.json").write_text(json.dumps(labelme(shape())))
    photo(tmp_path / "photos" / "b.jpg", colour=True)
    listed = coco([rle()], file_name="photos\\b.jpg")
    (tmp_path / "all.json").write_text(json.dumps(listed))
    read = Read(tmp_path)
    assert {name: mask.mask.sum() for name, mask in read.masks.items()} == {
        "belt/a.png": 30, "photos/b.jpg": 2000,
    }  # fmt: skip
    assert read.left == {PICTURE: ["belt/a.png", "photos/b.jpg"]}


@pytest.mark.parametrize(
    ("pictures", "masks"),
    [("image", "mask"), ("images", "labels"), ("train/imgs", "train/masks"), ("JPEGImages",
     "SegmentationClass"), ("train_images", "train_masks")],
)  # fmt: skip
def test_folders_of_pictures_and_of_masks(pictures: str, masks: str, tmp_path: Path) -> None:
    for name in ("a", "x/a"):
        mask_file(tmp_path / pictures / f"{name}.png")  # by its pixels alone it could be a mask
        mask_file(tmp_path / masks / f"{name}.png")
    read = Read(tmp_path)
    assert sorted(read.masks) == [f"{masks}/a", f"{masks}/x/a"]
    assert len(read.left[PICTURE]) == 2
    find = finder([f"{pictures}/a.jpg", f"{pictures}/x/a.jpg"])
    assert find(f"{masks}/x/a") == f"{pictures}/x/a.jpg"
    assert find(f"{masks}/a") == f"{pictures}/a.jpg"


def test_a_folder_of_masks_may_be_called_images(tmp_path: Path) -> None:
    mask_file(tmp_path / "images" / "a.png")
    assert list(Read(tmp_path).masks) == ["images/a"]
    assert list(Read(tmp_path / "images").masks) == ["a"]


@pytest.mark.parametrize("colour", [False, True])
def test_what_looks_like_a_picture_is_left_out_unless_values_are_said(
    colour: bool, tmp_path: Path
) -> None:
    photo(tmp_path / "a.png", colour)
    mask_file(tmp_path / "b.png")
    soft = np.clip(np.linspace(-800, 1000, 2000), 0, 255).astype(np.uint8).reshape(40, 50)
    mask_file(tmp_path / "soft.png", soft)
    read = Read(tmp_path)
    assert list(read.masks) == ["b", "soft"]
    assert read.left == {PICTURE: ["a"]}
    assert "Soft edges" in read.masks["soft"].notes[0]
    assert [m.name for m in read_masks(tmp_path)] == ["b", "soft"]  # it ends no reading
    if not colour:
        assert "a" in Read(tmp_path, values=(120,)).masks


@pytest.mark.parametrize("formats", [("mvtec",), ("mvtec", "coco"), ("labelme", "png")])
def test_our_own_exports_with_pictures_bring_masks_alone(
    formats: tuple[str, ...], tmp_path: Path
) -> None:
    options = ExportOptions(copy_pictures=True)
    for name in formats:
        FORMATS[name].write(annotated(), tmp_path / name, options)
    sizes = {name: (mask.shape[0], mask.shape[1]) for name, mask in MASKS.items()}
    kinds: set[str] = set()
    read = read_masks(tmp_path, on_error=lambda _, e: kinds.add(e.kind))
    found = {m.name for m in matched(read, sizes, lambda *_: None)}
    drawn = {name for name, mask in MASKS.items() if mask.any()}
    assert drawn <= found
    assert kinds <= {PICTURE}


def test_a_dark_photograph_is_told_by_its_colours_and_a_coloured_mask_is_none(
    tmp_path: Path,
) -> None:
    random = np.random.default_rng(0)
    dark = random.exponential(8, (80, 100, 3)).clip(0, 255).astype(np.uint8)
    dark[0, 0] = 255
    Image.fromarray(dark).save(tmp_path / "dark.png")
    red = np.zeros((80, 100, 3), np.uint8)
    red[20:60, 30:70, 0] = 200
    Image.fromarray(red).save(tmp_path / "red.jpg", quality=60)
    read = Read(tmp_path)
    assert read.left == {PICTURE: ["dark"]}
    assert abs(int(read.masks["red"].mask.sum()) - 1600) < 100


def test_grey_values_that_number_classes(tmp_path: Path) -> None:
    values = np.zeros((4, 5), np.uint8)
    values[0], values[1], values[2, 0] = 1, 2, 255
    mask_file(tmp_path / "a.png", values)
    (mask,) = Read(tmp_path).masks.values()
    assert {label: int(m.sum()) for label, m in mask.layers.items()} == {"1": 5, "2": 5}
    assert mask.mask.sum() == 10
    assert mask.ignored is not None
    assert mask.ignored.sum() == 1
    assert "0, 1, 2, 255" in mask.notes[0]
    (second,) = Read(tmp_path, values=(2,)).masks.values()
    assert (second.mask.sum(), second.notes) == (5, ())
    (both,) = Read(tmp_path, values=(1, 2), ignore=(255,)).masks.values()
    assert both.ignored is not None
    assert (both.mask.sum(), both.ignored.sum()) == (10, 1)
    (one,) = Read(tmp_path, labels=("1",)).masks.values()
    assert (one.mask.sum(), list(one.layers)) == (5, ["1"])
    assert Read(tmp_path, labels=("moon",)).left == {OTHER_LABEL: ["a"]}


def test_three_greys_are_told(tmp_path: Path) -> None:
    values = np.zeros((4, 5), np.uint8)
    values[0], values[1] = 127, 255
    mask_file(tmp_path / "a.png", values)
    (mask,) = Read(tmp_path).masks.values()
    assert mask.mask.sum() == 5
    assert "0, 127, 255" in mask.notes[0]
    assert "--values" in mask.notes[0]
    (said,) = Read(tmp_path, ignore=(127,)).masks.values()
    assert (said.mask.sum(), said.notes) == (5, ())
    (wide,) = Read(tmp_path, values=(127, 255)).masks.values()
    assert wide.mask.sum() == 10


def test_a_bad_polygon_costs_itself_alone(tmp_path: Path) -> None:
    good, bad = [10, 10, 40, 12, 30, 35], [1, 2, 3]
    entries = [
        {"segmentation": [good, bad], "image_id": 1, "category_id": 1},
        {"segmentation": [bad], "image_id": 1, "category_id": 1},
        {"segmentation": {"size": [3, 3], "counts": [9]}, "image_id": 1, "category_id": 1},
        {"bbox": [1, 1, 4, 4], "segmentation": [], "image_id": 1, "category_id": 1},
    ]
    (tmp_path / "a.json").write_text(json.dumps(coco(entries)))
    (mask,) = read_masks(tmp_path)
    assert mask.mask[15, 30]
    assert "1 box" in mask.notes[0]
    assert "3 damaged outlines" in mask.notes[1]
    far = shape(shape_type="polygon", points=[[1e9, 1], [2, 3], [4, 5]])
    line = shape(shape_type="line", points=[[1, 1], [5, 5]])
    (tmp_path / "a.json").write_text(json.dumps(labelme(far, shape(), line)))
    (mask,) = read_masks(tmp_path)
    assert np.array_equal(mask.mask, SQUARE)
    assert any("1 damaged shape left out" in note for note in mask.notes)
    assert any("line" in note for note in mask.notes)


def test_boxes_and_lines_alone_empty_no_mask(tmp_path: Path) -> None:
    box = {"bbox": [1, 1, 4, 4], "segmentation": [], "image_id": 1, "category_id": 1}
    (tmp_path / "a.json").write_text(json.dumps(coco([box])))
    line = shape(shape_type="line", points=[[1, 1], [5, 5]])
    (tmp_path / "b.json").write_text(json.dumps(labelme(line)))
    read = Read(tmp_path)
    assert read.masks == {}
    assert read.left == {BOXES: ["a.png", "b.json"]}


def test_files_of_other_tools_are_told(tmp_path: Path) -> None:
    mask_file(tmp_path / "a.png")
    mask_file(tmp_path / "b.pgm")
    (tmp_path / "a.xml").write_text("<annotation/>")
    (tmp_path / "list.json").write_text('[{"image_id": 1}]')
    read = Read(tmp_path)
    assert sorted(read.masks) == ["a", "b"]
    assert read.left == {OTHER_FILE: ["a.xml", "list.json"]}


def test_labels_that_count(tmp_path: Path) -> None:
    other = {**shape(label="scale"), "points": [[20, 20], [25, 24]]}
    (tmp_path / "a.json").write_text(json.dumps(labelme(shape(label="crack"), other)))
    (mask,) = Read(tmp_path, labels=("crack",)).masks.values()
    assert np.array_equal(mask.mask, SQUARE)
    assert "'scale'" in mask.notes[0]


def test_sizes_and_names_are_known_before_a_pixel_is_drawn(tmp_path: Path) -> None:
    """As many pictures of 177 megapixels as a small file can claim."""
    huge = {"size": [13300, 13300], "counts": [0, 13300 * 13300]}
    names = [f"{n}.png" for n in range(200)]
    entry = {
        "images": [
            {"id": n, "width": 13300, "height": 13300, "file_name": name}
            for n, name in enumerate(names)
        ],
        "annotations": [
            {"image_id": n, "category_id": 1, "segmentation": huge} for n in range(200)
        ],
        "categories": [],
    }
    (tmp_path / "a.json").write_text(json.dumps(entry))
    large = labelme(shape(), imageHeight=13300, imageWidth=13300, imagePath="b.png")
    (tmp_path / "b.json").write_text(json.dumps(large))
    mask_file(tmp_path / "c.png")
    told: list[tuple[str, tuple[int, int] | None]] = []

    def expect(name: str, size: tuple[int, int] | None) -> tuple[int, int]:
        told.append((name, size))
        raise FormatError("not wanted", "not wanted")

    read = Read(tmp_path, expect=expect)
    assert read.masks == {}
    assert len(read.left["not wanted"]) == len(told) == 202
    assert told[-1] == ("c", (40, 50))
    assert told[0] == ("0.png", (13300, 13300))


def test_polygons_of_many_corners_are_filled_or_refused(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    size = {"imageHeight": 400, "imageWidth": 400}
    points = (random.random((21_000, 2)) * 400).round(2).tolist()
    many = shape(shape_type="polygon", points=points)
    (tmp_path / "a.json").write_text(json.dumps(labelme(many, **size)))
    (mask,) = read_masks(tmp_path)
    assert mask.mask.mean() > 0.4
    wide = {"imageHeight": 13_000, "imageWidth": 13_000}
    comb = [[0, 0 if n % 2 else 12_999] for n in range(5_000)]
    (tmp_path / "a.json").write_text(
        json.dumps(labelme(shape(shape_type="polygon", points=comb), **wide))
    )
    with pytest.raises(FormatError, match="impossibly long"):
        list(read_masks(tmp_path))


@pytest.mark.parametrize(
    ("match", "file", "name"),
    [
        ("mask_{name}", "belt/mask_a.png", "belt/a.png"),
        ("{name}_mask", "a_mask.png", "a.png"),
        ("{name}_mask", "a_mask", "a"),
        ("*-{name}", "1a2b3c4d-tile-1.png", "tile-1.png"),
        ("{name}.seg", "a.v2.seg.png", "a.v2.png"),
        ("mask_{name}", "a.png", "a.png"),
        ("(x)_{name}", "(x)_a.png", "a.png"),
        ("", "belt\\a.png", "belt/a.png"),
    ],
)
def test_names_by_a_pattern(match: str, file: str, name: str) -> None:
    assert Reading(match=match).named(file) == name


@pytest.mark.parametrize("wrong", [{"match": "mask_*"}, {"values": (70000,)},
                                   {"values": (1,), "ignore": (1,)}])  # fmt: skip
def test_options_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        Reading(**wrong)


def test_a_mask_keeps_what_is_said_of_it_when_it_finds_its_picture() -> None:
    mask = ReadMask("a", SQUARE, ignored=SQUARE, annotated=False)
    (found,) = matched([mask], {"a.png": (40, 50)})
    assert found.ignored is SQUARE
    assert not found.annotated


def test_labelme_in_folders_is_named_with_them(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.json").write_text(json.dumps(labelme(shape())))
    assert [m.name for m in read_masks(tmp_path)] == ["x/a.png", "y/a.png"]
    assert [m.name for m in READERS["labelme"](tmp_path)] == ["x/a.png", "y/a.png"]
