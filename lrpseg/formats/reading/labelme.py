"""Masks from labelme and X-AnyLabeling: JSON files beside pictures.

Shapes are filled with Pillow as in labelme's own `shape_to_mask`, see
https://github.com/wkentaro/labelme/blob/main/labelme/utils/shape.py.
"""

import base64
import binascii
import posixpath
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from lrpseg.core.opening import open_image
from lrpseg.formats.errors import FormatError
from lrpseg.formats.parts import Mask
from lrpseg.formats.reading.base import (
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

_MAX_BYTES = 200_000_000
"""One picture with its pixels inside has less."""

_MAX_ROWS = 50_000_000
"""Rows that a polygon's edges may cross, all together: filling takes some seconds for as many."""

_POLYGONS = ("polygon", "oriented_rectangle", "rotation")
_LINES = ("line", "linestrip")

Points = list[tuple[float, float]]


def read_labelme(
    source: Path,
    *,
    label: str | None = None,
    line_width: int | None = None,
    on_error: OnError | None = None,
    options: Reading = PLAIN,
    root: Path | None = None,
) -> Iterator[ReadMask]:
    """A mask for each JSON file: `source` itself, or those below the folder `source`.

    The mask is named by the path of its picture below `source`, or below `root`; its layers are the
    labels that the picture has shapes of. Shapes that cannot be are left out where others are good,
    as is what has no area; notes say so.

    Args:
        label: the label that counts; without it, all of them.
        line_width: how wide lines are drawn, in pixels (labelme itself takes 10); without it they
            are left out, and a note says so.
        on_error: is told of files that cannot be read; without it, the first one ends the reading.

    Raises:
        FormatError: there is no JSON file, or one that is not labelme's or cannot be.
    """
    if source.is_dir():
        root = root or source
        files = sorted(p for p in source.rglob("*.json") if p.is_file())
        if not files:
            raise FormatError(f"{source} holds no JSON files of labelme.")
    else:
        root, files = root or source.parent, [source]
    for path in files:
        folder = path.parent.relative_to(root).as_posix()
        yield from guarded(
            path.relative_to(root).as_posix(),
            partial(_picture, path, folder, label, line_width, options),
            on_error,
        )


def _picture(
    path: Path, folder: str, label: str | None, line_width: int | None, options: Reading
) -> ReadMask:
    entry = load_json(path, _MAX_BYTES)
    shapes = objects(entry.get("shapes"), f"{path}: shapes")
    size = picture_size(entry, "imageHeight", "imageWidth", str(path))
    name = options.named(_name(text(entry.get("imagePath"), f"{path}: imagePath"), folder))
    options.expected(name, size)  # before memory is taken for a mask
    mask = np.zeros(size, bool)
    left_out: dict[str, int] = {}
    others: dict[str, int] = {}
    bad: list[FormatError] = []
    drawn: dict[str, list[Callable[[], Mask | None]]] = {}
    for number, shape in enumerate(shapes, start=1):
        own = str(shape.get("label") or "")[:100]
        if label is not None and shape.get("label") != label:
            continue
        if not options.counts(own):
            others[own] = others.get(own, 0) + 1
            continue
        kind = str(shape.get("shape_type") or "polygon")[:40]
        draw = partial(_draw, shape, kind, size, line_width, f"{path}, shape {number}")
        try:
            found = draw()
        except FormatError as error:
            bad.append(error)
            continue
        if found is None:
            left_out[kind] = left_out.get(kind, 0) + 1
        else:
            mask |= found
            drawn.setdefault(own, []).append(draw)
    if bad and not drawn:
        raise bad[0]
    if left_out and not drawn:
        told = ", ".join(said_of(count, kind) for kind, count in left_out.items())
        raise FormatError(f"{name} has {told} and nothing with an area. Draw areas.", BOXES)
    notes = [_note(kind, count) for kind, count in left_out.items()]
    if bad:
        notes.append(f"{said_of(len(bad), 'damaged shape')} left out: {bad[0]}")
    notes += [f"{said_of(n, 'shape')} of the label {k!r} left out." for k, n in others.items()]
    layers = layers_of(mask, {k: partial(_merged, own, size) for k, own in drawn.items()})
    return ReadMask(name, mask, tuple(notes), layers)


def _merged(drawn: list[Callable[[], Mask | None]], size: Size) -> Mask:
    """(H, W) bool: all shapes of a label together."""
    mask = np.zeros(size, bool)
    for draw in drawn:
        found = draw()
        if found is not None:
            mask |= found
    return mask


def _note(kind: str, count: int) -> str:
    advice = "; give a line width to draw them" if kind in _LINES else ""
    return f"{count} shapes of the type {kind} have no area and were left out{advice}."


def _name(image_path: str, folder: str) -> str:
    """The picture's path below the root; labelme's path is relative to the JSON file."""
    plain = image_path.replace("\\", "/")
    joined = posixpath.normpath(posixpath.join(folder, plain))
    if joined.startswith(("/", "../")) or ":" in joined.split("/")[0]:
        # It lies somewhere else: what remains is its name, where the JSON file is.
        joined = posixpath.normpath(posixpath.join(folder, PurePosixPath(plain).name))
    return joined


def _draw(
    shape: dict[str, Any], kind: str, size: Size, line_width: int | None, what: str
) -> Mask | None:
    """(H, W) bool, or None for a shape without area."""
    points = _points(shape, size, what)
    if kind == "mask":
        return _mask(shape, points, size, what)
    if kind in _POLYGONS or (kind == "rectangle" and len(points) == 4):
        if len(points) < 3:
            raise FormatError(f"{what}: a polygon of {len(points)} points. Draw it again.")
        return _polygon(points, size, what)
    canvas = Image.new("L", (size[1], size[0]))
    draw = ImageDraw.Draw(canvas)
    if kind in ("rectangle", "circle") and len(points) != 2:
        raise FormatError(f"{what}: a {kind} has two points, not {len(points)}. Draw it again.")
    if kind == "rectangle":
        (x0, y0), (x1, y1) = points
        draw.rectangle((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), outline=1, fill=1)
    elif kind == "circle":
        (x, y), (x1, y1) = points
        radius = ((x - x1) ** 2 + (y - y1) ** 2) ** 0.5
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=1, fill=1)
    elif kind in _LINES and line_width is not None and len(points) > 1:
        draw.line(points, fill=1, width=line_width)
    else:
        return None
    return np.asarray(canvas) > 0


def _polygon(points: Points, size: Size, what: str) -> Mask:
    y = np.array([point[1] for point in points])
    if np.abs(y - np.roll(y, 1)).sum() > _MAX_ROWS:
        raise FormatError(f"{what}: the polygon's outline is impossibly long. Draw it again.")
    image = Image.new("L", (size[1], size[0]))
    ImageDraw.Draw(image).polygon(points, outline=1, fill=1)
    return np.asarray(image) > 0


def _points(shape: dict[str, Any], size: Size, what: str) -> Points:
    listed = shape.get("points")
    if not isinstance(listed, list) or not all(isinstance(p, list) and len(p) == 2 for p in listed):
        raise FormatError(f"{what}: its points are no list of pairs x, y.")
    flat = coordinates((value for point in listed for value in point), size, what)
    return list(zip(flat[::2], flat[1::2], strict=True))


def _mask(shape: dict[str, Any], points: Points, size: Size, what: str) -> Mask:
    if len(points) != 2 or not isinstance(shape.get("mask"), str):
        raise FormatError(f"{what}: a mask needs two corners and a PNG. Draw it again.")
    # labelme truncates the corners, which both belong to the box.
    (x0, y0), (x1, y1) = ((int(x), int(y)) for x, y in points)
    left = integer(x0, 0, size[1] - 1, f"{what}: the left edge")
    top = integer(y0, 0, size[0] - 1, f"{what}: the upper edge")
    right = integer(x1, left, size[1] - 1, f"{what}: the right edge")
    bottom = integer(y1, top, size[0] - 1, f"{what}: the lower edge")
    try:
        data = base64.b64decode(shape["mask"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise FormatError(f"{what}: its mask is no base64 text. Draw it again.") from error
    mask = np.zeros(size, bool)
    mask[top : bottom + 1, left : right + 1] = _crop(
        data, (bottom - top + 1, right - left + 1), what
    )
    return mask


def _crop(data: bytes, size: Size, what: str) -> Mask:
    """The mask of a box; any value but 0 belongs to it, as in labelme."""
    try:
        with open_image(data) as image:
            # Checked before the pixels are unpacked.
            if image.size != (size[1], size[0]):
                raise FormatError(
                    f"{what}: the mask has {image.width}x{image.height} pixels and its box "
                    f"{size[1]}x{size[0]}. Draw it again."
                )
            values = np.asarray(image)
    except FormatError:
        raise
    except Exception as error:  # Pillow's plug-ins raise whatever a damaged file makes of them
        raise FormatError(f"{what}: its mask is no PNG or a damaged one. Draw it again.") from error
    if values.ndim != 2:
        raise FormatError(f"{what}: its mask is coloured. Draw it again.")
    return np.asarray(values != 0)
