"""Pictures from rows of the database, also from rows that are damaged, or of a newer lrpseg.

A value that cannot be what it should be costs its picture alone: it is listed as failed, with the
reason, and everything else of it is there. Columns that this lrpseg does not know are left aside.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

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
_ITEM = {f.name: f.type for f in fields(Item) if f.name not in ("settings", "layers", "kept")}
_LAYER = {f.name: f.type for f in fields(ItemLayer) if f.name != "name"}
_EMPTY: dict[type, Any] = {str: "", int: 0, float: 0.0, bool: 0}


def from_rows(row: sqlite3.Row, layers: Iterable[sqlite3.Row]) -> Item:
    """An item from its row in the database and those of its layers, in their order."""
    layers = list(layers)
    settings = read_text(row["settings"])
    wrong = _wrong(row, layers, settings)
    values = _values(row, _ITEM)
    if wrong:
        values |= lost(wrong)
    placed: list[ItemLayer] = []
    kept: list[ItemLayer] = []
    for held in layers:
        place = kept if held["place"] is None else placed
        place.append(ItemLayer(name=str(held["class"]), **_values(held, _LAYER)))
    if not placed:
        placed.append(_no_layer(_NO_CLASS))
    return Item(**values, settings=settings or UNKNOWN, layers=tuple(placed), kept=tuple(kept))


def wrong_values(row: sqlite3.Row, layers: Sequence[sqlite3.Row]) -> list[str]:
    """Names of what is damaged of a picture."""
    return _wrong(row, layers, read_text(row["settings"]))


def lost(wrong: Iterable[str]) -> dict[str, str]:
    """What a picture is where the values called `wrong` are damaged, by column."""
    names = ", ".join(dict.fromkeys(wrong))
    return {"status": "failed", "reason": _LOST.format(names), "analysis": ""}


def is_lost(item: Item) -> bool:
    """Whether `from_rows` found something damaged, or `lost` was stored."""
    return item.status == "failed" and (item.reason or "").startswith(_LOST.partition("{")[0])


def _wrong(row: sqlite3.Row, layers: Sequence[sqlite3.Row], settings: Settings | None) -> list[str]:
    wrong = [name for name in _ITEM if not _fits(row[name], _ITEM[name])]
    wrong += ["status"] if row["status"] not in STATUSES and "status" not in wrong else []
    wrong += [] if settings else ["settings"]
    wrong += [] if any(held["place"] is not None for held in layers) else ["classes"]
    return wrong + [
        name for held in layers for name in _LAYER if not _fits(held[name], _LAYER[name])
    ]


def repairs(row: sqlite3.Row, of_layer: bool = False) -> dict[str, Any]:
    """What is to be in the place of a row's damaged values, by column."""
    kinds = _LAYER if of_layer else _ITEM
    return {n: _empty(kind) for n, kind in kinds.items() if not _fits(row[n], kind)}


def read_text(text: object) -> Settings | None:
    """Settings as the database keeps them; None where they are damaged. Fields of a newer lrpseg
    are left aside."""
    try:
        held = json.loads(text)  # type: ignore[arg-type]
        known = {name: held[name] for name in OPTIONS if name in held}
        fit = all(isinstance(known[name], OPTIONS[name].kind) for name in known)
        return Settings(**known) if fit else None
    except (ValueError, TypeError, RecursionError):
        return None


def _values(row: sqlite3.Row, kinds: dict[str, Any]) -> dict[str, Any]:
    values = {n: row[n] if _fits(row[n], kind) else _empty(kind) for n, kind in kinds.items()}
    return {n: bool(value) if kinds[n] is bool else value for n, value in values.items()}


def _fits(value: object, kind: Any) -> bool:
    return isinstance(value, int if kind is bool else kind)


def _empty(kind: Any) -> Any:
    """0, "" or, where a value may be missing, None."""
    return _EMPTY.get(kind)


def _no_layer(name: str) -> ItemLayer:
    return ItemLayer(
        id=0, name=name, probability=None, damaged=False, explained=False, threshold=None,
        own_threshold=None, min_area=0, max_hole=0, drawn=False, truth="",
    )  # fmt: skip
