"""Frozen dataclasses from tables of a TOML file, with errors that name the file and the key."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from lrpseg.core.errors import LrpsegError, OptionError

T = TypeVar("T")


class RecipeError(LrpsegError):
    """A recipe that cannot be used; the message names the file and the key."""


def read_table(kind: type[T], table: Mapping[str, Any], path: Path, where: str, **given: Any) -> T:
    """The dataclass `kind` of a table's keys, which are its fields.

    Args:
        where: what the table is called in messages, as in "[calibration]". given: fields that the
            file does not hold.

    Raises:
        RecipeError: an unknown or a missing key, a value of another type, or one that `kind` does
            not take.
    """
    hints = typing.get_type_hints(kind)
    known = [f for f in dataclasses.fields(kind) if f.name not in given]  # type: ignore[arg-type]
    names = [f.name for f in known]
    for key in table:
        if key not in names:
            raise RecipeError(f"{path}: {where} has no key {key!r}; known are {', '.join(names)}.")
    for f in known:
        needed = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if needed and f.name not in table:
            raise RecipeError(f"{path}: {where} lacks {f.name!r}.")
    values = {key: _value(hints[key], value, path, where, key) for key, value in table.items()}
    try:
        return kind(**values, **given)
    except OptionError as error:
        raise RecipeError(f"{path}: {where}: {error}") from error


def _value(hint: Any, value: Any, path: Path, where: str, key: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type) and isinstance(value, dict):
        return read_table(hint, value, path, f"{where} {key}")
    if typing.get_origin(hint) is tuple and isinstance(value, list):
        inner = typing.get_args(hint)
        if inner[-1] is Ellipsis:
            return tuple(_value(inner[0], v, path, where, key) for v in value)
        if len(inner) == len(value):
            return tuple(_value(h, v, path, where, key) for h, v in zip(inner, value, strict=True))
    if hint is float and type(value) in (int, float):
        return float(value)
    if isinstance(hint, type) and type(value) is hint:  # True is no whole number here
        return value
    raise RecipeError(f"{path}: {where} {key} is {value!r}, which is no {_called(hint)}.")


def _called(hint: Any) -> str:
    words = {int: "whole number", float: "number", str: "text", bool: "true or false"}
    if dataclasses.is_dataclass(hint):
        return "table"
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)
        count = "" if inner[-1] is Ellipsis else f"{len(inner)} of "
        return f"list of {count}{_called(inner[0])}"
    return words.get(hint, str(hint)) if not isinstance(hint, types.UnionType) else str(hint)
