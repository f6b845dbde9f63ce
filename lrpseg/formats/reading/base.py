"""What all readers share: a mask with the name of its picture, and checks.

Files come from other people: whatever they hold is checked before memory is taken for it.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lrpseg.core.images import MAX_PIXELS
from lrpseg.formats.errors import FormatError
from lrpseg.formats.parts import Mask

MAX_BYTES = 1_000_000_000
"""Larger JSON files are refused: they are held in memory as a whole."""

OnError = Callable[[str, FormatError], None]
"""Is told of each file or picture that cannot be read, by its name; reading then goes on."""


@dataclass(frozen=True, eq=False)
class ReadMask:
    """A mask that another tool wrote.

    name: of the picture, as the tool has it (relative POSIX path; from PNG files without suffix).
    mask: (H, W) bool, the union of all labels. notes: sentences on what was left out. layers: label
    to (H, W) bool, which may overlap; empty where the file knows no labels. A label without a pixel
    may be missing. A layer may be made anew whenever it is asked for.
    """

    name: str
    mask: Mask
    notes: tuple[str, ...] = ()
    layers: Mapping[str, Mask] = field(default_factory=dict)


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


def text_lines(path: Path, max_bytes: int = 1_000_000) -> list[str]:
    """The lines of a text file in UTF-8 that are not empty; none of what is no such file."""
    try:
        if path.stat().st_size > max_bytes:
            return []
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [line.strip() for line in lines if line.strip()]


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
