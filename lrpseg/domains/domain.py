"""Domains: what is inspected, with its class names, normalisation and checkpoints.

A domain is a folder with a `domain.json`. Those that `lrpseg learn` makes name the one that they
are `based_on`, hold one checkpoint, and take all else from there.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lrpseg.core.assets import assets_folder, shared_file
from lrpseg.core.errors import CheckpointError, OptionError
from lrpseg.core.files import data_folder
from lrpseg.domains.classes import ClassSet, check_name
from lrpseg.models.inputs import Calibration, Normalisation, Ranges
from lrpseg.models.networks import NETWORKS, classifiers
from lrpseg.witness.verdict import Verdict
from lrpseg.witness.witness import WitnessFiles

DOMAIN_FILE = "domain.json"
FIRST_DOMAIN = "magnetic-tile"
"""The one where none is given; the menus show it at the start, where it is there."""


@dataclass(frozen=True)
class Domain:
    """What is inspected. `checkpoints` maps a network's name to its weights file.

    intact: what a picture without damage is called; classes: the kinds of damage. base: the domain
    that this one was learned from; None: it stands by itself. decides: the classifier that decides
    beside networks that segment, None: the first one. calibration, ranges: of classifiers, by name.
    witnesses: by name, the usual one first.
    """

    name: str
    folder: Path
    title: str
    intact: str
    classes: ClassSet
    normalisation: Normalisation
    checkpoints: dict[str, Path]
    base: "Domain | None" = None
    decides: str | None = None
    calibration: Mapping[str, Calibration] = field(default_factory=dict)
    ranges: Mapping[str, Ranges] = field(default_factory=dict)
    witnesses: Mapping[str, WitnessFiles] = field(default_factory=dict)

    @property
    def classifier(self) -> str:
        """The classifier that decides whether there is damage where a network segments by itself,
        and whose relevance is shown as the reason.

        Raises `CheckpointError` where the domain has no classifier.
        """
        first = next(iter(classifiers(self.checkpoints)), None)
        if first is None:
            raise CheckpointError(
                f"The domain {self.name!r} has no classifier. Train one with "
                "`python -m training.loops.train`."
            )
        return self.decides or first

    def learned(self, network: str) -> bool:
        """Whether the weights of `network` were learned from corrections, on top of the base's."""
        path = self.checkpoints.get(network)
        return self.base is not None and path is not None and path.parent == self.folder

    def checkpoint(self, network: str) -> Path:
        """The weights file of `network`; raises `OptionError` or `CheckpointError`."""
        NETWORKS[network]
        if network not in self.checkpoints:
            have = ", ".join(self.checkpoints) or "none"
            raise CheckpointError(
                f"The domain {self.name!r} has no checkpoint of the network {network!r} "
                f"(it has: {have}). Train one with `python -m training.loops.train`."
            )
        return self.checkpoints[network]


def learned_folder() -> Path | None:
    """Where `lrpseg learn` puts domains: $LRPSEG_DOMAINS, else below the user's own data folder.

    None where the variable is empty: then there are none, as on a hosted page.
    """
    folder = os.environ.get("LRPSEG_DOMAINS")
    if folder is not None:
        return Path(folder) if folder else None
    return data_folder() / "domains"


def list_domains(assets: Path | None = None) -> list[str]:
    """Names of the domains whose folder under `assets` holds a `domain.json`.

    Without `assets`: of the shipped ones, then of those that were learned here and can be used.
    """
    shipped = _names(assets or assets_folder())
    return shipped if assets else shipped + [n for n in learned_domains() if known_domain(n)]


def learned_domains() -> list[str]:
    """Names in `learned_folder`, v2 before v10; a shipped domain's name is not among them."""
    folder = learned_folder()
    return sorted(set(_names(folder)) - set(_names(assets_folder())), key=_parts) if folder else []


def _names(folder: Path) -> list[str]:
    # A name that begins with a dot is of a folder that is being written.
    return sorted(
        p.parent.name for p in folder.glob(f"*/{DOMAIN_FILE}") if p.parent.name[0] != "."
    )  # fmt: skip


def _parts(name: str) -> list[tuple[int, str]]:
    return [(int(p or 0), "") if i % 2 else (0, p) for i, p in enumerate(re.split(r"(\d+)", name))]


def load_domain(name: str | os.PathLike[str], assets: Path | None = None) -> Domain:
    """The domain called `name`, or the one whose `domain.json` lies in the folder `name`.

    Raises:
        OptionError: there is no such domain, or its `domain.json` cannot be used.
    """
    folder = _find(name, assets)
    if folder is None:
        known = list_domains(assets)
        raise OptionError(
            f"There is no domain {str(name)!r}. Choose one of: {', '.join(known) or 'none'}; "
            f"or give a folder that holds a {DOMAIN_FILE}."
        )
    path = folder / DOMAIN_FILE
    try:
        entry, base = _read(folder), None
        if "based_on" in entry:  # a base has no base itself: `learn` names the first one
            below = _find(entry["based_on"], assets)
            if below is None:
                raise ValueError(f"the domain {entry['based_on']!r}, on which it is based, is gone")
            base = _parse(below, _read(below))
            entry = _read(below) | {"checkpoints": {}, "witnesses": {}} | entry
        return _parse(folder, entry, base)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OptionError(
            f"{path} cannot be used: {error!r}. Compare it with a shipped one."
        ) from error


def known_domain(name: str) -> Domain | None:
    """As `load_domain`; None where there is no such domain, or none that can be used.

    For pictures that were made with one: what was learned may have been forgotten since, or be on
    another machine.
    """
    try:
        return load_domain(name)
    except OptionError:
        return None


def _find(name: str | os.PathLike[str], assets: Path | None) -> Path | None:
    """The folder of a domain, None where there is none."""
    folder = Path(name)
    if (folder / DOMAIN_FILE).is_file():
        return folder
    if str(name) in _names(assets or assets_folder()):
        return (assets or assets_folder()) / name
    learned = learned_folder()
    if assets is None and learned is not None and str(name) in learned_domains():
        return learned / name
    return None


def _read(folder: Path) -> dict[str, Any]:
    return json.loads((folder / DOMAIN_FILE).read_text("utf-8"))


def _parse(folder: Path, entry: dict[str, Any], base: Domain | None = None) -> Domain:
    intact, classes = _classes(entry)
    mean, std = entry["normalisation"]["mean"], entry["normalisation"]["std"]
    if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        raise ValueError("normalisation needs three means and three positive deviations")
    checkpoints = {network: folder / file for network, file in entry["checkpoints"].items()}
    for path in checkpoints.values():
        if path.parent != folder:
            raise ValueError(f"checkpoint {path.name} must lie beside {DOMAIN_FILE}")
    held = (base.checkpoints if base else {}) | checkpoints
    decides = entry.get("classifier")
    if decides is not None and decides not in classifiers(held):
        raise ValueError(f"classifier {decides!r} is none that it has a checkpoint of")
    calibration = {
        network: Calibration(_numbers(c["slope"]), _numbers(c["offset"]), str(c["weights"]))
        for network, c in entry.get("calibration", {}).items()
    }
    for held_by in calibration.values():
        for values in (held_by.slope, held_by.offset):
            if isinstance(values, tuple) and len(values) != len(classes):
                raise ValueError("a calibration has one number, or one for each class")
    if calibration.keys() - set(classifiers(held)):
        raise ValueError("a calibration is of a network that is none of its classifiers")
    ranges = {
        network: Ranges({k: float(v) for k, v in held["highest"].items()}, str(held["weights"]))
        for network, held in entry.get("ranges", {}).items()
    }
    witnesses = dict(base.witnesses) if base else {}
    for name, held_by_witness in entry.get("witnesses", {}).items():
        witnesses[name] = _witness(folder, held_by_witness)
    if witnesses and len(classes) > 1:
        raise ValueError("a witness tells damage from intact, and no kinds of damage")
    return Domain(
        name=os.path.basename(os.path.abspath(folder)),  # of "." too
        folder=folder,
        title=str(entry["title"]),
        intact=intact,
        classes=classes,
        normalisation=Normalisation(_triple(mean), _triple(std)),
        checkpoints=held,
        base=base,
        decides=decides,
        calibration=calibration,
        ranges=ranges,
        witnesses=witnesses,
    )


def _witness(folder: Path, entry: dict[str, Any]) -> WitnessFiles:
    """Its encoder lies beside `domain.json`, or is one that domains share."""
    judge = str(entry["judge"])
    if Path(judge).name != judge:
        raise ValueError(f"a witness's judge is named without a folder, not {judge!r}")
    slope, offset = map(float, entry["alone"])
    network, score, both = map(float, entry["together"])
    return WitnessFiles(
        encoder=shared_file(str(entry["encoder"]), folder),
        judge=folder / judge,
        encoder_weights=str(entry["encoder_weights"]),
        judge_weights=str(entry["judge_weights"]),
        verdict=Verdict((slope, offset), (network, score, both)),
    )


def _classes(entry: dict[str, Any]) -> tuple[str, ClassSet]:
    """What "intact" is called, and the classes of damage: `"intact"` beside a list of classes, or
    the pair (intact, damaged) that domains of one class have."""
    if not isinstance(entry["classes"], list):
        raise ValueError("classes is no list")
    if "intact" in entry:
        return str(entry["intact"]), ClassSet.parse(entry["classes"])
    intact, damaged = map(str, entry["classes"])
    try:
        return intact, ClassSet.parse([check_name(damaged)])
    except OptionError:  # a name from before formats and folders had to hold it
        safe = re.sub(r'[/\\:"<>|?*]', "_", damaged).strip(" .") or "damaged"
        return intact, ClassSet.parse([{"name": safe, "title": damaged}])


def _numbers(value: float | list[float]) -> float | tuple[float, ...]:
    """One number, or of several classes one for each."""
    return tuple(map(float, value)) if isinstance(value, list) else float(value)


def _triple(values: list[float]) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue
