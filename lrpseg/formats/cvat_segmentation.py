"""CVAT Segmentation mask 1.1 (Pascal VOC): a zip of palette PNGs.

https://docs.cvat.ai/docs/dataset_management/formats/format-smask/. `SegmentationClass` holds the
class by its colour in `labelmap.txt`, `SegmentationObject` the number of the object by its colour
in VOC's colour map.
"""

import base64
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lrpseg.core.errors import OptionError
from lrpseg.core.files import atomically
from lrpseg.formats.base import Annotated, Content, ExportOptions, Format, png
from lrpseg.formats.errors import FormatError
from lrpseg.formats.parts import Mask, components, parts
from lrpseg.formats.stream import Record, Spool
from lrpseg.masks.render import MASK_COLOUR

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
        if ":" in options.label or options.label.startswith("#") or options.label == "background":
            raise OptionError(
                f"The class name {options.label!r} cannot stand in labelmap.txt: it must hold no "
                "':', not begin with '#' and not be 'background'. Choose another label."
            )

    def _encode(self, picture: Annotated, mask: Mask, options: ExportOptions) -> Content:
        stem = picture.stem
        if stem != stem.strip() or stem.startswith("#"):
            raise FormatError(
                f"{picture.name}: default.txt cannot hold a name that begins with '#' or has "
                "spaces around it. Rename the picture."
            )
        found = parts(mask, options.per_component)
        entry = {
            "stem": stem,
            "class": _text(_class_png(mask)),
            "object": _text(_object_png(mask, options)),
        }
        return Content(min(len(found), _OBJECTS), entry)

    def _assemble(self, records: Iterator[Record], out: Path, options: ExportOptions) -> None:
        with Spool(out) as stems:

            def write(file: IO[bytes]) -> None:
                with zipfile.ZipFile(file, "w") as archive:
                    colour = ",".join(map(str, MASK_COLOUR))
                    _add(
                        archive,
                        "labelmap.txt",
                        "# label:color_rgb:parts:actions\nbackground:0,0,0::\n"
                        f"{options.label}:{colour}::\n".encode(),
                    )
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


def _class_png(mask: Mask) -> bytes:
    image = Image.fromarray(mask.astype(np.uint8))
    image.putpalette([0, 0, 0, *MASK_COLOUR])
    return png(image, bits=8)


def _object_png(mask: Mask, options: ExportOptions) -> bytes:
    numbers = mask.astype(np.uint8)
    if options.per_component:
        found = components(mask)
        # Stable: of equal areas the one further up first.
        order = sorted(range(len(found)), key=lambda i: -found[i].area)
        kept = {index: place + 1 for place, index in enumerate(order[:_OBJECTS])}
        for index, part in enumerate(found):
            view = numbers[part.top : part.top + part.height, part.left : part.left + part.width]
            view[part.crop] = kept.get(index, _OBJECTS)
    image = Image.fromarray(numbers)
    image.putpalette(voc_colours().ravel().tolist())
    return png(image, bits=8)


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
