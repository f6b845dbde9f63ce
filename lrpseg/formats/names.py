"""Names of pictures: relative POSIX paths that are safe to write below a folder, no two alike."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from lrpseg.formats.errors import FormatError


def check_name(name: str) -> str:
    """`name` itself, if it is a relative POSIX path that every format can hold.

    Raises:
        FormatError: empty, absolute, leading out of its folder, with a backslash (other systems
            take it for a folder), with control characters, or not valid Unicode.
    """
    shown = name.encode("utf-8", "backslashreplace").decode()
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in name) or "\\" in name:
        raise FormatError(
            f"The picture {shown!r} has a backslash, a control character or bytes that are no "
            "UTF-8 in its name. Rename it."
        )
    if not name or name == "." or PurePosixPath(name).is_absolute() or ".." in name.split("/"):
        raise FormatError(f"{shown!r} is no relative path of a picture. Give one such as a/b.png.")
    if str(PurePosixPath(name)) != name:
        raise FormatError(f"{shown!r} is no plain path. Write it as {str(PurePosixPath(name))!r}.")
    return name


def folded(name: str) -> str:
    """What two names share that are one file where case and Unicode composition do not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def unique_stems(names: Sequence[str]) -> list[str]:
    """A name without suffix for each picture, no two alike (also if case is ignored).

    Names that differ in their suffix alone (a.jpg, a.png) keep it; names that differ in case alone
    get a number. For formats that pair a file with its picture by stem: pass the pictures along
    under these stems (`ExportOptions.copy_pictures`), since the original ones cannot be told apart.
    `lrpseg.folders.plan` follows the same rule on disk.

    >>> unique_stems(["a.jpg", "a.png", "b.jpg", "B.png"])
    ['a.jpg', 'a.png', 'b.jpg', 'B.png']
    >>> unique_stems(["belt 1/a.jpg", "belt 2/a.jpg"])
    ['belt 1/a', 'belt 2/a']
    """
    without = [_without_suffix(name) for name in names]
    counts = Counter(map(folded, without))
    # Names that nobody disputes keep their stem, whatever comes before them.
    taken = {key for key, count in counts.items() if count == 1}
    found = []
    for name, stem in zip(names, without, strict=True):
        if counts[folded(stem)] == 1:
            found.append(stem)
            continue
        candidate, number = name, 2
        while folded(candidate) in taken:
            candidate, number = f"{name}-{number}", number + 1
        taken.add(folded(candidate))
        found.append(candidate)
    return found


def stem_of(name: str) -> str:
    """The path without its suffix: "belt 3/tile.v2.png" gives "belt 3/tile.v2"."""
    return _without_suffix(check_name(name))


def _without_suffix(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


END = "~"
"""Ends names that shall sort alike whatever follows them."""


def ended(name: str) -> str:
    """`name` with an end: of such names none begins with another one, and each stands for one name.

    >>> ended("1"), ended("a~b")
    ('1~', 'a~~b~')
    """
    return name.replace(END, 2 * END) + END


def sorted_apart(names: Iterable[str], *endings: str) -> list[tuple[str, str]]:
    """Where names sort in another order with one ending than with another: the pairs of names that
    stand in the same place; empty where the order is the same.

    >>> sorted_apart(["1", "2", "10"], ".png", "_mask.png")
    [('1', '10'), ('10', '1')]
    """
    names = list(names)
    orders = [sorted(names, key=lambda name: name + end) for end in endings]
    return [(a, b) for a, b in zip(*orders, strict=True) if a != b]


class Taken:
    """Remembers names as 8-byte hashes (about 70 MB of memory per million of them)."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def add(self, key: str, name: str) -> None:
        """Take `key` for the picture `name`; raises `FormatError` where it is taken already."""
        value = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
        if value in self._hashes:
            raise FormatError(
                f"The picture {name!r} would overwrite the annotation of another one, as {key!r}. "
                "Rename one of the two, give them stems of their own (unique_stems), or choose a "
                "format that lists pictures by their full name, such as coco or cvat-images."
            )
        self._hashes.add(value)
