"""The classes of damage that a domain tells apart: name, title, colour and key of each."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from lrpseg.core.errors import OptionError

Colour = tuple[int, int, int]

COLOURS: tuple[Colour, ...] = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (213, 94, 0),
    (240, 228, 66),
)
"""Colours of classes that name none: the Okabe-Ito palette, told apart with any colour vision."""

KEYS = "123456789"
"""Keys of classes that name none; a tenth class has no key."""


@dataclass(frozen=True)
class DamageClass:
    """One kind of damage. name: in files and formats; title: what people read; colour: RGB of its
    masks; key: what chooses it on the page, "" for none."""

    name: str
    title: str
    colour: Colour
    key: str


class ClassSet:
    """The classes of a domain in their order, at least one; "intact" is none of them.

    >>> kinds = ClassSet.parse(["crack", {"name": "hole", "colour": "#ff0000"}])
    >>> kinds.names, kinds["hole"].colour, kinds[0].key, len(kinds)
    (('crack', 'hole'), (255, 0, 0), '1', 2)
    """

    def __init__(self, classes: Sequence[DamageClass]) -> None:
        """Raises `OptionError` for no class, a name that cannot be one, or one that is there
        twice."""
        self._classes = tuple(classes)
        if not self._classes:
            raise OptionError("A domain has at least one class of damage.")
        for entry in self._classes:
            check_name(entry.name)
        for what in ("name", "key"):
            values = [value for c in self._classes if (value := getattr(c, what))]
            if len(set(values)) < len(values):
                raise OptionError(f"Two classes of damage share their {what}: {', '.join(values)}.")

    @classmethod
    def parse(cls, entries: Sequence[str | Mapping[str, Any]]) -> "ClassSet":
        """Of what a `domain.json` holds: a name, or an object with `name` and, where they are not
        to be the usual ones, `title`, `colour` ("#0072b2") and `key`, for each class.

        Raises `OptionError` for what is none.
        """
        found = []
        for index, entry in enumerate(entries):
            given = {"name": entry} if isinstance(entry, str) else dict(entry)
            unknown = given.keys() - {"name", "title", "colour", "key"}
            if unknown or not isinstance(given.get("name"), str):
                raise OptionError(f"A class of damage has name, title, colour and key: {entry!r}.")
            name = given["name"]
            colour = given.get("colour")
            found.append(
                DamageClass(
                    name,
                    str(given.get("title") or name[:1].upper() + name[1:]),
                    COLOURS[index % len(COLOURS)] if colour is None else _colour(colour),
                    str(given.get("key", KEYS[index] if index < len(KEYS) else "")),
                )
            )
        return cls(found)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in their order."""
        return tuple(entry.name for entry in self._classes)

    def index(self, name: str) -> int:
        """The place of the class called `name`; raises `OptionError`."""
        if name not in self.names:
            raise OptionError(
                f"There is no class {name!r} here. Choose one of: {', '.join(self.names)}."
            )
        return self.names.index(name)

    @overload
    def __getitem__(self, which: int | str) -> DamageClass: ...
    @overload
    def __getitem__(self, which: slice) -> tuple[DamageClass, ...]: ...
    def __getitem__(self, which: int | str | slice) -> DamageClass | tuple[DamageClass, ...]:
        """By place or by name; raises `OptionError` for a name that is none."""
        return self._classes[self.index(which) if isinstance(which, str) else which]

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[DamageClass]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClassSet) and self._classes == other._classes

    def __hash__(self) -> int:
        return hash(self._classes)

    def __repr__(self) -> str:
        return f"ClassSet({', '.join(self.names)})"


def check_name(name: str) -> str:
    """`name`, if formats and folders can hold it as that of a class; raises `OptionError`."""
    bad = not name.strip() or name != name.strip() or not name.isprintable()
    if bad or set(name) & set('/\\:"<>|?*') or name.strip(".") == "" or len(name.encode()) > 100:
        raise OptionError(
            f"{name!r} cannot be the name of a class. Give up to 100 printable characters without "
            'spaces around, none of them of / \\ : " < > | ? *.'
        )
    return name


def _colour(text: object) -> Colour:
    if not isinstance(text, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise OptionError(f"The colour of a class is written like #0072b2, not {text!r}.")
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue
