"""Several classes in one export: numbers, names and colours, and what overlaps cost."""

import json
import random
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from lrpseg.formats import (
    FORMATS,
    Annotated,
    ClassLabel,
    ExportOptions,
    Overlap,
    save_files,
)
from lrpseg.formats.annotated import layers_of
from lrpseg.formats.overlaps import flatten
from lrpseg.masks.render import MASK_COLOUR
from tests.formats.pictures import CLASSES, LAYERS, TWO, layered, two
from tests.formats.slow import flattened, lost
from tests.formats.test_formats_export import NAMES, tree

FLAT = {"png-indexed", "cvat-segmentation"}
ORDER = [entry.name for entry in CLASSES]
CRACK, HOLE, THIRD, NEVER = ORDER
SEVERAL = ExportOptions(classes=CLASSES)


@pytest.mark.parametrize("per_component", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_same_bytes_in_any_order_of_work(name: str, per_component: bool, tmp_path: Path) -> None:
    entry = FORMATS[name]
    options = ExportOptions(copy_pictures=True, per_component=per_component, classes=CLASSES)
    first = entry.write(layered(), tmp_path / "first", options)
    pictures = list(layered())
    shuffled = pictures.copy()
    random.Random(3).shuffle(shuffled)
    records = {}
    for picture in shuffled:
        encoded = entry.encode(picture, options)
        save_files(encoded.files, tmp_path / "parts")
        records[picture.name] = json.loads(json.dumps(encoded.record))
    # As another process has them, which knows the options from JSON.
    stored = json.loads(json.dumps([{"name": c.name, "colour": c.colour} for c in CLASSES]))
    again = ExportOptions(copy_pictures=True, per_component=per_component, classes=stored)
    assert again == options
    joined = entry.assemble((records[p.name] for p in pictures), tmp_path / "parts", again)
    assert tree(tmp_path / "first") == tree(tmp_path / "parts")
    assert first == joined
    assert first.images == len(LAYERS)
    assert (first.lowest_iou < 1) == (name in FLAT)
    assert bool(first.overlaps) == (name in FLAT | {"mvtec"})


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_of_the_only_class_is_the_mask(name: str, tmp_path: Path) -> None:
    mask = np.eye(7, 9, dtype=bool)
    crack = ExportOptions(classes=(ClassLabel("crack"),))
    assert crack == ExportOptions(classes=(ClassLabel("crack"),), label="crack")
    entry = FORMATS[name]
    entry.write([Annotated("a/b.png", mask)], tmp_path / "mask", ExportOptions(label="crack"))
    as_layer = Annotated("a/b.png", layers={"whatever": mask})
    entry.write([as_layer], tmp_path / "layer", crack)
    assert tree(tmp_path / "mask") == tree(tmp_path / "layer")
    plain = entry.encode(as_layer, ExportOptions(label="crack")).record
    assert plain == entry.encode(Annotated("a/b.png", mask), crack).record
    assert "overlaps" not in plain


@pytest.mark.parametrize("name", NAMES)
def test_records_of_before_there_were_classes(name: str, tmp_path: Path) -> None:
    """A run that began then is resumed now."""
    masks = [np.eye(7, 9, dtype=bool), np.zeros((3, 4), bool)]
    pictures = [Annotated(f"{i}.png", mask) for i, mask in enumerate(masks)]
    FORMATS[name].write(pictures, tmp_path / "now", ExportOptions())
    records = []
    for picture in pictures:
        encoded = FORMATS[name].encode(picture, ExportOptions())
        save_files(encoded.files, tmp_path / "before")
        record = json.loads(json.dumps(encoded.record))
        data = record["data"] if isinstance(record["data"], dict) else {}
        for part in [*data.get("annotations", []), *data.get("masks", [])]:
            part.pop("category_id", None)
            part.pop("class", None)
        records.append(record)
    FORMATS[name].assemble(records, tmp_path / "before", ExportOptions())
    assert tree(tmp_path / "before") == tree(tmp_path / "now")


@pytest.mark.parametrize("name", NAMES)
def test_options_without_classes_take_the_union(name: str) -> None:
    picture = two()
    union = Annotated("a.png", picture.mask)
    assert picture.mask.tolist() == [[True] * 3, [False, True, True]]
    encoded = FORMATS[name].encode(picture, ExportOptions())
    assert encoded == FORMATS[name].encode(union, ExportOptions())


@pytest.mark.parametrize("name", NAMES)
def test_small_components_are_counted_in_each_class(name: str) -> None:
    mask = np.zeros((9, 9), bool)
    mask[1:3, 1:3] = True
    dotted = mask.copy()
    dotted[4, 4] = True  # alone in its class, though it touches the other one
    touching = np.zeros((9, 9), bool)
    touching[5:8, 5:8] = True
    small = ExportOptions(classes=TWO.classes, min_area=2)
    given = FORMATS[name].encode(
        Annotated("a.png", layers={"crack": dotted, "break": touching}), small
    )
    cleaned = Annotated("a.png", layers={"crack": mask, "break": touching})
    assert given == FORMATS[name].encode(cleaned, TWO)


def test_one_class_wins_where_a_pixel_has_one(tmp_path: Path) -> None:
    """The crack has three pixels, the break four: the crack wins both that they share."""
    written = FORMATS["png-indexed"].write([two("a.png"), two("b.png")], tmp_path, TWO)
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "P"
        assert np.asarray(image).tolist() == [[1, 1, 1], [0, 2, 2]]
        assert image.getpalette()[:9] == [0, 0, 0, *MASK_COLOUR, 230, 159, 0]  # type: ignore[index]
    assert (tmp_path / "labelmap.txt").read_text().splitlines()[1:] == [
        "background:0,0,0::",
        "crack:0,114,178::",
        "break:230,159,0::",
    ]
    assert written.overlaps == [Overlap("crack", "break", 4, 2)]
    # Of each picture 5 pixels of 7 are kept: 3 of 3, and 2 of 4.
    assert written.kept_iou == written.lowest_iou == 5 / 7
    assert written.as_json()["overlaps"] == [
        {"winner": "crack", "loser": "break", "pixels": 4, "pictures": 2}
    ]
    assert str(written) == (
        "2 images, 4 annotations; not exact: mean IoU 0.7143, lowest 0.7143; "
        "crack won over break in 4 pixels of 2 pictures"
    )


def test_what_is_not_lost_is_not_told(tmp_path: Path) -> None:
    one = np.array([[1, 0, 0]], bool)
    apart = Annotated("a.png", layers={"crack": one, "break": ~one})
    for name in NAMES:
        if name != "mvtec":  # which has one mask for both
            written = FORMATS[name].write([apart], tmp_path / name, TWO)
            assert written.lowest_iou == 1
            assert written.as_json()["overlaps"] == []
            assert str(written) == "1 images, 2 annotations"


def test_the_smaller_area_wins_then_the_first_class() -> None:
    same = np.array([[1, 1, 0]], bool)
    tie = {"crack": same, "break": same[:, ::-1].copy()}
    for order in (("crack", "break"), ("break", "crack")):
        options = ExportOptions(classes=tuple(ClassLabel(n) for n in order))
        encoded = FORMATS["png-indexed"].encode(Annotated("a.png", layers=tie), options)
        (entry,) = encoded.record["overlaps"]
        assert (entry["winner"], entry["loser"], entry["pixels"]) == (*order, 1)


@pytest.mark.parametrize("name", LAYERS)
def test_flat_pictures_against_pixel_by_pixel(name: str) -> None:
    picture = Annotated(name, layers=LAYERS[name])
    flat = flatten(layers_of(picture, SEVERAL))
    expected = flattened(LAYERS[name], ORDER)
    for layer in flat.layers:
        assert np.array_equal(layer.mask, expected.get(layer.label, np.zeros_like(layer.mask)))
        assert np.array_equal(flat.numbers == layer.index + 1, layer.mask)
    costs = {(entry["winner"], entry["loser"]): entry["pixels"] for entry in flat.overlaps}
    assert costs == lost(LAYERS[name], ORDER)
    whole = sum(int(mask.sum()) for mask in LAYERS[name].values())
    left = sum(int(mask.sum()) for mask in expected.values())
    assert flat.iou == (left / whole if whole else 1)


def test_all_classes_are_listed_also_unused_ones(tmp_path: Path) -> None:
    for name in NAMES:
        FORMATS[name].write(layered(), tmp_path / name, SEVERAL)
    coco = json.loads((tmp_path / "coco" / "annotations.json").read_text("utf-8"))
    assert [(c["id"], c["name"]) for c in coco["categories"]] == list(enumerate(ORDER, 1))
    assert {a["category_id"] for a in coco["annotations"]} == {1, 2, 3}
    yolo = (tmp_path / "yolo" / "data.yaml").read_text("utf-8").splitlines()
    assert yolo[3] == "nc: 4"
    assert json.loads(yolo[4].removeprefix("names: ")) == ORDER
    rows = (tmp_path / "yolo" / "labels" / "full.txt").read_text().splitlines()
    assert {row.split()[0] for row in rows} <= {"0", "1", "2"}
    studio = ElementTree.parse(tmp_path / "label-studio" / "labeling-config.xml")
    assert [(e.get("value"), e.get("background")) for e in studio.iter("Label")] == [
        (entry.name, "#{:02X}{:02X}{:02X}".format(*entry.colour)) for entry in CLASSES
    ]
    cvat = ElementTree.parse(tmp_path / "cvat-images" / "annotations.xml")
    assert [(e.findtext("name"), e.findtext("color")) for e in cvat.iter("label")] == [
        (entry.name, "#{:02x}{:02x}{:02x}".format(*entry.colour)) for entry in CLASSES
    ]
    items = json.loads((tmp_path / "datumaro" / "annotations" / "default.json").read_text("utf-8"))
    assert [label["name"] for label in items["categories"]["label"]["labels"]] == ORDER
    with zipfile.ZipFile(tmp_path / "cvat-segmentation" / "annotations.zip") as archive:
        lines = archive.read("labelmap.txt").decode().splitlines()
    assert lines[2:] == [f"{c.name}:{','.join(map(str, c.colour))}::" for c in CLASSES]
    assert (tmp_path / "png" / "classes.txt").read_text("utf-8").splitlines() == ORDER


def test_a_png_for_each_class(tmp_path: Path) -> None:
    FORMATS["png"].write(layered(), tmp_path, SEVERAL)
    for picture in layered():
        for name in ORDER:
            mask = np.asarray(Image.open(tmp_path / name / f"{picture.stem}.png"))
            wanted = LAYERS[picture.name].get(name, np.zeros(mask.shape, bool))
            assert np.array_equal(mask, wanted * 255)


def test_mvtec_has_one_mask_for_a_picture(tmp_path: Path) -> None:
    options = ExportOptions(classes=TWO.classes, copy_pictures=True)
    image = np.zeros((2, 3, 3), np.uint8)
    empty = np.zeros((2, 3), bool)
    pictures = [
        Annotated(n, layers=layers, image=lambda: image)
        for n, layers in (
            ("both.png", two().layers),
            ("one.png", {"crack": ~empty, "break": empty}),
            ("good.png", {"crack": empty}),
        )
    ]
    written = FORMATS["mvtec"].write(pictures, tmp_path, options)
    files = sorted(tree(tmp_path))
    assert files == [
        *("ground_truth/combined/both_mask.png", "ground_truth/crack/one_mask.png"),
        *("test/combined/both.png", "test/crack/one.png", "test/good/good.png"),
    ]
    union = np.asarray(Image.open(tmp_path / files[0]))
    assert np.array_equal(union > 0, two().mask)
    assert (written.annotations, written.lowest_iou) == (2, 1)
    assert written.overlaps == [
        Overlap("combined", "break", 4, 1),
        Overlap("combined", "crack", 3, 1),
    ]
    # anomalib pairs the sorted pictures below test/KIND with the sorted masks.
    damaged = [f for f in files if f.startswith("test/") and "/good/" not in f]
    masks = [f for f in files if f.startswith("ground_truth/")]
    assert [Path(f).stem + "_mask" for f in damaged] == [Path(f).stem for f in masks]


def test_more_objects_than_a_picture_can_number(tmp_path: Path) -> None:
    crack, broken = np.zeros((40, 60), bool), np.zeros((40, 60), bool)
    crack[::2, ::2] = True  # 600 objects
    crack[:2, :2] = True  # the largest
    broken[1::4, 1::4] = True  # 150 objects
    broken[:2, :2] = False
    picture = Annotated("a.png", layers={"crack": crack, "break": broken})
    options = ExportOptions(classes=TWO.classes, per_component=True)
    written = FORMATS["cvat-segmentation"].write([picture], tmp_path, options)
    with zipfile.ZipFile(tmp_path / "annotations.zip") as archive:
        numbers, classes = (
            np.asarray(Image.open(archive.open(f"Segmentation{kind}/a.png")))
            for kind in ("Object", "Class")
        )
    assert np.array_equal(classes, np.where(crack, 1, np.where(broken, 2, 0)))
    assert np.array_equal(numbers > 0, classes > 0)
    assert written.annotations == numbers.max() == len(np.unique(numbers[numbers > 0])) == 255
    assert numbers[0, 0] == 1
    for number in range(1, 256):  # a reader takes an object for one class
        assert len(np.unique(classes[numbers == number])) == 1
