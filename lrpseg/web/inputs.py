"""What comes from outside, checked by its kind: text, numbers, yes or no.

JSON has one kind of number and Python's bool is an int: 1e30, NaN, "3" and true all come where a
number is asked for.
"""

import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from lrpseg.core.errors import OptionError

BIGGEST = 10**15
"""No number from outside is larger: SQLite and NumPy take 64 bits."""


def text(value: object, name: str) -> str:
    """`value` where it is text that UTF-8 can hold; raises `OptionError`."""
    if not isinstance(value, str):
        raise OptionError(f"{name} must be text.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise OptionError(f"{name} holds half a character.") from None
    return value


def number(value: object, name: str) -> float:
    """`value` where it is a finite number of a reasonable size; raises `OptionError`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OptionError(f"{name} must be a number.")
    if not (math.isfinite(value) if isinstance(value, float) else True) or abs(value) > BIGGEST:
        raise OptionError(f"{name} must be a number of a reasonable size.")
    return float(value)


def whole(value: object, name: str) -> int:
    """`value` where it is a whole number, also one written as 3.0; raises `OptionError`."""
    found = number(value, name)
    if not found.is_integer():
        raise OptionError(f"{name} must be a whole number.")
    return int(found)


def flag(value: object, name: str) -> bool:
    """`value` where it is true or false; raises `OptionError`."""
    if not isinstance(value, bool):
        raise OptionError(f"{name} must be true or false.")
    return value


def digits(value: str | None, name: str) -> int:
    """A whole number, 0 or more, as it stands in an address; raises `OptionError`."""
    if value is None or not (value.isascii() and value.isdigit() and len(value) <= 15):
        raise OptionError(f"{name} must be a whole number.")
    return int(value)


def seconds(value: object) -> float:
    """A time as a JSON number or as digits in an address; raises `OptionError`."""
    if isinstance(value, str):
        try:
            value = float(value) if value.isascii() else None
        except ValueError:
            value = None
    return number(value, "seconds")


_CHECKS: dict[Any, Callable[[Any, str], Any]] = {str: text, float: number, int: whole, bool: flag}


def checked(hints: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` by name, each as its type hint asks: str, float, int, bool, or one of them | None.

    Raises `OptionError` with the name of the first that is not.
    """
    return {name: _as(hints.get(name), value, name) for name, value in given.items()}


def _as(hint: Any, value: Any, name: str) -> Any:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        kinds = typing.get_args(hint)
        if value is None and type(None) in kinds:
            return None
        hint = next((kind for kind in kinds if kind in _CHECKS), None)
    check = _CHECKS.get(hint)
    return value if check is None else check(value, name)
