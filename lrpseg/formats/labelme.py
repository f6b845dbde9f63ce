"""labelme and X-AnyLabeling: a JSON file beside each picture.

The format is what labelme reads and writes itself, see `labelme/_label_file.py` in
https://github.com/wkentaro/labelme; X-AnyLabeling extends it, see
https://github.com/CVHub520/X-AnyLabeling/blob/main/docs/en/user_guide.md. It is written by hand:
labelme is under the GPL, the files are not.
"""

import base64
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from lrpseg.formats.base import (
    Annotated,
    Content,
    ExportOptions,
    File,
    Format,
    Layer,
    picture_files,
    png,
)
from lrpseg.formats.overlaps import kept
from lrpseg.formats.parts import Mask, Part, parts
from lrpseg.formats.polygons import Points, fill_opencv, fill_pillow, outlines
from lrpseg.formats.stream import json_bytes

_VERSION = "6.3.1"
"""Version of labelme against which the files are tested; it shows in its messages only."""

_X_VERSION = "3.0.0"


class LabelmeMask(Format):
    """Shapes of the type `mask`: a PNG of the bounding box, as labelme writes from 5.3 on."""

    name = "labelme"
    title = "labelme, masks"
    description = "A JSON file per picture with mask shapes, exact to the pixel."
    files = "STEM.json, STEM.png (copied pictures)"
    by_stem = True
    copies = True

    def _encode(
        self, picture: Annotated, layers: Sequence[Layer], options: ExportOptions
    ) -> Content:
        shapes = [
            _mask_shape(part, layer.label)
            for layer in layers
            for part in parts(layer.mask, options.per_component)
        ]
        return _content(picture, options, shapes, _VERSION)


class LabelmePolygon(Format):
    """Shapes of the type `polygon`, which all versions edit point by point."""

    name = "labelme-polygon"
    title = "labelme, polygons"
    description = "A JSON file per picture with polygons; holes are joined to the border by a seam."
    files = "STEM.json, STEM.png (copied pictures)"
    exact = False
    by_stem = True
    copies = True

    def _encode(
        self, picture: Annotated, layers: Sequence[Layer], options: ExportOptions
    ) -> Content:
        shapes, held = _polygons(layers, options, fill_pillow)
        return _content(picture, options, shapes, _VERSION, held)


class XAnyLabeling(Format):
    """labelme's polygons with a score for each."""

    name = "x-anylabeling"
    title = "X-AnyLabeling"
    description = "A JSON file per picture with polygons and scores."
    files = "STEM.json, STEM.png (copied pictures)"
    exact = False
    by_stem = True
    copies = True

    def _encode(
        self, picture: Annotated, layers: Sequence[Layer], options: ExportOptions
    ) -> Content:
        shapes, held = _polygons(layers, options, fill_opencv)
        more = {"difficult": False, "attributes": {}, "kie_linking": []}
        scored = [{**shape, "score": picture.probability, **more} for shape in shapes]
        return _content(picture, options, scored, _X_VERSION, held)


def _content(
    picture: Annotated,
    options: ExportOptions,
    shapes: list[dict[str, Any]],
    version: str,
    held: float = 1.0,
) -> Content:
    copied = picture_files(picture, f"{picture.stem}.png", options)
    # The path is relative to the JSON file, which lies beside the picture.
    image = f"{picture.stem}.png" if copied else picture.name
    entry: dict[str, Any] = {
        "version": version,
        "flags": {},
        "shapes": shapes,
        "imagePath": PurePosixPath(image).name,
        "imageData": None,
        "imageHeight": int(picture.mask.shape[0]),
        "imageWidth": int(picture.mask.shape[1]),
    }
    data = json_bytes(entry) + b"\n"
    return Content(len(shapes), files=(*copied, File(f"{picture.stem}.json", data)), iou=held)


def _polygons(
    layers: Sequence[Layer],
    options: ExportOptions,
    fill: Callable[[Sequence[Points], tuple[int, int]], Mask],
) -> tuple[list[dict[str, Any]], float]:
    """The shapes of all classes, and the IoU that they keep where `fill` fills them."""
    shapes, pairs = [], []
    for layer in layers:
        polygons = outlines(layer.mask)
        # The group says that several polygons are one object.
        group = layer.index + 1 if len(polygons) > 1 and not options.per_component else None
        shapes += [_polygon(points, layer.label, group) for points in polygons]
        height, width = layer.mask.shape
        pairs.append((fill(polygons, (height, width)), layer.mask))
    return shapes, kept(pairs)


def _mask_shape(part: Part, label: str) -> dict[str, Any]:
    image = Image.fromarray(part.crop.astype(np.uint8))
    # Both corners belong to the box.
    right, bottom = part.left + part.width - 1, part.top + part.height - 1
    return {
        "label": label,
        "points": [[part.left, part.top], [right, bottom]],
        "group_id": None,
        "description": "",
        "shape_type": "mask",
        "flags": {},
        "mask": base64.b64encode(png(image)).decode("ascii"),
    }


def _polygon(points: Points, label: str, group: int | None) -> dict[str, Any]:
    return {
        "label": label,
        "points": [[float(x), float(y)] for x, y in points],
        "group_id": group,
        "description": "",
        "shape_type": "polygon",
        "flags": {},
        "mask": None,
    }
