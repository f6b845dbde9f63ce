"""A small ordered registry: named things, declared next to their code, listed everywhere."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from lrpseg.core.errors import OptionError

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """An ordered, read-only mapping from name to thing, filled with `add` at import time.

    `kind` is what one entry is called in messages ("network", "rule set", ...).

    >>> colours: Registry[str] = Registry("colour")
    >>> colours.add("red", "#f00")
    '#f00'
    >>> colours["blue"]
    Traceback (most recent call last):
        ...
    lrpseg.core.errors.OptionError: There is no colour 'blue'. Choose one of: red.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._things: dict[str, T] = {}

    def add(self, name: str, thing: T) -> T:
        """Register `thing` under `name`; a name is taken once."""
        if name in self._things:
            raise ValueError(f"{self.kind} {name!r} is registered already")
        self._things[name] = thing
        return thing

    def __getitem__(self, name: str) -> T:
        """The thing called `name`; `OptionError` lists the names that exist."""
        try:
            return self._things[name]
        except KeyError:
            known = ", ".join(self._things)
            raise OptionError(
                f"There is no {self.kind} {name!r}. Choose one of: {known}."
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._things

    def __iter__(self) -> Iterator[str]:
        return iter(self._things)

    def __len__(self) -> int:
        return len(self._things)
