"""Masks from COCO JSON: run lengths, packed or not, and polygons, merged for each picture.

https://cocodataset.org/#format-data. Polygons are filled by pycocotools, as everybody does.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lrpseg.formats.errors import FormatError, needs
from lrpseg.formats.parts import Mask
from lrpseg.formats.reading.base import (
    MAX_BYTES,
    PLAIN,
    OnError,
    Reading,
    ReadMask,
    Size,
    coordinates,
    guarded,
    integer,
    load_json,
    objects,
    picture_size,
    said_of,
    text,
)
from lrpseg.formats.reading.kinds import BOXES
from lrpseg.formats.reading.layers import layers_of
from lrpseg.formats.rle import from_coco_counts, from_runs

_MAX_OUTLINE = 5_000_000
"""pycocotools takes about 40 bytes for each pixel of a polygon's outline, and asks nobody."""


def read_coco(
    path: Path,
    *,
    label: str | None = None,
    on_error: OnError | None = None,
    max_bytes: int = MAX_BYTES,
    options: Reading = PLAIN,
) -> Iterator[ReadMask]:
    """A mask for each picture of the file, in its order; an empty one where nothing is annotated.

    Its layers are the categories that the picture has annotations of. Annotations that cannot be
    are left out where others of the picture are good, as are boxes; notes say so.

    Args:
        label: the category that counts; without it, all of them, or those of `options`.
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
        read = partial(_picture, image_entry, mine, names, options)
        yield from guarded(shown, read, on_error)
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
    image: dict[str, Any],
    annotations: list[dict[str, Any]],
    names: dict[object, str],
    options: Reading,
) -> ReadMask:
    name = options.named(text(image.get("file_name"), "The file_name of a picture"))
    size = picture_size(image, "height", "width", name)
    options.expected(name, size)  # before memory is taken for a mask
    mask = np.zeros(size, bool)
    drawn: dict[str, list[dict[str, Any]]] = {}
    found = _Found()
    for annotation in annotations:
        number = annotation.get("category_id")
        label = names.get(number, "" if number is None else str(number)[:100])
        if not options.counts(label):
            found.others[label] = found.others.get(label, 0) + 1
        elif not annotation.get("segmentation"):
            found.boxes += 1
        elif (own := found.decoded(annotation, size, name)) is not None:
            mask |= own
            drawn.setdefault(label, []).append(annotation)
    if not drawn:
        found.refuse_nothing(name)
    layers = layers_of(mask, {k: partial(_merged, own, size, name) for k, own in drawn.items()})
    return ReadMask(name, mask, found.notes(), layers, annotated=bool(annotations))


@dataclass
class _Found:
    """What is left out of a picture's annotations. others: labels that do not count."""

    boxes: int = 0
    others: dict[str, int] = field(default_factory=dict)
    bad: list[FormatError] = field(default_factory=list)

    def decoded(self, annotation: dict[str, Any], size: Size, name: str) -> Mask | None:
        """(H, W) bool, or None where the annotation cannot be."""
        try:
            return _decoded(annotation, size, name, self.bad)
        except FormatError as error:
            self.bad.append(error)
            return None

    def refuse_nothing(self, name: str) -> None:
        """Raise where a picture has annotations, and none that gives a mask."""
        if self.bad:
            raise self.bad[0]
        if self.boxes:
            raise FormatError(
                f"{name} has {said_of(self.boxes, 'box')} and no mask. Draw masks, or export "
                "polygons.",
                BOXES,
            )

    def notes(self) -> tuple[str, ...]:
        """Sentences on what was left out."""
        told = []
        if self.boxes:
            told.append(f"{said_of(self.boxes, 'box')} without a mask left out.")
        if self.bad:
            count = said_of(len(self.bad), "damaged outline")
            told.append(f"{count} left out: {self.bad[0]}")
        told += [
            f"{said_of(count, 'annotation')} of the label {label!r} left out."
            for label, count in self.others.items()
        ]
        return tuple(told)


def _merged(annotations: list[dict[str, Any]], size: Size, name: str) -> Mask:
    """(H, W) bool: all of them together."""
    mask = np.zeros(size, bool)
    for annotation in annotations:
        mask |= _decoded(annotation, size, name, [])
    return mask


def _decoded(annotation: dict[str, Any], size: Size, name: str, bad: list[FormatError]) -> Mask:
    """(H, W) bool of one annotation; `bad` gets the errors of polygons beside good ones."""
    segmentation = annotation["segmentation"]
    what = f"{name}, annotation {str(annotation.get('id'))[:40]}"
    if isinstance(segmentation, dict):
        return _rle(segmentation, size, what)
    return _polygons(segmentation, size, what, bad)


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


def _polygons(segmentation: object, size: Size, what: str, bad: list[FormatError]) -> Mask:
    if not isinstance(segmentation, list):
        raise FormatError(f"{what}: the segmentation is neither run lengths nor polygons.")
    flat = []
    wrong: list[FormatError] = []
    for polygon in segmentation:
        try:
            flat.append(_corners(polygon, size, what))
        except FormatError as error:
            wrong.append(error)
    if not flat:
        raise wrong[0]
    bad += wrong
    masks = needs("pycocotools.mask", "coco", "Reading COCO polygons")
    runs = masks.frPyObjects(flat, *size)
    return np.asarray(masks.decode(masks.merge(runs)) > 0, bool)


def _corners(polygon: object, size: Size, what: str) -> list[float]:
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        raise FormatError(f"{what}: a polygon is no list of three or more pairs x, y.")
    values = coordinates(polygon, size, what)
    points = np.array(values).reshape(-1, 2)
    steps = np.abs(points - np.roll(points, 1, axis=0)).max(axis=1)
    if steps.sum() > _MAX_OUTLINE:
        raise FormatError(f"{what}: a polygon's outline is impossibly long.")
    return values
