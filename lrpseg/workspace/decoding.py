"""Pictures from rows of the database, also from rows that are damaged, or of a newer lrpseg.

A value that cannot be what it should be costs its picture alone: it is listed as failed, with the
reason, and everything else of it is there. Columns that this lrpseg does not know are left aside.
"""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, get_args

from lrpseg.domains import FIRST_DOMAIN
from lrpseg.pipeline.settings import OPTIONS, Settings
from lrpseg.workspace.item import STATUSES, Item, ItemLayer

_LOST = (
    "What the workspace keeps of this picture is damaged ({}). Choose settings for it, and it is "
    "analysed again; what was drawn on it is there."
)
UNKNOWN = Settings(
    domain=FIRST_DOMAIN, network="one-fc", rule_set="ours", thresholder="simple", refiner="none"
)
"""In the place of settings that cannot be read."""

_NO_CLASS = "damaged"
_KINDS = {name: option.kind for name, option in OPTIONS.items()}


@dataclass(frozen=True)
class _Column:
    """types: of its values, as `isinstance` takes them. empty: in the place of a damaged one."""

    name: str
    types: tuple[type, ...]
    flag: bool
    empty: Any


def _columns(kind: type, *without: str) -> tuple[_Column, ...]:
    found = []
    for field in fields(kind):
        if field.name not in without:
            types = get_args(field.type) or (field.type,)
            flag = types == (bool,)
            empty = None if type(None) in types else types[0]()  # 0 or ""
            found.append(_Column(field.name, (int,) if flag else types, flag, empty))
    return tuple(found)


_ITEM = _columns(Item, "settings", "layers", "kept")
_LAYER = _columns(ItemLayer, "name")


def from_rows(row: sqlite3.Row, layers: Iterable[sqlite3.Row]) -> Item:
    """An item from its row in the database and those of its layers, in their order."""
    settings = read_text(row["settings"])
    values, wrong = _read(row, _ITEM)
    placed: list[ItemLayer] = []
    kept: list[ItemLayer] = []
    for held in layers:
        given, damaged = _read(held, _LAYER)
        wrong += damaged
        place = kept if held["place"] is None else placed
        place.append(ItemLayer(name=str(held["class"]), **given))
    wrong += _missing(values, settings, bool(placed))
    if wrong:
        values |= lost(wrong)
    if not placed:
        placed.append(_no_layer(_NO_CLASS))
    return Item(**values, settings=settings or UNKNOWN, layers=tuple(placed), kept=tuple(kept))


def wrong_values(row: sqlite3.Row, layers: Iterable[sqlite3.Row]) -> list[str]:
    """Names of what is damaged of a picture."""
    values, wrong = _read(row, _ITEM)
    held = list(layers)
    for layer in held:
        wrong += _read(layer, _LAYER)[1]
    placed = any(layer["place"] is not None for layer in held)
    return wrong + _missing(values, read_text(row["settings"]), placed)


def lost(wrong: Iterable[str]) -> dict[str, str]:
    """What a picture is where the values called `wrong` are damaged, by column."""
    names = ", ".join(dict.fromkeys(wrong))
    return {"status": "failed", "reason": _LOST.format(names), "analysis": ""}


def is_lost(item: Item) -> bool:
    """Whether `from_rows` found something damaged, or `lost` was stored."""
    return item.status == "failed" and (item.reason or "").startswith(_LOST.partition("{")[0])


def repairs(row: sqlite3.Row, of_layer: bool = False) -> dict[str, Any]:
    """What is to be in the place of a row's damaged values, by column."""
    values, wrong = _read(row, _LAYER if of_layer else _ITEM)
    return {name: values[name] for name in wrong}


def read_text(text: object) -> Settings | None:
    """Settings as the database keeps them; None where they are damaged. Fields of a newer lrpseg
    are left aside."""
    try:
        held = json.loads(text)  # type: ignore[arg-type]
        known = {name: held[name] for name in OPTIONS if name in held}
        fit = all(isinstance(value, _KINDS[name]) for name, value in known.items())
        return Settings(**known) if fit else None
    except (ValueError, TypeError, RecursionError):
        return None


def _read(row: sqlite3.Row, columns: Iterable[_Column]) -> tuple[dict[str, Any], list[str]]:
    """(values by column, names of those that are damaged)."""
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for column in columns:
        value = row[column.name]
        if not isinstance(value, column.types):
            wrong.append(column.name)
            value = column.empty
        values[column.name] = bool(value) if column.flag else value
    return values, wrong


def _missing(values: dict[str, Any], settings: Settings | None, placed: bool) -> list[str]:
    wrong = [] if values["status"] in STATUSES else ["status"]
    wrong += [] if settings else ["settings"]
    return wrong + ([] if placed else ["classes"])


def _no_layer(name: str) -> ItemLayer:
    return ItemLayer(
        id=0, name=name, probability=None, damaged=False, explained=False, threshold=None,
        own_threshold=None, min_area=0, max_hole=0, drawn=False, truth="",
    )  # fmt: skip
