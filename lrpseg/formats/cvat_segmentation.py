"""CVAT Segmentation mask 1.1 (Pascal VOC): a zip of palette PNGs.

https://docs.cvat.ai/docs/dataset_management/formats/format-smask/. `SegmentationClass` holds the
class by its colour in `labelmap.txt`, `SegmentationObject` the number of the object by its colour
in VOC's colour map. A pixel has one class: see `lrpseg.formats.overlaps.flatten`.
"""

import base64
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from lrpseg.core.files import atomically
from lrpseg.formats.base import Annotated, Content, ExportOptions, Format, Layer
from lrpseg.formats.errors import FormatError
from lrpseg.formats.indexed import (
    LABELMAP_FILE,
    check_colours,
    check_labelmap,
    class_png,
    indexed_png,
    labelmap,
)
from lrpseg.formats.overlaps import Flat, flatten
from lrpseg.formats.parts import Part, parts
from lrpseg.formats.stream import Record, Spool

_OBJECTS = 255
"""An 8-bit picture tells so many objects apart; the smallest ones beyond share the last number."""


class CvatSegmentation(Format):
    """`annotations.zip`, with `labelmap.txt`, `ImageSets`, and two PNGs for each picture."""

    name = "cvat-segmentation"
    title = "CVAT segmentation mask 1.1"
    description = "A zip for CVAT (Pascal VOC) with a class and an object picture for each mask."
    files = "annotations.zip"
    by_stem = True

    def check(self, options: ExportOptions) -> None:
        check_labelmap(options)
        check_colours(options)

    def _encode(
        self, picture: Annotated, layers: Sequence[Layer], options: ExportOptions
    ) -> Content:
        stem = picture.stem
        if stem != stem.strip() or stem.startswith("#"):
            raise FormatError(
                f"{picture.name}: default.txt cannot hold a name that begins with '#' or has "
                "spaces around it. Rename the picture."
            )
        flat = flatten(layers)
        objects = [
            (layer.index, part)
            for layer in flat.layers
            for part in parts(layer.mask, options.per_component)
        ]
        numbers = _object_numbers(flat, objects)
        entry = {
            "stem": stem,
            "class": _text(class_png(flat.numbers, options)),
            "object": _text(indexed_png(numbers, voc_colours().ravel().tolist())),
        }
        return Content(min(len(objects), _OBJECTS), entry, iou=flat.iou, overlaps=flat.overlaps)

    def _assemble(self, records: Iterator[Record], out: Path, options: ExportOptions) -> None:
        with Spool(out) as stems:

            def write(file: IO[bytes]) -> None:
                with zipfile.ZipFile(file, "w") as archive:
                    _add(archive, LABELMAP_FILE, labelmap(options).encode())
                    for record in records:
                        data = record["data"]
                        stems.add(data["stem"].encode())
                        for folder, kind in (("Class", "class"), ("Object", "object")):
                            path = f"Segmentation{folder}/{data['stem']}.png"
                            _add(archive, path, base64.b64decode(data[kind]))
                    with archive.open(_entry("ImageSets/Segmentation/default.txt"), "w") as listed:
                        for line in stems.lines():
                            listed.write(line + b"\n")

            atomically(out / "annotations.zip", write)


def _object_numbers(flat: Flat, objects: Sequence[tuple[int, Part]]) -> NDArray[np.uint8]:
    """(H, W) uint8: the number of each pixel's object, the largest first, 0 for none.

    objects: index of the class, and the object. Where there are too many, the smallest of each
    class share a number: readers take the class of any of an object's pixels for all.
    """
    shared = sorted({index for index, _ in objects}) if len(objects) > _OBJECTS else []
    alone = _OBJECTS - len(shared)
    # Stable: of equal areas that of the first class, and the one further up.
    order = sorted(objects, key=lambda entry: -entry[1].area)
    numbers = np.zeros(flat.numbers.shape, np.uint8)
    for place, (index, part) in enumerate(order):
        view = numbers[part.top : part.top + part.height, part.left : part.left + part.width]
        view[part.crop] = place + 1 if place < alone else alone + 1 + shared.index(index)
    return numbers


def voc_colours() -> NDArray[np.uint8]:
    """(256, 3) uint8: VOC's colour of each number, whose bits go to R, G and B in turn."""
    colours = np.zeros((256, 3), np.uint8)
    for number in range(256):
        for bit in range(8):
            colours[number, bit % 3] |= ((number >> bit) & 1) << (7 - bit // 3)
    return colours


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _entry(path: str) -> zipfile.ZipInfo:
    """A zip entry with a fixed date, so that equal exports are equal files."""
    entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o644 << 16
    entry.create_system = 3
    return entry


def _add(archive: zipfile.ZipFile, path: str, data: bytes) -> None:
    archive.writestr(_entry(path), data)  # stored as it is: PNGs are compressed already
