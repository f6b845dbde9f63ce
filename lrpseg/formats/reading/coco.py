"""Masks from COCO JSON: run lengths, packed or not, and polygons, merged for each picture.

https://cocodataset.org/#format-data. Polygons are filled by pycocotools, as everybody does.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lrpseg.formats.errors import FormatError, needs
from lrpseg.formats.parts import Mask
from lrpseg.formats.reading.base import (
    MAX_BYTES,
    OnError,
    ReadMask,
    coordinates,
    guarded,
    integer,
    load_json,
    objects,
    picture_size,
    text,
)
from lrpseg.formats.reading.layers import layers_of
from lrpseg.formats.rle import from_coco_counts, from_runs

_MAX_OUTLINE = 5_000_000
"""pycocotools takes about 40 bytes for each pixel of a polygon's outline, and asks nobody."""

Size = tuple[int, int]


def read_coco(
    path: Path,
    *,
    label: str | None = None,
    on_error: OnError | None = None,
    max_bytes: int = MAX_BYTES,
) -> Iterator[ReadMask]:
    """A mask for each picture of the file, in its order; an empty one where nothing is annotated.

    Its layers are the categories that the picture has annotations of.

    Args:
        label: the category that counts; without it, all of them.
        on_error: is told of pictures that cannot be read; without it, the first one ends the
            reading.

    Raises:
        FormatError: no COCO file, no such category, or annotations that cannot be.
        MissingExtraError: there are polygons and pycocotools is not installed.
    """
    entry = load_json(path, max_bytes)
    names = _categories(entry)
    wanted = _wanted(names, label)
    images = objects(entry.get("images"), f"{path}: images")
    grouped: dict[object, list[dict[str, Any]]] = {}
    for annotation in objects(entry.get("annotations"), f"{path}: annotations"):
        image, category = annotation.get("image_id"), annotation.get("category_id")
        if not isinstance(image, int | str) or not isinstance(category, int | str | None):
            raise FormatError(f"{path}: an annotation lacks image_id or category_id.")
        if wanted is None or category in wanted:
            grouped.setdefault(image, []).append(annotation)
    for image_entry in images:
        number, shown = image_entry.get("id"), str(image_entry.get("file_name"))[:200]
        mine = grouped.pop(number, []) if isinstance(number, int | str) else []
        yield from guarded(shown, lambda i=image_entry, a=mine: _picture(i, a, names), on_error)  # type: ignore[misc]
    if grouped:
        error = FormatError(
            f"{path}: there are annotations of {len(grouped)} pictures that the file does not "
            "list, or lists twice."
        )
        if on_error is None:
            raise error
        on_error(str(path), error)


def _categories(entry: dict[str, Any]) -> dict[object, str]:
    """Number to name of the categories that the file lists."""
    listed = entry.get("categories")
    if not isinstance(listed, list):  # not all tools write them, and one class needs none
        return {}
    return {
        number: str(category.get("name"))
        for category in objects(listed, "categories")
        if isinstance(number := category.get("id"), int | str)
    }


def _wanted(names: dict[object, str], label: str | None) -> set[object] | None:
    if label is None:
        return None
    found = {number for number, name in names.items() if name == label}
    if not found:
        raise FormatError(
            f"There is no category {label!r}. "
            f"Choose one of: {', '.join(sorted(set(names.values()))) or 'none'}."
        )
    return found


def _picture(
    image: dict[str, Any], annotations: list[dict[str, Any]], names: dict[object, str]
) -> ReadMask:
    name = text(image.get("file_name"), "The file_name of a picture")
    size = picture_size(image, "height", "width", name)
    drawn: dict[str, list[dict[str, Any]]] = {}
    boxes = 0
    for annotation in annotations:
        if annotation.get("segmentation"):
            number = annotation.get("category_id")
            label = names.get(number, "" if number is None else str(number)[:100])
            drawn.setdefault(label, []).append(annotation)
        else:
            boxes += 1
    mask = np.zeros(size, bool)
    for own in drawn.values():
        mask |= _merged(own, size, name)
    layers = layers_of(mask, {k: partial(_merged, own, size, name) for k, own in drawn.items()})
    notes = (f"{boxes} annotations have a box and no mask: they were left out.",) if boxes else ()
    return ReadMask(name, mask, notes, layers)


def _merged(annotations: list[dict[str, Any]], size: Size, name: str) -> Mask:
    """(H, W) bool: all of them together."""
    mask = np.zeros(size, bool)
    for annotation in annotations:
        segmentation = annotation["segmentation"]
        what = f"{name}, annotation {str(annotation.get('id'))[:40]}"
        read = _rle if isinstance(segmentation, dict) else _polygons
        mask |= read(segmentation, size, what)
    return mask


def _rle(segmentation: dict[str, Any], size: Size, what: str) -> Mask:
    if segmentation.get("size") != list(size):
        raise FormatError(
            f"{what}: its run lengths are for another size than the picture's "
            f"{size[1]}x{size[0]} pixels. Export it again."
        )
    counts = segmentation.get("counts")
    try:
        if isinstance(counts, str):
            return from_coco_counts(counts, *size)
        if not isinstance(counts, list):
            raise FormatError("There are no run lengths.")
        pixels = size[0] * size[1]
        lengths = [integer(count, 0, pixels, "A run length") for count in counts]
        return from_runs(np.array(lengths, np.int64), pixels).reshape(size, order="F")
    except FormatError as error:
        raise FormatError(f"{what}: {error}") from error


def _polygons(segmentation: object, size: Size, what: str) -> Mask:
    if not isinstance(segmentation, list):
        raise FormatError(f"{what}: the segmentation is neither run lengths nor polygons.")
    flat = []
    for polygon in segmentation:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise FormatError(f"{what}: a polygon is no list of three or more pairs x, y.")
        values = coordinates(polygon, size, what)
        points = np.array(values).reshape(-1, 2)
        steps = np.abs(points - np.roll(points, 1, axis=0)).max(axis=1)
        if steps.sum() > _MAX_OUTLINE:
            raise FormatError(f"{what}: a polygon's outline is impossibly long.")
        flat.append(values)
    masks = needs("pycocotools.mask", "coco", "Reading COCO polygons")
    runs = masks.frPyObjects(flat, *size)
    return np.asarray(masks.decode(masks.merge(runs)) > 0, bool)
