"""Readers keep the labels that they find, and hold no more masks than they are asked for."""

import json
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lrpseg.formats import FORMATS, ExportOptions, FormatError, unique_stems
from lrpseg.formats.base import Annotated
from lrpseg.formats.reading import READERS, ReadMask, matched, read_masks
from tests.formats.pictures import CLASSES, LAYERS, MASKS, TWO, layered, two
from tests.formats.slow import flattened

SIZES = {name: (mask.shape[0], mask.shape[1]) for name, mask in MASKS.items()}
ORDER = [entry.name for entry in CLASSES]
EXPORTS = [("png", "png"), ("png-indexed", "png"), ("coco", "coco"), ("labelme", "labelme"),
           ("labelme-polygon", "labelme"), ("x-anylabeling", "labelme")]  # fmt: skip


def drawn(layers: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those that have a pixel."""
    return {label: mask for label, mask in layers.items() if mask.any()}


@pytest.mark.parametrize("per_component", [False, True])
@pytest.mark.parametrize(("name", "reader"), EXPORTS)
def test_classes_come_back(name: str, reader: str, per_component: bool, tmp_path: Path) -> None:
    options = ExportOptions(per_component=per_component, classes=CLASSES)
    FORMATS[name].write(layered(), tmp_path, options)
    found = {m.name: m for m in matched(read_masks(tmp_path), SIZES)}
    named = {m.name: m for m in matched(read_masks(tmp_path, reader), SIZES)}
    assert set(found) == set(named) == set(LAYERS)
    for key, layers in LAYERS.items():
        wanted = drawn(layers)
        if name == "png-indexed":
            wanted = drawn(flattened(layers, ORDER))
        read = found[key].layers
        assert set(drawn(read)) == set(drawn(named[key].layers)) == set(wanted), key
        for label, mask in wanted.items():
            assert np.array_equal(read[label], mask), (key, label)
        union = np.logical_or.reduce(list(layers.values()))
        assert np.array_equal(found[key].mask, union), key


def test_a_png_export_with_all_classes_in_a_folder_of_it(tmp_path: Path) -> None:
    """As `lrpseg export --format png,coco` lays it down, and as zips of it are unpacked."""
    pictures = [two("belt/a.png"), two("belt/a.jpg"), two("b.png")]
    stems = unique_stems([p.name for p in pictures])
    apart = [
        Annotated(p.name, layers=p.layers, stem=s) for p, s in zip(pictures, stems, strict=True)
    ]
    FORMATS["png"].write(apart, tmp_path / "out" / "png", TWO)
    found = list(matched(read_masks(tmp_path), {p.name: (2, 3) for p in pictures}))
    assert [m.name for m in found] == ["b.png", "belt/a.jpg", "belt/a.png"]
    for mask in found:
        layers = two().layers or {}
        assert {k: v.tolist() for k, v in mask.layers.items()} == {
            k: v.tolist() for k, v in layers.items()
        }


def test_folders_are_classes_only_where_a_file_says_so(tmp_path: Path) -> None:
    for folder in ("crack", "break"):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.eye(3, dtype=np.uint8) * 255).save(tmp_path / folder / "a.png")
    plain = [(m.name, dict(m.layers)) for m in read_masks(tmp_path)]
    assert plain == [("break/a", {}), ("crack/a", {})]
    (tmp_path / "classes.txt").write_text("crack\n")
    named = {m.name: set(m.layers) for m in read_masks(tmp_path)}
    assert named == {"a": {"crack"}, "break/a": set()}
    (tmp_path / "classes.txt").write_bytes(b"\xff\xfe\0")  # another tool's, or damaged
    assert {m.name for m in read_masks(tmp_path)} == {"break/a", "crack/a"}


@pytest.mark.parametrize("copies", [False, True])
def test_mvtec_comes_back_but_for_pictures_of_several_classes(copies: bool, tmp_path: Path) -> None:
    options = ExportOptions(classes=CLASSES, copy_pictures=copies)
    FORMATS["mvtec"].write(layered(), tmp_path, options)
    found = {m.name: m for m in matched(read_masks(tmp_path), SIZES)}
    assert set(found) == {name for name, layers in LAYERS.items() if drawn(layers)}
    for name, mask in found.items():
        layers = LAYERS[name]
        assert np.array_equal(mask.mask, np.logical_or.reduce(list(layers.values())))
        labels = set(drawn(layers))
        assert set(mask.layers) == (labels if len(labels) == 1 else set())


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (None, ["1", "2"]),
        ("# a comment\nbackground:0,0,0::\ncrack:1,2,3::\nbreak:4,5,6::\n", ["crack", "break"]),
        ("background:0,0,0::\ncrack:1,2,3::\n", ["crack", "2"]),
        ("background:0,0,0::\ncrack:1,2,3::\ncrack:4,5,6::\n", ["1", "2"]),
        ("crack:1,2,3::\nbackground:0,0,0::\n", ["1", "2"]),
        ("\0\n", ["1", "2"]),
    ],
)
def test_indices_have_the_names_that_a_label_map_gives(
    text: str | None, labels: list[str], tmp_path: Path
) -> None:
    FORMATS["png-indexed"].write([two("belt/a.png")], tmp_path, TWO)
    (tmp_path / "labelmap.txt").unlink()
    if text is not None:
        (tmp_path / "labelmap.txt").write_text(text)
    (read,) = read_masks(tmp_path)
    assert {label: mask.tolist() for label, mask in read.layers.items()} == {
        labels[0]: [[True, True, True], [False, False, False]],
        labels[1]: [[False, False, False], [False, True, True]],
    }


def test_one_label_is_the_mask_itself(tmp_path: Path) -> None:
    mask = np.eye(4, 5, dtype=bool)
    for name, label in (("coco", "scratch"), ("labelme", "scratch"), ("png-indexed", "1")):
        FORMATS[name].write([Annotated("a.png", mask)], tmp_path / name, ExportOptions(label=label))
        (read,) = read_masks(tmp_path / name)
        assert list(read.layers) == [label]
        assert read.layers[label] is read.mask
    FORMATS["png"].write([Annotated("a.png", mask)], tmp_path / "png", ExportOptions())
    (read,) = read_masks(tmp_path / "png")
    assert read.layers == {}


def _coco(labels: int, side: int) -> dict[str, Any]:
    """One picture with an annotation of each of many categories."""
    counts = {"size": [side, side], "counts": [5, 7, side * side - 12]}
    return {
        "images": [{"id": 1, "width": side, "height": side, "file_name": "a.png"}],
        "categories": [{"id": n, "name": f"kind {n}"} for n in range(labels)],
        "annotations": [
            {"id": n, "image_id": 1, "category_id": n, "segmentation": counts}
            for n in range(labels)
        ],
    }


def test_a_mask_for_each_of_many_labels_is_not_held(tmp_path: Path) -> None:
    """300 labels of a megapixel would be 300 MB."""
    (tmp_path / "a.json").write_text(json.dumps(_coco(300, 1000)))
    indices = np.arange(1_000_000, dtype=np.uint32).reshape(1000, 1000) % 256
    image = Image.fromarray(indices.astype(np.uint8))
    image.putpalette([value for n in range(256) for value in (n, 0, 0)])
    image.save(tmp_path / "b.png")
    tracemalloc.start()
    try:
        coco, indexed = read_masks(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30e6
    assert list(coco.layers) == [f"kind {n}" for n in range(300)]
    assert coco.layers["kind 7"].sum() == coco.mask.sum() == 7
    assert list(indexed.layers) == [str(n) for n in range(1, 256)]
    assert np.array_equal(indexed.layers["200"], indices == 200)


def test_categories_that_are_not_listed(tmp_path: Path) -> None:
    """Some tools write none; two of the same name are one."""
    entry = _coco(3, 9)
    entry["categories"] = [{"id": 0, "name": "crack"}, {"id": 1, "name": "crack"}]
    entry["annotations"][1]["segmentation"] = {"size": [9, 9], "counts": [20, 2, 59]}
    (tmp_path / "a.json").write_text(json.dumps(entry))
    (read,) = READERS["coco"](tmp_path / "a.json")
    assert {label: int(mask.sum()) for label, mask in read.layers.items()} == {"crack": 9, "2": 7}
    (only,) = READERS["coco"](tmp_path / "a.json", label="crack")
    assert list(only.layers) == ["crack"]
    assert only.mask.sum() == 9
    with pytest.raises(FormatError, match=r"no category 'hole'.*crack"):
        list(READERS["coco"](tmp_path / "a.json", label="hole"))
    del entry["categories"]
    (tmp_path / "a.json").write_text(json.dumps(entry))
    (bare,) = READERS["coco"](tmp_path / "a.json")
    assert list(bare.layers) == ["0", "1", "2"]


def test_masks_of_one_picture_are_joined_by_label() -> None:
    left, right = np.array([[1, 1, 0]], bool), np.array([[0, 1, 1]], bool)
    sizes = {"a.png": (1, 3), "b.png": (1, 3)}
    parts = [
        ReadMask("a", left, ("one note",), {"crack": left}),
        ReadMask("x/a.png", right, ("another",), {"break": right}),
        ReadMask("b", left, (), {"crack": left}),
    ]
    joined, other = matched(parts, sizes)
    assert (joined.name, joined.notes) == ("a.png", ("one note", "another"))
    assert joined.mask.all()
    assert {k: v.tolist() for k, v in joined.layers.items()} == {
        "crack": left.tolist(),
        "break": right.tolist(),
    }
    assert (other.name, list(other.layers)) == ("b.png", ["crack"])


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ({"crack": 1}, "two masks of a.png with the label 'crack'"),
        ({"break": 1, "crack": 1}, "two masks of a.png with the label 'crack'"),
        ({}, "two masks of a.png. Keep one"),
    ],
)
def test_a_second_mask_of_a_label_is_refused(layers: dict[str, int], says: str) -> None:
    ones = np.ones((1, 3), bool)
    first = ReadMask("a", ones, (), {"crack": ones})
    second = ReadMask("a.png", ones, (), dict.fromkeys(layers, ones))
    refused: list[str] = []
    found = list(
        matched([first, second], {"a.png": (1, 3)}, lambda n, e: refused.append(f"{n}: {e}"))
    )
    assert [list(m.layers) for m in found] == [["crack"]]
    assert len(refused) == 1
    assert says in refused[0]
    # Without somebody to tell, what was good before comes out, then the error.
    read = matched([first, second], {"a.png": (1, 3)})
    assert next(read).name == "a.png"
    with pytest.raises(FormatError, match="two masks"):
        next(read)


def test_a_mask_that_comes_back_later_is_refused() -> None:
    """Only masks that follow each other are joined: no more than two are held."""
    ones = np.ones((1, 1), bool)
    sizes = {"a.png": (1, 1), "b.png": (1, 1)}
    masks = [
        ReadMask(n, ones, (), {label: ones}) for n, label in (("a", "x"), ("b", "x"), ("a", "y"))
    ]
    refused: list[str] = []
    found = list(matched(masks, sizes, lambda name, _: refused.append(name)))
    assert [m.name for m in found] == ["a.png", "b.png"]
    assert refused == ["a"]
