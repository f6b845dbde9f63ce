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
    picture_files,
)
from lrpseg.formats.parts import Mask
from lrpseg.formats.polygons import fill_opencv, iou, outlines
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

    def _encode(self, picture: Annotated, mask: Mask, options: ExportOptions) -> Content:
        height, width = mask.shape
        scale = np.array([width, height], np.float64)
        rows = []
        for points in outlines(mask):
            values = ((points + _INSIDE) / scale).ravel()
            rows.append("0 " + " ".join(f"{value:.7f}" for value in values))
        text = "".join(row + "\n" for row in rows)
        kept = iou(read_rows(rows, (height, width)), mask)
        files = (
            *picture_files(picture, f"images/{picture.stem}.png", options),
            File(f"labels/{picture.stem}.txt", text.encode()),
        )
        return Content(len(rows), files=files, iou=kept)

    def _assemble(self, records: Iterator[Record], out: Path, options: ExportOptions) -> None:
        # JSON strings are YAML strings. An empty path stands for the folder of data.yaml.
        name = json.dumps(options.label, ensure_ascii=False)
        text = f'path: ""\ntrain: images\nval: images\nnc: 1\nnames: [{name}]\n'
        save_text(text, out / "data.yaml")


def read_rows(rows: Sequence[str], shape: tuple[int, int]) -> Mask:
    """(H, W) bool: what OpenCV fills for the rows of a label file, as supervision reads them."""
    scale = np.array([shape[1], shape[0]], np.float32)
    polygons = []
    for row in rows:
        values = np.array(row.split()[1:], np.float32).reshape(-1, 2)
        polygons.append(np.round(values * scale).astype(np.int32))
    return fill_opencv(polygons, shape)
