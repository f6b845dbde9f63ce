"""What all readers share: a mask with the name of its picture, and checks.

Files come from other people: whatever they hold is checked before memory is taken for it.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from lrpseg.core.errors import OptionError
from lrpseg.core.images import MAX_PIXELS
from lrpseg.formats.errors import FormatError
from lrpseg.formats.parts import Mask

Size = tuple[int, int]
"""Height and width."""

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
    may be missing. A layer may be made anew whenever it is asked for. ignored: (H, W) bool, pixels
    of which the file says that nothing is known; None where it says that of none. annotated: False
    where the file lists the picture and says nothing of it: then the mask is empty.
    """

    name: str
    mask: Mask
    notes: tuple[str, ...] = ()
    layers: Mapping[str, Mask] = field(default_factory=dict)
    ignored: Mask | None = None
    annotated: bool = True


@dataclass(frozen=True)
class Reading:
    """What whoever reads masks may say of them.

    labels: those that count; none: all. values: of pixels, that are damage; none: told by what the
    file holds. ignore: values of pixels of which nothing is known. match: how files are named,
    where that is not as their pictures: `{name}` stands for the picture's name without suffix, `*`
    for any text ("mask_{name}", "*-{name}"). expect: is told of each mask's name and (height,
    width), None where the file does not say, before any pixel is read; returns the picture's size,
    or raises `FormatError` where the mask is not wanted. pictures: SHA-256 of files that are known
    to be pictures, in hexadecimal: a file with these bytes is no mask, wherever it lies.
    """

    labels: tuple[str, ...] = ()
    values: tuple[int, ...] = ()
    ignore: tuple[int, ...] = ()
    match: str = ""
    expect: Callable[[str, Size | None], Size] | None = None
    pictures: Set[str] = frozenset()

    def __post_init__(self) -> None:
        if self.match and "{name}" not in self.match:
            raise OptionError(
                f"{self.match!r} does not say where a picture's name stands. "
                "Write {name} for it, such as mask_{name}."
            )
        if not all(0 <= value <= 65535 for value in (*self.values, *self.ignore)):
            raise OptionError("Values of pixels are 0 to 65535.")
        if both := set(self.values) & set(self.ignore):
            raise OptionError(f"The value {min(both)} cannot be damage and ignored at once.")

    def counts(self, label: str) -> bool:
        """Whether a label is one of those that count."""
        return not self.labels or label in self.labels

    def named(self, name: str) -> str:
        """The name of the picture of a mask with this name; the name itself where `match` does not
        fit it."""
        plain = name.replace("\\", "/")
        if not self.match:
            return plain
        folder, _, file = plain.rpartition("/")
        stem, dot, suffix = file.rpartition(".")
        for text, end in ((stem, dot + suffix), (file, "")):
            found = _pattern(self.match).fullmatch(text) if text else None
            if found:
                return f"{folder}/{found['name']}{end}".lstrip("/")
        return plain

    def expected(self, name: str, size: Size | None) -> Size | None:
        """Tell `expect` of a mask; the picture's size where somebody knows it."""
        return size if self.expect is None else self.expect(name, size)


PLAIN = Reading()
"""Nothing is said of the masks."""


@lru_cache(maxsize=8)
def _pattern(match: str) -> re.Pattern[str]:
    before, after = (
        ".*?".join(map(re.escape, part.split("*"))) for part in match.split("{name}", 1)
    )
    return re.compile(f"{before}(?P<name>.+){after}", re.DOTALL)


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
    value = load_any_json(path, max_bytes)
    if not isinstance(value, dict):
        raise FormatError(f"{path} holds no JSON object: it has another format.")
    return value


def load_any_json(path: Path, max_bytes: int = MAX_BYTES) -> Any:
    """What a JSON file holds; `FormatError` for a file that is none, huge, or nested deeply."""
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise FormatError(
                f"{path} has {size / 1e6:.0f} MB; the limit is {max_bytes / 1e6:.0f}. Export it in "
                "several files."
            )
        return json.loads(path.read_bytes())
    except OSError as error:
        raise FormatError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{path} is no JSON file or a damaged one. Export it again.") from error


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


def said_of(count: int, what: str) -> str:
    """`what` with its number, for notes.

    >>> said_of(1, "box"), said_of(2, "box"), said_of(2, "line")
    ('1 box', '2 boxes', '2 lines')
    """
    first, of, rest = what.partition(" of ")
    return (
        f"{count} {first}{('es' if first.endswith('x') else 's') if count != 1 else ''}{of}{rest}"
    )
