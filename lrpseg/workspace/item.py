"""One picture of a workspace, as the database holds it, with a layer for each class."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lrpseg.pipeline.found import disagree
from lrpseg.pipeline.settings import DEFAULTS, OPTIONS, Settings
from lrpseg.workspace.errors import WorkspaceError

STATUSES = ("waiting", "running", "todo", "edited", "accepted", "empty", "failed")
"""waiting: for its analysis; todo: nobody has looked; empty: classified intact, the mask is empty;
failed: cannot be read or analysed, `reason` says why."""

OPEN = ("todo", "edited", "accepted", "empty")
"""Statuses of a picture that is analysed, between which a person may choose."""

_ALWAYS_KEYED = ("domain", "network", "rule_set", "start", "pooling", "engine", "overlap")
"""Fields of the keys of analyses; a younger one is in the key where it is not its default, so that
analyses of before it are found."""


@dataclass(frozen=True)
class ItemLayer:
    """What is known of one class of a picture.

    name: of the class. probability, damaged, explained: see `lrpseg.pipeline.results.Found`; None
    and False before the analysis. threshold: that somebody chose, None for nobody: then
    `own_threshold`, the thresholder's own, counts; both 0 to 1. min_area, max_hole: of cleaning, in
    pixels. drawn: whether there are corrections. truth: name of the file of the true mask, "" for
    none. network, witness: see `Found`. id: in the database.
    """

    id: int
    name: str
    probability: float | None
    damaged: bool
    explained: bool
    threshold: float | None
    own_threshold: float | None
    min_area: int
    max_hole: int
    drawn: bool
    truth: str
    network: float | None = None
    witness: float | None = None

    @property
    def doubtful(self) -> bool:
        """Whether network and witness disagree."""
        return disagree(self.network, self.witness)

    @property
    def has_truth(self) -> bool:
        """Whether the true mask is there."""
        return bool(self.truth)

    @property
    def used_threshold(self) -> float:
        """The threshold that makes the mask, 0 to 1."""
        chosen = self.own_threshold if self.threshold is None else self.threshold
        return 0.5 if chosen is None else chosen

    @property
    def edited(self) -> bool:
        """Whether a person chose or drew something."""
        chosen = self.threshold is not None or self.min_area or self.max_hole
        return bool(self.drawn or chosen)


@dataclass(frozen=True)
class Item:
    """One picture. `analysis` names the relevance that is shown ("" where there is none yet),
    `analysis_key` the one that its settings ask for. `accept`: its mask was accepted in the session
    that it comes from, and is made again. `read`: a line for each thing that was not plain about
    reading it (`Picture.notes`); "" also where that was not noted yet.

    layers: of the classes that its analysis tells apart, in the order of their domain; before there
    is one, of the classes of its domain. kept: of other classes, of which something was drawn or
    given before; what was drawn there is in the union of the masks, and comes back with the class.
    Of one class, all that is said of the picture is said of that layer.
    """

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
    seconds: float
    accept: bool
    revision: int
    tiles_done: int
    tiles: int
    created: str
    updated: str
    layers: tuple[ItemLayer, ...]
    kept: tuple[ItemLayer, ...] = ()
    read: str = ""

    @property
    def analysis_key(self) -> str:
        """Names the analysis that the settings ask for."""
        return analysis_key(self.sha256, self.settings, self.weights, self.explain_intact)

    def layer(self, class_name: str | None = None) -> ItemLayer:
        """The layer of a class; None: of the only one.

        Raises `WorkspaceError` for a class that its domain does not have, and for None where it has
        several.
        """
        return self.layers[self.place(class_name)]

    def drawable(self, class_name: str | None = None) -> ItemLayer:
        """As `layer`, and the one of a class that is kept."""
        kept = (layer for layer in self.kept if layer.name == class_name)
        return next(kept, None) or self.layer(class_name)

    def place(self, class_name: str | None = None) -> int:
        """The place of a class among `layers`; raises as `layer` does."""
        names = [layer.name for layer in self.layers]
        return place_of(names, class_name)

    def chosen(self, class_name: str | None = None) -> tuple[ItemLayer, ...]:
        """The layer of a class, or all of them for None; raises as `layer` does."""
        return self.layers if class_name is None else (self.layer(class_name),)

    @property
    def probability(self) -> float | None:
        """The highest of the layers'; None before the analysis."""
        known = [layer.probability for layer in self.layers if layer.probability is not None]
        return max(known, default=None)

    @property
    def damaged(self) -> bool:
        """Whether some class was said to be there."""
        return any(layer.damaged for layer in self.layers)

    @property
    def doubtful(self) -> bool:
        """Whether network and witness disagree about some class."""
        return any(layer.doubtful for layer in self.layers)

    @property
    def explained(self) -> bool:
        """Whether some class has a reason to see, see `Found`."""
        return any(layer.explained for layer in self.layers)

    @property
    def by_witness(self) -> bool:
        """Whether it is damaged by the witness's word: the network alone saw none."""
        return any(
            layer.network is not None
            and layer.network <= 0.5
            and (layer.doubtful or not self.explain_intact)
            for layer in self.layers
            if layer.explained
        )

    @property
    def threshold(self) -> float | None:
        """That all layers share; None where they differ, or nobody chose one."""
        return _shared(layer.threshold for layer in self.layers)

    @property
    def own_threshold(self) -> float | None:
        """That all layers share; None where they differ, or there is none."""
        return _shared(layer.own_threshold for layer in self.layers)

    @property
    def used_threshold(self) -> float:
        """The threshold that makes the mask, 0 to 1; raises `WorkspaceError` where each of several
        classes has its own: ask the layers."""
        used = _shared(layer.used_threshold for layer in self.layers)
        return self.layer().used_threshold if used is None else used

    @property
    def min_area(self) -> int:
        """The largest of the layers'."""
        return max(layer.min_area for layer in self.layers)

    @property
    def max_hole(self) -> int:
        """The largest of the layers'."""
        return max(layer.max_hole for layer in self.layers)

    @property
    def drawn(self) -> bool:
        """Whether there are corrections of some class."""
        return any(layer.drawn for layer in (*self.layers, *self.kept))

    @property
    def has_truth(self) -> bool:
        """Whether there is a true mask of some class."""
        return any(layer.has_truth for layer in self.layers)

    @property
    def edited(self) -> bool:
        """Whether a person chose or drew something."""
        return self.drawn or any(layer.edited for layer in self.layers)


def _shared(values: Iterable[float | None]) -> float | None:
    found = set(values)
    return found.pop() if len(found) == 1 else None


def place_of(names: Sequence[str], class_name: str | None) -> int:
    """The place of a class among the classes of a picture; None: of the only one.

    Raises `WorkspaceError` for one that is not there, and for None where there are several.
    """
    if class_name is None and len(names) == 1:
        return 0
    if class_name is None:
        raise WorkspaceError(f"This picture has several classes: name one of {', '.join(names)}.")
    if class_name not in names:
        raise WorkspaceError(
            f"This picture has no class {class_name!r}. Choose one of: {', '.join(names)}."
        )
    return names.index(class_name)


def settings_text(settings: Settings) -> str:
    """Settings as the database keeps them."""
    return json.dumps(asdict(settings), sort_keys=True)


def read_settings(values: Mapping[str, Any]) -> Settings:
    """Settings from a stranger's JSON: names alone, never a path on this machine.

    What decides how something is found and not what, as engine and overlap do, becomes the default.

    Raises `WorkspaceError` where something is missing or is no name.
    """
    known = {n: values[n] for n, option in OPTIONS.items() if option.found and n in values}
    names = list(known.values())
    if not all(isinstance(n, str) and n.strip(".") and not set(n) & set("/\\:") for n in names):
        raise WorkspaceError("Settings are names: of a domain, a network, a rule set and so on.")
    try:
        return Settings(**known)
    except TypeError as error:
        raise WorkspaceError("The settings are incomplete.") from error


def analysis_key(sha256: str, settings: Settings, weights: str, explain_intact: bool) -> str:
    """Names an analysis by all that decides it; thresholder and refiner do not."""
    decides = {
        name: value
        for name, value in settings.evidence().items()
        if OPTIONS[name].keyed and (name in _ALWAYS_KEYED or value != DEFAULTS.get(name))
    }
    text = json.dumps([sha256, decides, weights, explain_intact], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]
