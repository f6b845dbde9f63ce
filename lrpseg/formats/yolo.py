"""YOLO segmentation: a text file of polygons for each picture, and `data.yaml`.

https://docs.ultralytics.com/datasets/segment/. A row is `class x1 y1 x2 y2 ...` with coordinates
divided by the picture's width and height.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lrpseg.formats.base import (
    Annotated,
    Content,
    ExportOptions,
    File,
    Format,
    Layer,
    picture_files,
)
from lrpseg.formats.names import folded
from lrpseg.formats.overlaps import kept
from lrpseg.formats.parts import Mask
from lrpseg.formats.polygons import fill_opencv, outlines
from lrpseg.formats.stream import Record
from lrpseg.masks.render import save_text

_INSIDE = 0.25
"""Corners lie this far (in pixels) right of and below a pixel's first coordinate: readers that
truncate and those that round then both find the pixel, also after single precision."""


class Yolo(Format):
    """`labels/STEM.txt`; an empty file says that the picture is intact."""

    name = "yolo"
    title = "YOLO segmentation"
    description = "Polygons in text files; holes are joined to the border by a seam."
    files = "labels/STEM.txt, data.yaml, images/STEM.png (copied pictures)"
    exact = False
    by_stem = True
    copies = True

    def _encode(
        self, picture: Annotated, layers: Sequence[Layer], options: ExportOptions
    ) -> Content:
        shape = (picture.mask.shape[0], picture.mask.shape[1])
        rows = [_rows(layer) for layer in layers]
        text = "".join(row + "\n" for own in rows for row in own)
        held = kept(
            (read_rows(own, shape), layer.mask) for own, layer in zip(rows, layers, strict=True)
        )
        files = (
            *picture_files(picture, f"images/{picture.stem}.png", options),
            File(label_path(picture.stem), text.encode()),
        )
        return Content(sum(map(len, rows)), files=files, iou=held)

    def _key(self, picture: Annotated) -> str:
        return folded(label_path(picture.stem))

    def _assemble(self, records: Iterator[Record], out: Path, options: ExportOptions) -> None:
        # JSON strings are YAML strings. An empty path stands for the folder of data.yaml.
        names = [entry.name for entry in options.labels]
        listed = json.dumps(names, ensure_ascii=False)
        text = f'path: ""\ntrain: images\nval: images\nnc: {len(names)}\nnames: {listed}\n'
        save_text(text, out / "data.yaml")


def label_path(stem: str) -> str:
    """Where Ultralytics looks for the labels of `images/STEM.png`: it replaces the last folder
    `images` of the path (`img2label_paths` in ultralytics/data/utils.py).

    >>> label_path("belt/a"), label_path("images/a"), label_path("belt/images/1/a")
    ('labels/belt/a.txt', 'images/labels/a.txt', 'images/belt/labels/1/a.txt')
    """
    before, _, after = f"/images/{stem}.txt".rpartition("/images/")
    return f"{before}/labels/{after}".lstrip("/")


def _rows(layer: Layer) -> list[str]:
    """A row for each polygon of a class."""
    height, width = layer.mask.shape
    scale = np.array([width, height], np.float64)
    rows = []
    for points in outlines(layer.mask):
        values = ((points + _INSIDE) / scale).ravel()
        rows.append(f"{layer.index} " + " ".join(f"{value:.7f}" for value in values))
    return rows


def read_rows(rows: Sequence[str], shape: tuple[int, int]) -> Mask:
    """(H, W) bool: what OpenCV fills for the rows of a label file, as supervision reads them."""
    scale = np.array([shape[1], shape[0]], np.float32)
    polygons = []
    for row in rows:
        values = np.array(row.split()[1:], np.float32).reshape(-1, 2)
        polygons.append(np.round(values * scale).astype(np.int32))
    return fill_opencv(polygons, shape)
