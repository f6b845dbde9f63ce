"""Masks from Label Studio's own export: brushes, bitmasks, polygons and ellipses of each task.

https://labelstud.io/guide/export, JSON and JSON-MIN.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from lrpseg.formats.errors import FormatError
from lrpseg.formats.parts import Mask
from lrpseg.formats.reading.base import (
    PLAIN,
    OnError,
    Reading,
    ReadMask,
    Size,
    guarded,
    load_any_json,
    objects,
    picture_size,
    said_of,
)
from lrpseg.formats.reading.kinds import BOXES
from lrpseg.formats.reading.layers import layers_of
from lrpseg.formats.reading.regions import DRAWN, draw, kind_of

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
    drawn = [r for r in results if kind_of(r) in DRAWN]
    size = picture_size(drawn[0], "original_height", "original_width", shown) if drawn else None
    size = options.expected(name, size)
    if size is None:
        raise FormatError(f"{shown} says nothing of {name}, not even its size. Annotate it first.")
    if given is None:
        return ReadMask(name, np.zeros(size, bool), annotated=False)
    named = {str(r.get("id")): r["value"].get("labels") for r in results if kind_of(r) == "labels"}
    parts: dict[str, list[dict[str, Any]]] = {}
    others: dict[str, int] = {}
    for result in drawn:
        for label in _labels(result, named):
            if options.counts(label):
                parts.setdefault(label, []).append(result)
            else:
                others[label] = others.get(label, 0) + 1
    flat = [_FLAT[kind_of(r)] for r in results if kind_of(r) in _FLAT]
    strange = [kind_of(r) for r in results if kind_of(r) not in (*DRAWN, *_FLAT, *_ANSWERS)]
    lost = Counter([*flat, *(f"region of the type {kind[:40] or 'none'}" for kind in strange)])
    told = [said_of(count, what) for what, count in lost.items()]
    if lost and not drawn:
        raise FormatError(f"{name} has {', '.join(told)} and nothing with an outline.", BOXES)
    notes += [f"{what} without a mask left out." for what in told]
    notes += [f"{said_of(n, 'region')} of the label {k!r} left out." for k, n in others.items()]
    mask, good, bad = np.zeros(size, bool), {}, []
    for label, own in parts.items():
        kept = []
        for result in own:
            try:
                mask |= draw(result, size, shown)
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
    return next((key for key in (*DRAWN, *_FLAT) if isinstance(region.get(key), list)), "")


def _labels(result: dict[str, Any], named: dict[Any, Any]) -> list[str]:
    value = result["value"]
    given = (
        value.get(kind_of(result))
        or value.get("labels")
        or named.get(str(result.get("id")))
        or [""]
    )
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
    return np.logical_or.reduce([draw(result, size, shown) for result in results])


_ANSWERS = (
    "labels", "choices", "textarea", "rating", "taxonomy", "number", "datetime", "pairwise",
    "relation", "ranker", "custominterface",
)  # fmt: skip
"""What says something of a picture, or of a region, and has no place in it."""

_FLAT = {
    "rectanglelabels": "box", "rectangle": "box", "keypointlabels": "point", "keypoint": "point",
    "vectorlabels": "line", "vector": "line",
}  # fmt: skip
