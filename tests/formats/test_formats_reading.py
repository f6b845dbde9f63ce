"""Masks from other tools come back as they were; what is damaged is told, and costs nothing."""

import base64
import io
import json
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lrpseg.core.errors import ImageError
from lrpseg.formats import FORMATS, ExportOptions, FormatError, MissingExtraError
from lrpseg.formats.reading import READERS, ReadMask, matched, read_masks, read_png
from lrpseg.formats.rle import coco_counts, from_coco_counts
from lrpseg.masks import read_mask
from tests.formats.pictures import MASKS, annotated

SIZES = {name: (mask.shape[0], mask.shape[1]) for name, mask in MASKS.items()}
EXPORTS = [("png", "png"), ("png-indexed", "png"), ("coco", "coco"), ("labelme", "labelme"),
           ("labelme-polygon", "labelme"), ("x-anylabeling", "labelme")]  # fmt: skip


@pytest.mark.parametrize("per_component", [False, True])
@pytest.mark.parametrize(("name", "reader"), EXPORTS)
def test_our_own_exports_come_back(
    name: str, reader: str, per_component: bool, tmp_path: Path
) -> None:
    FORMATS[name].write(annotated(), tmp_path, ExportOptions(per_component=per_component))
    source = tmp_path / "annotations.json" if reader == "coco" else tmp_path
    found = {m.name: m.mask for m in matched(READERS[reader](source), SIZES)}
    assert set(found) == set(MASKS)
    for key, mask in MASKS.items():
        assert np.array_equal(found[key], mask), key
    told = {m.name for m in matched(read_masks(tmp_path), SIZES)}  # by what is in the files
    assert told == set(MASKS)


@pytest.mark.parametrize("reader", [None, *READERS])
def test_a_folder_without_masks_is_told(reader: str | None, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=tmp_path.name):
        list(read_masks(tmp_path, reader, lambda *_: None))


@pytest.mark.parametrize("reader", [None, "png"])
def test_one_image_is_a_mask(reader: str | None, tmp_path: Path) -> None:
    FORMATS["png"].write(annotated(), tmp_path, ExportOptions())
    path = sorted(tmp_path.rglob("*.png"))[0]
    (mask,) = read_masks(path, reader)
    assert mask.name == path.stem
    assert np.array_equal(mask.mask, read_png(path))
    path.write_bytes(b"no image")
    refused: list[str] = []
    assert list(read_masks(path, reader, lambda name, _: refused.append(name))) == []
    assert refused == [path.stem]


def test_run_lengths_against_pycocotools() -> None:
    masks = pytest.importorskip("pycocotools.mask", reason="pip install -e '.[coco]'")
    random = np.random.default_rng(0)
    for _ in range(300):
        shape = random.integers(1, 70, 2)
        mask = random.random(shape) < random.random()
        theirs = masks.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
        assert coco_counts(mask) == theirs
        assert np.array_equal(from_coco_counts(theirs, *shape), mask)


def test_coco_polygons_are_filled_as_pycocotools_does(tmp_path: Path) -> None:
    masks = pytest.importorskip("pycocotools.mask", reason="pip install -e '.[coco]'")
    polygon = [10.0, 10.0, 40.5, 12.0, 30.0, 35.0]
    entry = coco([{"segmentation": [polygon], "image_id": 1, "category_id": 1}])
    (tmp_path / "a.json").write_text(json.dumps(entry))
    (read,) = READERS["coco"](tmp_path / "a.json")
    runs = masks.frPyObjects([polygon], 40, 50)
    assert np.array_equal(read.mask, masks.decode(masks.merge(runs)) > 0)


def test_polygons_without_pycocotools_name_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools.mask", None)
    polygon = {"segmentation": [[1, 1, 9, 1, 9, 9]], "image_id": 1, "category_id": 1}
    (tmp_path / "a.json").write_text(json.dumps(coco([polygon])))
    with pytest.raises(MissingExtraError, match=r"pip install -e '\.\[coco\]'"):
        list(READERS["coco"](tmp_path / "a.json"))


def coco(annotations: list[dict], **image: Any) -> dict[str, Any]:
    pictures = [{"id": 1, "width": 50, "height": 40, "file_name": "a.png", **image}]
    return {"images": pictures, "annotations": annotations, "categories": [{"id": 1, "name": "x"}]}


def rle(**changes: Any) -> dict[str, Any]:
    whole = {"size": [40, 50], "counts": [0, 2000]}
    return {"segmentation": {**whole, **changes}, "image_id": 1, "category_id": 1}


HOSTILE_COCO = {
    "list": [],
    "no images": {"annotations": []},
    "images of numbers": {"images": [1], "annotations": []},
    "no annotations": {"images": []},
    "huge picture": coco([rle()], width=10**9, height=10**9),
    "negative": coco([rle()], width=-5),
    "text size": coco([rle()], width="50"),
    "nan": coco([rle()], width=float("nan")),
    "no name": coco([rle()], file_name=None),
    "other size": coco([rle(size=[41, 50])]),
    "too long": coco([rle(counts=[0, 10**30])]),
    "too short": coco([rle(counts=[5])]),
    "negative run": coco([rle(counts=[-1, 2001])]),
    "packed noise": coco([rle(counts="\x7f\x00???")]),
    "packed bomb": coco([rle(counts="o" * 1000)]),
    "unicode": coco([rle(counts="ä")]),
    "no counts": coco([rle(counts=None)]),
    "unlisted": coco([{**rle(), "image_id": 7}]),
    "no category": coco([{**rle(), "category_id": [1]}]),
    "odd polygon": coco([{**rle(), "segmentation": [[1, 2, 3]]}]),
    "infinite polygon": coco([{**rle(), "segmentation": [[1, 2, 3, 4, 5, float("inf")]]}]),
    "far polygon": coco([{**rle(), "segmentation": [[0, 0, 1e9, 0, 1e9, 1e9]]}]),
    "text polygon": coco([{**rle(), "segmentation": "x"}]),
}


@pytest.mark.parametrize("name", HOSTILE_COCO)
def test_coco_that_lies(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(HOSTILE_COCO[name]))
    with pytest.raises(FormatError) as caught:
        list(READERS["coco"](tmp_path / "a.json"))
    assert len(str(caught.value)) < 600


def shape(**changes: Any) -> dict[str, Any]:
    file = io.BytesIO()
    Image.fromarray(np.ones((5, 6), np.uint8)).save(file, "PNG")
    mask = base64.b64encode(file.getvalue()).decode()
    return {"label": "x", "points": [[3, 4], [8, 8]], "shape_type": "mask", "mask": mask, **changes}


def labelme(*shapes: Any, **changes: Any) -> dict[str, Any]:
    size = {"imageHeight": 40, "imageWidth": 50, "imagePath": "a.png"}
    return {"version": "6", "shapes": list(shapes), **size, **changes}


def _bomb() -> str:
    """A PNG that says it has 10^10 pixels."""
    header = b"\0\1\x86\xa0\0\1\x86\xa0\x08\0\0\0\0"
    chunk = b"IHDR" + header
    data = b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    return base64.b64encode(data).decode()


HOSTILE_LABELME = {
    "list": [],
    "no shapes": {"version": "6"},
    "huge": labelme(shape(), imageHeight=10**7, imageWidth=10**7),
    "no size": labelme(shape(), imageHeight=None),
    "no path": labelme(shape(), imagePath=""),
    "shape of text": labelme("x"),
    "mask of noise": labelme(shape(mask="%%%")),
    "mask of text": labelme(shape(mask=base64.b64encode(b"hello").decode())),
    "mask that is a bomb": labelme(shape(mask=_bomb())),
    "mask outside": labelme(shape(points=[[48, 38], [53, 42]])),
    "mask of another box": labelme(shape(points=[[3, 4], [20, 20]])),
    "no points": labelme(shape(points=[])),
    "points of text": labelme(shape(shape_type="polygon", points=[["a", 1], [2, 3], [4, 5]])),
    "infinite": labelme(shape(shape_type="polygon", points=[[float("inf"), 1], [2, 3], [4, 5]])),
}


@pytest.mark.parametrize("name", HOSTILE_LABELME)
def test_labelme_that_lies(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(HOSTILE_LABELME[name]))
    with pytest.raises(FormatError) as caught:
        list(READERS["labelme"](tmp_path))
    assert len(str(caught.value)) < 600


def test_one_that_lies_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(labelme(shape())))
    (tmp_path / "b.json").write_text("{")
    (tmp_path / "c.json").write_text("[" * 100_000)
    (tmp_path / "d.png").write_bytes(b"no image")
    refused: list[str] = []
    found = list(read_masks(tmp_path, on_error=lambda name, error: refused.append(name)))
    assert [m.name for m in found] == ["a.png"]
    assert found[0].mask.sum() == 30
    assert found[0].mask[4:9, 3:9].all()
    assert len(refused) == 3


@pytest.mark.parametrize(
    ("values", "marked"),
    [
        (np.array([[0, 255]], np.uint8), [[False, True]]),
        (np.array([[0, 1]], np.uint8), [[False, True]]),
        (np.array([[3, 7]], np.uint8), [[False, True]]),
        (np.array([[0, 0]], np.uint8), [[False, False]]),
        (np.array([[9, 9]], np.uint8), [[True, True]]),
        (np.array([[0, 10, 200, 255]], np.uint8), [[False, False, True, True]]),
        (np.array([[0, 65535]], np.uint16), [[False, True]]),
    ],
)
def test_what_counts_as_damage_in_an_image(values: np.ndarray, marked: list) -> None:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    assert read_png(file.getvalue()).tolist() == marked
    assert read_mask(file.getvalue(), values.shape).tolist() == marked
    with pytest.raises(ImageError, match="at the picture's size"):
        read_mask(file.getvalue(), (7, 5))


@pytest.mark.parametrize("data", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_an_error_of_its_reader(data: bytes) -> None:
    with pytest.raises(FormatError, match="Export it as PNG"):
        read_png(data)
    with pytest.raises(ImageError, match="Export it as PNG"):
        read_mask(data)


def test_masks_find_their_pictures() -> None:
    sizes = {"belt/a.png": (2, 2), "belt/b.tif": (2, 2), "other/b.png": (2, 2), "c.v2.jpg": (2, 3)}
    square = np.ones((2, 2), bool)

    def where(name: str, mask: np.ndarray = square) -> str:
        (found,) = matched([ReadMask(name, mask)], sizes)
        return found.name

    assert where("belt/a.png") == "belt/a.png"
    assert where("a") == where("A.jpg") == where("x/y/a.png") == "belt/a.png"
    assert where("belt/b") == "belt/b.tif"
    assert where("c.v2", np.ones((2, 3), bool)) == "c.v2.jpg"
    for name, mask, says in (
        ("b", square, "fits belt/b.tif and other/b.png"),
        ("nobody", square, "no such picture"),
        ("a", np.ones((3, 2), bool), "the picture 2x2"),
    ):
        with pytest.raises(FormatError, match=says):
            where(name, mask)
    with pytest.raises(FormatError, match="two masks"):
        list(matched([ReadMask("a", square), ReadMask("belt/a.png", square)], sizes))
