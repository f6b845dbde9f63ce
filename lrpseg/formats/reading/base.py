"""What all readers share: a mask with the name of its picture, checks, and the match to pictures.

Files come from other people: whatever they hold is checked before memory is taken for it.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from lrpseg.core.images import MAX_PIXELS
from lrpseg.formats.errors import FormatError
from lrpseg.formats.names import folded
from lrpseg.formats.parts import Mask

MAX_BYTES = 1_000_000_000
"""Larger JSON files are refused: they are held in memory as a whole."""

OnError = Callable[[str, FormatError], None]
"""Is told of each file or picture that cannot be read, by its name; reading then goes on."""


@dataclass(frozen=True, eq=False)
class ReadMask:
    """A mask that another tool wrote. name: of the picture, as the tool has it (relative POSIX
    path; from PNG files without suffix). mask: (H, W) bool. notes: sentences on what was left
    out."""

    name: str
    mask: Mask
    notes: tuple[str, ...] = ()


def matched(
    masks: Iterable[ReadMask],
    pictures: Mapping[str, tuple[int, int]],
    on_error: OnError | None = None,
) -> Iterator[ReadMask]:
    """The masks under the names of the pictures that they belong to.

    A mask belongs to the picture of its name; else to the one of the same path without suffix; else
    to the only one whose file name without suffix is the same, in whatever folder.

    Args:
        pictures: name to (height, width).
        on_error: without it, the first mask that fits no picture ends the iteration.

    Raises:
        FormatError: no picture or several have that name, the size differs, or a second mask comes
            for a picture.
    """
    by_path, by_file = _index(pictures, _path_key), _index(pictures, _file_key)
    seen: set[str] = set()
    for mask in masks:
        try:
            name = _picture_of(mask.name, pictures, by_path, by_file)
            height, width = pictures[name]
            if mask.mask.shape != (height, width):
                raise FormatError(
                    f"The mask of {name} has {mask.mask.shape[1]}x{mask.mask.shape[0]} pixels and "
                    f"the picture {width}x{height}. Export it at the picture's size, upright."
                )
            if name in seen:
                raise FormatError(f"There are two masks of {name}. Keep one of them.")
        except FormatError as error:
            if on_error is None:
                raise
            on_error(mask.name, error)
            continue
        seen.add(name)
        yield replace(mask, name=name)


def guarded(
    name: str, read: Callable[[], ReadMask], on_error: OnError | None
) -> Iterator[ReadMask]:
    """What `read` gives; a `FormatError` goes to `on_error` where there is one."""
    try:
        mask = read()
    except FormatError as error:
        if on_error is None:
            raise
        on_error(name, error)
        return
    yield mask


def load_json(path: Path, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """The JSON object in a file; `FormatError` for a file that is none, huge, or nested deeply."""
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise FormatError(
                f"{path} has {size / 1e6:.0f} MB; the limit is {max_bytes / 1e6:.0f}. Export it in "
                "several files."
            )
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise FormatError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{path} is no JSON file or a damaged one. Export it again.") from error
    if not isinstance(value, dict):
        raise FormatError(f"{path} holds no JSON object: it has another format.")
    return value


def integer(value: object, low: int, high: int, what: str) -> int:
    """`value`, if it is a whole number from `low` to `high`."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise FormatError(f"{what} is {_shown(value)}, not a whole number of {low} to {high}.")
    return value


def text(value: object, what: str) -> str:
    """`value`, if it is a string that is not empty."""
    if not isinstance(value, str) or not value:
        raise FormatError(f"{what} is {_shown(value)}, not a text.")
    return value


def objects(value: object, what: str) -> list[dict[str, Any]]:
    """`value`, if it is a list of JSON objects."""
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise FormatError(f"{what} is no list of JSON objects: the file has another format.")
    return value


def picture_size(entry: Mapping[str, Any], height: str, width: str, what: str) -> tuple[int, int]:
    """(height, width) under these two keys, checked against `MAX_PIXELS`."""
    size = (
        integer(entry.get(height), 1, MAX_PIXELS, f"{what}: {height}"),
        integer(entry.get(width), 1, MAX_PIXELS, f"{what}: {width}"),
    )
    if size[0] * size[1] > MAX_PIXELS:
        raise FormatError(
            f"{what} has {size[1]}x{size[0]} pixels; the limit is {MAX_PIXELS / 1e6:.0f} "
            "megapixels."
        )
    return size


def coordinates(values: Iterable[object], size: tuple[int, int], what: str) -> list[float]:
    """`values`, if they are finite numbers not further outside of the picture than it is large."""
    limit = 2 * max(size)
    found = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise FormatError(f"{what} has the coordinate {_shown(value)}, which is no number.")
        if not math.isfinite(value) or not -limit <= value <= limit:
            raise FormatError(
                f"{what} has the coordinate {_shown(value)}, far outside of the picture "
                f"({size[1]}x{size[0]} pixels)."
            )
        found.append(float(value))
    return found


def _shown(value: object) -> str:
    shown = repr(value) if not isinstance(value, int) or abs(value) < 10**12 else "a huge number"
    return shown if len(shown) <= 40 else shown[:37] + "..."


def _index(pictures: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    index: dict[str, list[str]] = {}
    for name in pictures:
        index.setdefault(key(name), []).append(name)
    return index


def _path_key(name: str) -> str:
    return folded(str(PurePosixPath(name).with_suffix("")) if PurePosixPath(name).name else name)


def _file_key(name: str) -> str:
    return folded(PurePosixPath(name).stem)


def _picture_of(
    name: str,
    pictures: Mapping[str, tuple[int, int]],
    by_path: dict[str, list[str]],
    by_file: dict[str, list[str]],
) -> str:
    if name in pictures:
        return name
    # A name that came without suffix may hold a dot of its own: try it as it is, too.
    for index, keys in (
        (by_path, (folded(name), _path_key(name))),
        (by_file, (folded(PurePosixPath(name).name), _file_key(name))),
    ):
        for key in keys:
            found = index.get(key, [])
            if len(found) == 1:
                return found[0]
            if found:
                raise FormatError(
                    f"The mask of {name} fits {' and '.join(found[:3])}. Name it in full."
                )
    raise FormatError(
        f"There is a mask of {name}, but no such picture. Give the folder of its pictures too."
    )
