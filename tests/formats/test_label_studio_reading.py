"""Masks in Label Studio's own exports."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lrpseg.formats import FORMATS, ExportOptions, FormatError
from lrpseg.formats.label_studio import brush_rle
from lrpseg.formats.reading import Reading, read_masks
from lrpseg.formats.reading.kinds import BOXES, PICTURE
from lrpseg.formats.reading.label_studio import name_of
from lrpseg.formats.reading.regions import decoded
from tests.formats.pictures import MASKS, annotated
from tests.formats.test_masks_elsewhere import SQUARE, Read, mask_file


def region(kind: str, value: dict[str, Any], label: str = "crack") -> dict[str, Any]:
    return {
        "id": "r", "type": kind, "original_width": 50, "original_height": 40, "image_rotation": 0,
        "value": {**value, kind: [label]},
    }  # fmt: skip


def brush(mask: np.ndarray = SQUARE, label: str = "crack") -> dict[str, Any]:
    return region("brushlabels", {"format": "rle", "rle": brush_rle(mask)}, label)


def task(address: str, *results: Any, **rest: Any) -> dict[str, Any]:
    made = [{"id": 1, "result": list(results), "was_cancelled": False}]
    return {"id": 7, "data": {"image": address}, "annotations": made, **rest}


BOX = region("rectanglelabels", {"x": 1, "y": 1, "width": 5, "height": 5})
POLYGON = region("polygonlabels", {"points": [[10, 10], [60, 10], [60, 60]]}, "scale")


def test_label_studios_own_export(tmp_path: Path) -> None:
    twice = task("/data/upload/1/1a2b3c4d-c.png", brush(~SQUARE))
    twice["annotations"].append({"id": 2, "updated_at": "2026", "result": [brush()]})
    tasks = [
        task("/data/upload/1/0a1b2c3d-a.png", brush(), BOX, POLYGON),
        task("/data/local-files/?d=belt%203/b.png", BOX),
        twice,
        task("s3://bucket/x/d.png", annotations=[]),
        task("https://host/x/e.png"),
        task("/data/upload/1/0a1b2c3d-f.png", region("ellipselabels", {
            "x": 50, "y": 50, "radiusX": 10, "radiusY": 10, "rotation": 0})),
    ]  # fmt: skip
    (tmp_path / "project.json").write_text(json.dumps(tasks))
    mask_file(tmp_path / "task-7-annotation-1-by-1-tag-crack-0.png")
    read = Read(tmp_path, expect=lambda name, size: (40, 50))
    assert list(read.masks) == ["a.png", "c.png", "x/d.png", "x/e.png", "f.png"]
    first = read.masks["a.png"]
    assert np.array_equal(first.layers["crack"], SQUARE)
    assert first.layers["scale"][10, 25]
    assert "1 box" in first.notes[0]
    assert np.array_equal(read.masks["c.png"].mask, SQUARE)
    assert "2 annotations" in read.masks["c.png"].notes[0]
    assert not read.masks["x/d.png"].annotated
    assert read.masks["x/e.png"].annotated
    assert not read.masks["x/e.png"].mask.any()
    assert read.masks["f.png"].mask[20, 25]
    assert read.left == {
        BOXES: ["project.json, task 7"],
        PICTURE: ["task-7-annotation-1-by-1-tag-crack-0.png"],
    }


def test_label_studios_bitmasks_and_what_is_none_of_it(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(SQUARE.astype(np.uint8) * 255).save(file, "PNG")
    address = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    drawn = region("bitmasklabels", {"imageDataURL": address})
    choice = {"type": "choices", "value": {"choices": ["bad"]}}
    tasks = [
        task("a.png", drawn, choice, region("cuboid", {}), region("cuboid", {})),
        task("b.png", region("bitmasklabels", {"imageDataURL": "https://elsewhere/x.png"})),
    ]
    (tmp_path / "a.json").write_text(json.dumps(tasks))
    read = Read(tmp_path)
    assert np.array_equal(read.masks["a.png"].layers["crack"], SQUARE)
    assert read.masks["a.png"].notes == ("2 regions of the type cuboid without a mask left out.",)
    assert read.left == {"cannot be read": ["a.json, task 7"]}


def test_labels_that_stand_beside_their_region(tmp_path: Path) -> None:
    """As the tags Brush and Labels export them: two results of one id."""
    drawn = brush()
    drawn["type"] = "brush"
    del drawn["value"]["brushlabels"]
    label = {"id": "r", "type": "labels", "value": {"labels": ["crack"]}}
    for results, labels in (
        ([drawn, label], ["crack"]),
        ([drawn, {**label, "id": ["r"]}], [""]),
        ([drawn, {**label, "value": {}}], [""]),
        ([{**drawn, "id": {}}], [""]),
    ):
        (tmp_path / "a.json").write_text(json.dumps([task("a.png", *results)]))
        (mask,) = read_masks(tmp_path)
        assert list(mask.layers) == labels
        assert np.array_equal(mask.mask, SQUARE)


def test_label_studios_short_export(tmp_path: Path) -> None:
    flat = {**brush()["value"], "original_width": 50, "original_height": 40}
    entry = {"id": 7, "image": "/data/upload/1/0a1b2c3d-a.png", "tag": [flat], "annotator": 1}
    (tmp_path / "min.json").write_text(json.dumps([entry]))
    (mask,) = read_masks(tmp_path)
    assert mask.name == "a.png"
    assert np.array_equal(mask.layers["crack"], SQUARE)


def test_label_studios_png_names_alone_say_what_to_do(tmp_path: Path) -> None:
    mask_file(tmp_path / "task-7-annotation-1-by-1-tag-crack-0.png")
    with pytest.raises(FormatError, match="Export JSON there"):
        list(read_masks(tmp_path))


def test_our_predictions_come_back(tmp_path: Path) -> None:
    FORMATS["label-studio"].write(annotated(), tmp_path, ExportOptions())
    sizes = {name: (mask.shape[0], mask.shape[1]) for name, mask in MASKS.items()}
    options = Reading(expect=lambda name, _: sizes[name])
    found = {m.name: m.mask for m in read_masks(tmp_path, options=options)}
    assert set(found) == set(MASKS)
    for name, mask in MASKS.items():
        assert np.array_equal(found[name], mask), name


def test_brushes_that_lie(tmp_path: Path) -> None:
    whole = brush_rle(SQUARE)
    for wrong in ([], [1, 2], whole[:12], [*whole[:4], 0], "x", [300], brush_rle(SQUARE[:-1])):
        with pytest.raises(FormatError):
            decoded(wrong, SQUARE.shape, "a")
    random = np.random.default_rng(0).random((9, 13)) < 0.5
    assert np.array_equal(decoded(brush_rle(random), (9, 13), "a"), random)


def test_addresses_of_pictures() -> None:
    assert name_of("/data/upload/3/deadbeef-my-tile.png") == "my-tile.png"
    assert name_of("/data/upload/3/tile.png") == "tile.png"
    assert name_of("https://host/a%20b.png?x=1") == "a b.png"
