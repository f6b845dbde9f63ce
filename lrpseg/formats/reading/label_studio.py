"""Masks from Label Studio's own export: brushes, polygons and ellipses of each task.

https://labelstud.io/guide/export, JSON and JSON-MIN. A brush's run lengths are those that
`lrpseg.formats.label_studio` writes, packed bit by bit; the alpha value is the mask.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

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
    load_any_json,
    objects,
    picture_size,
    said_of,
)
from lrpseg.formats.reading.kinds import BOXES
from lrpseg.formats.reading.layers import layers_of

PNG_NAME = re.compile(r"task-\d+-annotation-\d+-by-.+-\d+")
"""Names of the PNG files that it exports: they hold a task's number and no picture's name."""

_UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")
"""What an upload puts before a file's name."""

_PICTURES = ("image", "img", "picture", "photo", "url")


def is_label_studio(value: object) -> bool:
    """Whether a JSON value is a list of tasks (or one), with annotations or predictions."""
    tasks = value if isinstance(value, list) else [value]
    return bool(tasks) and all(isinstance(task, dict) and _is_task(task) for task in tasks[:20])


def _is_task(task: dict[str, Any]) -> bool:
    if isinstance(task.get("data"), dict):
        return "annotations" in task or "predictions" in task or "id" in task
    return "id" in task and ("annotation_id" in task or "annotator" in task)


def read_label_studio(
    path: Path, *, on_error: OnError | None = None, options: Reading = PLAIN
) -> Iterator[ReadMask]:
    """A mask for each task of the file, in its order; its layers are the labels.

    Of a task that several people annotated, the last annotation counts, and a note says so. Of a
    file that has predictions alone, such as our own, these count.

    Raises:
        FormatError: no export of Label Studio, or a task that cannot be.
    """
    value = load_any_json(path)
    if not is_label_studio(value):
        raise FormatError(f"{path} is no export of Label Studio. Export JSON there.")
    tasks = objects(value if isinstance(value, list) else [value], f"{path}: tasks")
    predicted = not any("annotations" in task or "data" not in task for task in tasks)
    for number, task in enumerate(tasks, start=1):
        shown = f"{path.name}, task {str(task.get('id', number))[:40]}"
        yield from guarded(shown, partial(_picture, task, predicted, shown, options), on_error)


def _picture(task: dict[str, Any], predicted: bool, shown: str, options: Reading) -> ReadMask:
    name = options.named(_name(task, shown))
    given, notes = _results(task, predicted, shown)
    results = [] if given is None else objects(given, f"{shown}: results")
    drawn = [r for r in results if _kind(r) in _DRAWN]
    size = picture_size(drawn[0], "original_height", "original_width", shown) if drawn else None
    size = options.expected(name, size)
    if size is None:
        raise FormatError(f"{shown} says nothing of {name}, not even its size. Annotate it first.")
    if given is None:
        return ReadMask(name, np.zeros(size, bool), annotated=False)
    named = {r.get("id"): r["value"]["labels"] for r in results if _kind(r) == "labels"}
    parts: dict[str, list[dict[str, Any]]] = {}
    others: dict[str, int] = {}
    for result in drawn:
        for label in _labels(result, named):
            if options.counts(label):
                parts.setdefault(label, []).append(result)
            else:
                others[label] = others.get(label, 0) + 1
    lost: dict[str, int] = {}
    for result in results:
        if _kind(result) in _FLAT:
            lost[_kind(result)] = lost.get(_kind(result), 0) + 1
    told = [said_of(count, _FLAT[kind]) for kind, count in lost.items()]
    if lost and not drawn:
        raise FormatError(f"{name} has {', '.join(told)} and nothing with an outline.", BOXES)
    notes += [f"{what} without a mask left out." for what in told]
    notes += [f"{said_of(n, 'region')} of the label {k!r} left out." for k, n in others.items()]
    mask, good, bad = np.zeros(size, bool), {}, []
    for label, own in parts.items():
        kept = []
        for result in own:
            try:
                mask |= _draw(result, size, shown)
                kept.append(result)
            except FormatError as error:
                bad.append(error)
        if kept:
            good[label] = kept
    if bad and not good:
        raise bad[0]
    if bad:
        notes.append(f"{said_of(len(bad), 'damaged region')} left out: {bad[0]}")
    make = {label: partial(_merged, own, size, shown) for label, own in good.items()}
    return ReadMask(name, mask, tuple(notes), layers_of(mask, make))


def _results(task: dict[str, Any], predicted: bool, shown: str) -> tuple[object, list[str]]:
    """The regions of a task, None where nobody has annotated it, and what is to be said of them."""
    if "data" not in task:  # JSON-MIN: each tag is a list of its values
        listed = [
            {**region, "type": kind, "value": region}
            for tag in task.values()
            if isinstance(tag, list)
            for region in tag
            if isinstance(region, dict) and (kind := _type_of(region))
        ]
        return listed, []
    field = "predictions" if predicted else "annotations"
    made = objects(task.get(field) or [], f"{shown}: {field}")
    made = [entry for entry in made if not entry.get("was_cancelled")]
    if not made:
        return None, []
    last = max(made, key=lambda entry: str(entry.get("updated_at") or ""))
    notes = [f"Of {len(made)} {field} the last one was taken."] if len(made) > 1 else []
    return last.get("result") or [], notes


def _type_of(region: dict[str, Any]) -> str:
    return next((key for key in (*_DRAWN, *_FLAT) if isinstance(region.get(key), list)), "")


def _kind(result: dict[str, Any]) -> str:
    return str(result.get("type") or "") if isinstance(result.get("value"), dict) else ""


def _labels(result: dict[str, Any], named: dict[Any, Any]) -> list[str]:
    value = result["value"]
    given = value.get(_kind(result)) or value.get("labels") or named.get(result.get("id")) or [""]
    return [str(label)[:100] for label in given] if isinstance(given, list) else [str(given)[:100]]


def _name(task: dict[str, Any], shown: str) -> str:
    """The name of a task's picture, by its address."""
    data = task["data"] if isinstance(task.get("data"), dict) else task
    if isinstance(data.get("name"), str) and data["name"]:  # our own exports have it
        return str(data["name"])
    texts = {key: value for key, value in data.items() if isinstance(value, str) and value}
    by_key = (v for k, v in texts.items() if any(word in k.lower() for word in _PICTURES))
    by_look = (v for v in texts.values() if re.search(r"\.\w{2,5}($|[?#])", v))
    address = next(by_key, None) or next(by_look, None)
    if address is None:
        raise FormatError(f"{shown} names no picture.")
    return name_of(address)


def name_of(address: str) -> str:
    """The name of a picture by its address in Label Studio.

    >>> name_of("/data/upload/1/1a2b3c4d-tile.png")
    'tile.png'
    >>> name_of("/data/local-files/?d=belt%203/tile.png"), name_of("s3://bucket/belt/tile.png")
    ('belt 3/tile.png', 'belt/tile.png')
    """
    parts = urlsplit(address)
    local = parse_qs(parts.query).get("d")
    if local:
        return local[0].replace("\\", "/").lstrip("/")
    path = unquote(parts.path).lstrip("/")
    folder, _, file = path.rpartition("/")
    if "upload" in folder.split("/"):
        return _UPLOADED.sub("", file, count=1)
    return path


def _merged(results: list[dict[str, Any]], size: Size, shown: str) -> Mask:
    return np.logical_or.reduce([_draw(result, size, shown) for result in results])


def _draw(result: dict[str, Any], size: Size, shown: str) -> Mask:
    """(H, W) bool of one region."""
    what = f"{shown}, region {str(result.get('id'))[:40]}"
    own = picture_size(result, "original_height", "original_width", what)
    if own != size:
        raise FormatError(f"{what} is for {own[1]}x{own[0]} pixels, not {size[1]}x{size[0]}.")
    if result.get("image_rotation"):
        raise FormatError(f"{what}: the picture was turned in Label Studio. Turn it back.")
    value = result["value"]
    kind = _kind(result).removesuffix("labels")
    if kind == "brush":
        return decoded(value.get("rle"), size, what)
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


_DRAWN = ("brushlabels", "brush", "polygonlabels", "polygon", "ellipselabels", "ellipse")
_FLAT = {
    "rectanglelabels": "box", "rectangle": "box", "keypointlabels": "point", "keypoint": "point",
    "vectorlabels": "line", "vector": "line",
}  # fmt: skip
