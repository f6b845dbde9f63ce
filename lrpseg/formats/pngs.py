"""Masks as PNG files, paired by stem: `belt 3/tile.png` of the same path."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lrpseg.formats.base import (
    Annotated,
    Content,
    ExportOptions,
    File,
    Format,
    Layer,
    png,
)
from lrpseg.formats.indexed import LABELMAP_FILE, check_labelmap, class_png, labelmap
from lrpseg.formats.options import check_folders
from lrpseg.formats.overlaps import flatten
from lrpseg.formats.stream import Record
from lrpseg.masks.render import mask_image, save_text

CLASSES_FILE = "classes.txt"
"""Says which folders of an export are classes: a name a line, in their order."""


class Png(Format):
    """8-bit grey, 0 and 255, of the upright picture's size; of several classes a file each, in a
    folder of the class's name, so that overlaps are kept."""

    name = "png"
    title = "PNG masks"
    description = "A black and white PNG per picture: damage is 255, the rest 0."
    files = "STEM.png; of several classes CLASS/STEM.png, classes.txt"
    by_stem = True

    def check(self, options: ExportOptions) -> None:
        if len(options.labels) > 1:
            check_folders(options)

    def _encode(
        self, picture: Annotated, layers: Sequence[Layer], options: ExportOptions
    ) -> Content:
        files = tuple(
            File(
                f"{layer.label}/{picture.stem}.png" if len(layers) > 1 else f"{picture.stem}.png",
                png(mask_image(layer.mask)),
            )
            for layer in layers
        )
        return Content(sum(bool(layer.mask.any()) for layer in layers), files=files)

    def _assemble(self, records: Iterator[Record], out: Path, options: ExportOptions) -> None:
        if len(options.labels) > 1:
            save_text("".join(f"{c.name}\n" for c in options.labels), out / CLASSES_FILE)


class IndexedPng(Format):
    """8-bit palette, class index 0 (black) and 1, 2, ... (coloured), as for training with class
    indices. A pixel has one class: see `lrpseg.formats.overlaps.flatten`."""

    name = "png-indexed"
    title = "PNG masks, class indices"
    description = "A palette PNG per picture: the pixel's value is its class, damage is 1."
    files = "STEM.png; of several classes also labelmap.txt"
    by_stem = True

    def check(self, options: ExportOptions) -> None:
        if len(options.labels) > 1:
            check_labelmap(options)

    def _encode(
        self, picture: Annotated, layers: Sequence[Layer], options: ExportOptions
    ) -> Content:
        flat = flatten(layers)
        file = File(f"{picture.stem}.png", class_png(flat.numbers, options))
        damaged = sum(bool(layer.mask.any()) for layer in flat.layers)
        return Content(damaged, files=(file,), iou=flat.iou, overlaps=flat.overlaps)

    def _assemble(self, records: Iterator[Record], out: Path, options: ExportOptions) -> None:
        if len(options.labels) > 1:
            save_text(labelmap(options), out / LABELMAP_FILE)
