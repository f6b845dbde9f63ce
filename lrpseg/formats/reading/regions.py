"""Regions of Label Studio as masks: brushes, bitmasks, polygons and ellipses.

Polygons and ellipses are in per cent of the picture's sides. A brush's run lengths are those that
`lrpseg.formats.label_studio` writes, packed bit by bit; the alpha value is the mask.
"""

import base64
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lrpseg.core.errors import ImageError
from lrpseg.formats.errors import FormatError
from lrpseg.formats.parts import Mask
from lrpseg.formats.reading.base import Size, coordinates, picture_size
from lrpseg.masks.reading import read_mask

DRAWN = (
    "brushlabels", "brush", "bitmasklabels", "bitmask", "polygonlabels", "polygon", "ellipselabels",
    "ellipse",
)  # fmt: skip
"""Types of regions with an area."""


def kind_of(result: dict[str, Any]) -> str:
    """A region's type; "" where it has no value."""
    return str(result.get("type") or "") if isinstance(result.get("value"), dict) else ""


def draw(result: dict[str, Any], size: Size, shown: str) -> Mask:
    """(H, W) bool of one region of a type in `DRAWN`; raises `FormatError` where it cannot be."""
    what = f"{shown}, region {str(result.get('id'))[:40]}"
    own = picture_size(result, "original_height", "original_width", what)
    if own != size:
        raise FormatError(f"{what} is for {own[1]}x{own[0]} pixels, not {size[1]}x{size[0]}.")
    if result.get("image_rotation"):
        raise FormatError(f"{what}: the picture was turned in Label Studio. Turn it back.")
    value = result["value"]
    kind = kind_of(result).removesuffix("labels")
    if kind == "brush":
        return decoded(value.get("rle"), size, what)
    if kind == "bitmask":
        return _bitmask(value.get("imageDataURL"), size, what)
    height, width = size
    canvas = Image.new("L", (width, height))
    if kind == "polygon":
        listed = value.get("points")
        if not isinstance(listed, list) or len(listed) < 3:
            raise FormatError(f"{what}: a polygon needs three points.")
        if not all(isinstance(point, list) and len(point) == 2 for point in listed):
            raise FormatError(f"{what}: its points are no list of pairs x, y.")
        flat = coordinates((c for point in listed for c in point), (100, 100), what)
        points = [(x * width / 100, y * height / 100) for x, y in _pairs(flat)]
        ImageDraw.Draw(canvas).polygon(points, outline=1, fill=1)
        return np.asarray(canvas) > 0
    names = ("x", "y", "radiusX", "radiusY", "rotation")
    x, y, rx, ry, turned = coordinates((value.get(n) or 0 for n in names), (400, 400), what)
    painted = np.zeros(size, np.uint8)
    centre = (round(x * width / 100), round(y * height / 100))
    axes = (round(abs(rx) * width / 100), round(abs(ry) * height / 100))
    cv2.ellipse(painted, centre, axes, turned, 0, 360, (1,), cv2.FILLED)
    return painted > 0


def _bitmask(address: object, size: Size, what: str) -> Mask:
    """A PNG as a data URL, as the tag BitmaskLabels has it."""
    head, _, packed = str(address or "").partition(",")
    try:
        if not head.endswith(";base64"):
            raise FormatError(f"{what}: its mask is no PNG in base64. Draw it again.")
        return read_mask(base64.b64decode(packed, validate=True), size)
    except (ValueError, ImageError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{what}: {error}") from error


def _pairs(flat: list[float]) -> Iterator[tuple[float, float]]:
    return zip(flat[::2], flat[1::2], strict=True)


def decoded(rle: object, size: Size, what: str) -> Mask:
    """(H, W) bool of a brush's packed run lengths, a list of bytes.

    Raises `FormatError` for what is damaged, or is for another size.
    """
    if not isinstance(rle, list) or not all(
        isinstance(byte, int) and 0 <= byte <= 255 for byte in rle
    ):
        raise FormatError(f"{what}: its run lengths are no list of bytes.")
    bits = np.unpackbits(np.array(rle, np.uint8))
    text = (bits + ord("0")).astype(np.uint8).tobytes().decode("ascii")
    try:
        count, width = int(text[:32], 2), int(text[32:37], 2) + 1
        if count != 4 * size[0] * size[1]:
            raise FormatError(f"{what}: its run lengths are for another size. Export it again.")
        kinds = [int(text[at : at + 4], 2) + 1 for at in range(37, 53, 4)]
        values = np.zeros(count, np.uint16)
        place, done = 53, 0
        while done < count:
            run, length = text[place] == "1", kinds[int(text[place + 1 : place + 3], 2)]
            place += 3
            end = done + int(text[place : place + length], 2) + 1
            place += length
            if end > count:
                raise FormatError(f"{what}: its run lengths are damaged. Export it again.")
            step = width if run else width * (end - done)
            values[done:end] = _words(bits[place : place + step], width)
            place, done = place + step, end
    except (ValueError, IndexError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{what}: its run lengths are damaged. Export it again.") from error
    return np.asarray(values.reshape(*size, 4)[..., 3] > 0)


def _words(bits: NDArray[np.uint8], width: int) -> NDArray[np.int64]:
    if not bits.size:
        raise IndexError
    return bits.reshape(-1, width).astype(np.int64) @ (1 << np.arange(width - 1, -1, -1))
