"""One picture of a workspace, as the database holds it."""

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from lrpseg.pipeline.results import Settings
from lrpseg.pipeline.tiling import DEFAULT_OVERLAP
from lrpseg.workspace.errors import WorkspaceError

STATUSES = ("waiting", "running", "todo", "edited", "accepted", "empty", "failed")
"""waiting: for its analysis; todo: nobody has looked; empty: classified intact, the mask is empty;
failed: cannot be read or analysed, `reason` says why."""

OPEN = ("todo", "edited", "accepted", "empty")
"""Statuses of a picture that is analysed, between which a person may choose."""


@dataclass(frozen=True)
class Item:
    """One picture. `analysis` names the relevance that is shown ("" where there is none yet),
    `analysis_key` the one that its settings ask for. `threshold` is None where nobody chose one:
    then `own_threshold`, the thresholder's own, counts. `drawn`: whether there are corrections.
    `accept`: its mask was accepted in the session that it comes from, and is made again."""

    id: str
    name: str
    sha256: str
    width: int
    height: int
    status: str
    reason: str | None
    settings: Settings
    explain_intact: bool
    weights: str
    analysis: str
    probability: float | None
    damaged: bool
    explained: bool
    threshold: float | None
    own_threshold: float | None
    min_area: int
    max_hole: int
    seconds: float
    has_truth: bool
    drawn: bool
    accept: bool
    revision: int
    tiles_done: int
    tiles: int
    created: str
    updated: str

    @property
    def analysis_key(self) -> str:
        return analysis_key(self.sha256, self.settings, self.weights, self.explain_intact)

    @property
    def used_threshold(self) -> float:
        """The threshold that makes the mask, 0 to 1."""
        chosen = self.own_threshold if self.threshold is None else self.threshold
        return 0.5 if chosen is None else chosen


def from_row(row: sqlite3.Row) -> Item:
    """An item from its row in the database."""
    values: dict[str, Any] = {key: row[key] for key in row.keys() if key != "position"}  # noqa: SIM118
    values["settings"] = Settings(**json.loads(values["settings"]))
    for flag in ("explain_intact", "damaged", "explained", "has_truth", "drawn", "accept"):
        values[flag] = bool(values[flag])
    return Item(**values)


def settings_text(settings: Settings) -> str:
    """Settings as the database keeps them."""
    return json.dumps(asdict(settings), sort_keys=True)


def read_settings(values: Mapping[str, Any]) -> Settings:
    """Settings from a stranger's JSON: names alone, never a path on this machine.

    Engine and overlap become the defaults: they decide how long a picture takes, not what is found.

    Raises `WorkspaceError` where something is missing or is no name.
    """
    known = {f.name: values[f.name] for f in fields(Settings) if f.name in values}
    known.pop("overlap", None)
    names = list(known.values())
    if not all(isinstance(n, str) and n.strip(".") and not set(n) & set("/\\:") for n in names):
        raise WorkspaceError("Settings are names: of a domain, a network, a rule set and so on.")
    try:
        return Settings(**{**known, "engine": "lean", "overlap": DEFAULT_OVERLAP})
    except (KeyError, TypeError, ValueError) as error:
        raise WorkspaceError("The settings are incomplete.") from error


def analysis_key(sha256: str, settings: Settings, weights: str, explain_intact: bool) -> str:
    """Names a relevance by all that decides it; thresholder and refiner do not."""
    cheap = ("thresholder", "refiner")
    decides = {k: v for k, v in asdict(settings).items() if k not in cheap}
    text = json.dumps([sha256, decides, weights, explain_intact], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]
