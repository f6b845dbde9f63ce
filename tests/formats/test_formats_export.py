"""What all formats have in common: the same bytes, bounded memory, names, options."""

import gc
import importlib
import json
import random
import sys
import weakref
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lrpseg
from lrpseg import formats as lrpseg_formats
from lrpseg.core.errors import OptionError
from lrpseg.domains import load_domain
from lrpseg.formats import (
    FORMATS,
    Annotated,
    ExportOptions,
    FormatError,
    save_files,
    unique_stems,
)
from lrpseg.masks.render import MASK_COLOUR
from tests.formats.pictures import MASKS, annotated

NAMES = list(FORMATS)
OPTIONS = ExportOptions(copy_pictures=True, per_component=True)


def tree(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.mark.parametrize("name", NAMES)
def test_all_are_described(name: str) -> None:
    entry = FORMATS[name]
    assert entry.name == name
    assert entry.title
    assert entry.description.endswith(".")
    assert entry.files
    assert entry.extra is None  # all are written by hand
    documented = (Path(__file__).parents[2] / "docs" / "formats.md").read_text("utf-8")
    assert f"| `{name}` | " in documented


@pytest.mark.parametrize("per_component", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_same_bytes_in_any_order_of_work(name: str, per_component: bool, tmp_path: Path) -> None:
    entry = FORMATS[name]
    options = ExportOptions(copy_pictures=True, per_component=per_component)
    first = entry.write(annotated(), tmp_path / "first", options)
    again = entry.write(annotated(), tmp_path / "again", options)
    pictures = list(annotated())
    shuffled = pictures.copy()
    random.Random(3).shuffle(shuffled)
    records = {}
    for picture in shuffled:
        encoded = entry.encode(picture, options)
        save_files(encoded.files, tmp_path / "parts")
        # As a run keeps them that is interrupted, or on another machine.
        records[picture.name] = json.loads(json.dumps(encoded.record))
    joined = entry.assemble((records[p.name] for p in pictures), tmp_path / "parts", options)
    assert tree(tmp_path / "first") == tree(tmp_path / "again") == tree(tmp_path / "parts")
    assert first == again == joined
    assert first.images == len(MASKS)
    assert first.lowest_iou == first.kept_iou == 1
    assert first.worst == []
    assert not [p for p in tree(tmp_path) if ".part" in p]


@pytest.mark.parametrize("name", NAMES)
def test_no_more_than_two_pictures_are_alive(name: str, tmp_path: Path) -> None:
    alive: list[weakref.ref] = []
    most = 0

    def many() -> Iterator[Annotated]:
        nonlocal most
        for number in range(30):
            mask = np.zeros((20, 20), bool)
            mask[number % 20] = True
            picture = Annotated(f"{number:03}.png", mask)
            alive.append(weakref.ref(picture))
            del mask
            most = max(most, sum(ref() is not None for ref in alive))
            yield picture

    gc.disable()  # freed by counting references, not by luck
    try:
        written = FORMATS[name].write(many(), tmp_path, ExportOptions())
    finally:
        gc.enable()
    assert written.images == 30
    assert most <= 2


@pytest.mark.parametrize("name", NAMES)
def test_nothing_to_export(name: str, tmp_path: Path) -> None:
    written = FORMATS[name].write(iter(()), tmp_path, ExportOptions())
    assert (written.images, written.annotations, written.kept_iou) == (0, 0, 1.0)
    for path, data in tree(tmp_path).items():
        if path.endswith(".json"):
            json.loads(data)


@pytest.mark.parametrize("name", NAMES)
def test_names_that_differ_in_suffix_or_case(name: str, tmp_path: Path) -> None:
    names = ["a/tile.png", "a/tile.jpg", "b/Rim.png", "b/rim.png", "c.png"]
    masks = {n: np.eye(4 + i, dtype=bool) for i, n in enumerate(names)}
    entry = FORMATS[name]
    if entry.by_stem:
        with pytest.raises(FormatError, match=r"a/tile.jpg.*unique_stems"):
            entry.write(annotated(masks), tmp_path / "same", OPTIONS)
    else:
        assert entry.write(annotated(masks), tmp_path / "same", OPTIONS).images == 5
    stems = unique_stems(names)
    apart = (
        Annotated(p.name, p.mask, image=p.image, stem=stem)
        for p, stem in zip(annotated(masks), stems, strict=True)
    )
    assert entry.write(apart, tmp_path / "apart", OPTIONS).images == 5
    files = [path.lower() for path in tree(tmp_path / "apart")]
    assert len(set(files)) == len(files)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_name_twice(name: str, tmp_path: Path) -> None:
    twice = [Annotated("a.png", np.ones((2, 2), bool))] * 2
    with pytest.raises(FormatError, match="overwrite"):
        FORMATS[name].write(twice, tmp_path, ExportOptions())
    records = [FORMATS[name].encode(p, ExportOptions()).record for p in twice]
    with pytest.raises(FormatError, match="overwrite"):
        FORMATS[name].assemble(records, tmp_path, ExportOptions())


def test_unique_stems() -> None:
    names = ["x/a.png", "x/a.jpg", "x/A.PNG", "x/a.png-2", "b.png", "c/b.png"]
    names += ["ä.png", "a\u0308.png"]
    stems = unique_stems(names)
    assert len({stem.lower() for stem in stems}) == len(names)
    assert stems[4:6] == ["b", "c/b"]
    assert stems[:2] == ["x/a.png", "x/a.jpg"]


@pytest.mark.parametrize(
    "name",
    [
        *("", "/etc/passwd", "../up.png", "a/../../b.png", "a\\b.png", "a\nb.png", "a//b.png"),
        *("./a.png", "\udcff.png", "a\0.png", ".", "a\x85.png"),
    ],
)
def test_names_that_would_lead_astray(name: str) -> None:
    with pytest.raises(FormatError):
        Annotated(name, np.ones((1, 1), bool))
    if name:
        with pytest.raises(FormatError):
            Annotated("a.png", np.ones((1, 1), bool), stem=name)


@pytest.mark.parametrize(
    "mask", [np.ones((2, 2)), np.ones(4, bool), np.ones((0, 3), bool), np.ones((2, 2, 1), bool)]
)
def test_masks_of_another_kind(mask: np.ndarray) -> None:
    with pytest.raises(FormatError, match=r"a.png.*bool"):
        Annotated("a.png", mask)


def test_probabilities() -> None:
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(FormatError, match="0 to 1"):
            Annotated("a.png", np.ones((1, 1), bool), probability=wrong)


def test_options_that_cannot_be(toy_assets: Path) -> None:
    for wrong in ({"label": " "}, {"label": "a\nb"}, {"label": "a "}, {"min_area": -1}):
        with pytest.raises(OptionError):
            ExportOptions(**wrong)
    with pytest.raises(OptionError, match=r"\{name\}"):
        ExportOptions(image_url="/data/x.png")
    for name, label in (("cvat-segmentation", "a:b"), ("mvtec", "a/b"), ("mvtec", "good")):
        picture = Annotated("a.png", np.ones((1, 1), bool))
        with pytest.raises(OptionError, match=r"label|class name"):
            FORMATS[name].encode(picture, ExportOptions(label=label))
    assert ExportOptions.of(load_domain("toy", toy_assets), min_area=3).label == "damaged"


@pytest.mark.parametrize("name", NAMES)
def test_small_components_are_left_out(name: str, tmp_path: Path) -> None:
    mask = np.zeros((10, 10), bool)
    mask[1:4, 1:4] = mask[8, 8] = True
    cleaned = mask.copy()
    cleaned[8, 8] = False
    both = (ExportOptions(min_area=2, per_component=True), ExportOptions(per_component=True))
    small = FORMATS[name].encode(Annotated("a.png", mask), both[0])
    assert small == FORMATS[name].encode(Annotated("a.png", cleaned), both[1])
    assert small != FORMATS[name].encode(Annotated("a.png", mask), both[1])
    assert small.record["iou"] == 1


@pytest.mark.parametrize("name", [n for n in NAMES if FORMATS[n].copies])
def test_pictures_are_copied_only_where_they_are_there_and_fit(name: str, tmp_path: Path) -> None:
    mask = np.eye(3, dtype=bool)
    with pytest.raises(FormatError, match="not at hand"):
        FORMATS[name].encode(Annotated("a.png", mask), OPTIONS)
    wrong = Annotated("a.png", mask, image=lambda: np.zeros((3, 4, 3), np.uint8))
    with pytest.raises(FormatError, match="size"):
        FORMATS[name].encode(wrong, OPTIONS)
    image = np.random.default_rng(0).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    right = Annotated("a.jpg", mask, image=lambda: image)
    FORMATS[name].write([right], tmp_path, OPTIONS)
    copies = [p for p in tmp_path.rglob("a.png") if "ground_truth" not in p.parts]
    assert len(copies) == 1
    assert np.array_equal(np.asarray(Image.open(copies[0])), image)


def test_pictures_are_not_read_where_nobody_asks(tmp_path: Path) -> None:
    def never() -> np.ndarray:
        raise AssertionError

    for name in NAMES:
        FORMATS[name].write(
            [Annotated("a.png", np.ones((2, 2), bool), image=never)], tmp_path, ExportOptions()
        )


@pytest.mark.parametrize("name", NAMES)
def test_an_iterator_that_breaks_leaves_the_earlier_export(name: str, tmp_path: Path) -> None:
    def breaks() -> Iterator[Annotated]:
        yield Annotated("a.png", np.ones((2, 2), bool))
        raise ZeroDivisionError

    FORMATS[name].write([Annotated("a.png", np.ones((2, 2), bool))], tmp_path, ExportOptions())
    before = tree(tmp_path)
    with pytest.raises(ZeroDivisionError):
        FORMATS[name].write(breaks(), tmp_path, ExportOptions())
    assert tree(tmp_path) == before


def test_png_masks(tmp_path: Path) -> None:
    FORMATS["png"].write(annotated(), tmp_path / "png", ExportOptions())
    FORMATS["png-indexed"].write(annotated(), tmp_path / "indexed", ExportOptions())
    for picture in annotated():
        with Image.open(tmp_path / "png" / f"{picture.stem}.png") as image:
            assert image.mode == "L"
            assert np.array_equal(np.asarray(image), picture.mask * 255)
        with Image.open(tmp_path / "indexed" / f"{picture.stem}.png") as image:
            assert image.mode == "P"
            assert np.array_equal(np.asarray(image), picture.mask)
            assert image.getpalette()[:6] == [0, 0, 0, *MASK_COLOUR]  # type: ignore[index]
        # The depth in the file itself: 8 bits, palette.
        assert (tmp_path / "indexed" / f"{picture.stem}.png").read_bytes()[24:26] == b"\x08\x03"


def test_mvtec_layout(tmp_path: Path) -> None:
    FORMATS["mvtec"].write(annotated(), tmp_path, ExportOptions(label="crack", copy_pictures=True))
    for picture in annotated():
        stem = picture.stem.replace("/", "__")
        kind = "crack" if picture.mask.any() else "good"
        assert (tmp_path / "test" / kind / f"{stem}.png").is_file()
        path = tmp_path / "ground_truth" / "crack" / f"{stem}_mask.png"
        assert path.exists() == picture.mask.any()
        if path.exists():
            assert np.array_equal(np.asarray(Image.open(path)), picture.mask * 255)
    assert sorted(p.name for p in (tmp_path / "ground_truth").iterdir()) == ["crack"]


def test_more_objects_than_a_picture_can_number(tmp_path: Path) -> None:
    mask = np.zeros((60, 60), bool)
    mask[::2, ::2] = True  # 900 objects
    mask[0:2, 0:2] = True
    picture = Annotated("a.png", mask)
    FORMATS["cvat-segmentation"].write([picture], tmp_path, ExportOptions(per_component=True))
    with zipfile.ZipFile(tmp_path / "annotations.zip") as archive:
        with archive.open("SegmentationObject/a.png") as file:
            numbers = np.asarray(Image.open(file))
        with archive.open("SegmentationClass/a.png") as file:
            classes = np.asarray(Image.open(file))
    assert np.array_equal(numbers > 0, mask)
    assert np.array_equal(classes, mask)
    assert len(np.unique(numbers)) == 256
    assert numbers[0, 0] == 1  # the largest


def test_names_that_a_list_of_lines_cannot_hold() -> None:
    for name in ("#1.png", " a.png", "b .png"):
        with pytest.raises(FormatError, match="Rename"):
            FORMATS["cvat-segmentation"].encode(
                Annotated(name, np.ones((1, 1), bool)), ExportOptions()
            )


def test_formats_need_no_foreign_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are written with what the base package brings, from the import on."""
    for module in [m for m in sys.modules if m.split(".")[:2] == ["lrpseg", "formats"]]:
        monkeypatch.delitem(sys.modules, module)
    foreign = ("pycocotools", "supervision", "datumaro", "cvat_sdk", "labelme", "label_studio_sdk")
    for module in (*foreign, "pycocotools.mask"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(lrpseg, "formats", lrpseg.formats)  # the second import replaces it
    again = importlib.import_module("lrpseg.formats")
    assert again is not lrpseg_formats
    for name in again.FORMATS:
        picture = again.Annotated("a.png", np.eye(5, dtype=bool))
        written = again.FORMATS[name].write([picture], tmp_path / name, again.ExportOptions())
        assert written.annotations >= 1
