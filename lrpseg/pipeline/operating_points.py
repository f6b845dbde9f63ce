"""What to expect at a threshold: precision, recall and IoU measured on validation images.

    points = lrpseg.load_operating_points("magnetic-tile", thresholder="simple")
    point = points.at_precision(0.8)    # marks most damage among those with precision >= 0.8
    result.at(point.threshold)

The figures are read from `operating-points.json` beside the domain's weights, which
`python -m training.reports.operating_points` writes; nothing is measured here.
"""

import json
from dataclasses import astuple, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from lrpseg.core.errors import OptionError
from lrpseg.core.registry import Registry
from lrpseg.domains import Domain, load_domain
from lrpseg.lrp import DEFAULT_POOLING, DEFAULT_START, POOLINGS, RULE_SETS, STARTS
from lrpseg.models.checkpoints import checkpoint_hash
from lrpseg.models.networks import NETWORKS, classifiers
from lrpseg.pipeline.operating_curve import OperatingPoints, points_of
from lrpseg.refiners import DEFAULT_REFINER, REFINERS
from lrpseg.thresholders import THRESHOLDERS

FILE_NAME = "operating-points.json"
FORMAT = 2
"""Version of the file's layout; a file of another one is refused."""

CHOICES = ("network", "rule_set", "thresholder", "refiner", "start", "pooling")
"""What names a curve within a domain's file."""


def load_operating_points(
    domain: str = "magnetic-tile",
    *,
    network: str | None = None,
    rule_set: str | None = None,
    thresholder: str | None = None,
    refiner: str | None = None,
    start: str = DEFAULT_START,
    pooling: str = DEFAULT_POOLING,
    assets: Path | None = None,
) -> OperatingPoints:
    """The operating points that were measured for a combination; arguments as in `lrpseg.load`.

    Hashes the weights file to see whether the points are stale, so keep the result rather than
    load it for each threshold.

    Raises:
        OptionError: a name that does not exist, a missing or unusable file, or a combination that
            was not measured; the message names the file and what to do.
    """
    loaded = load_domain(domain, assets)
    choice = default_choice(loaded, network, rule_set, thresholder, refiner)
    STARTS[start], POOLINGS[pooling]
    wanted = dict(zip(CHOICES, (*astuple(choice), start, pooling), strict=True))
    if loaded.learned(choice.network):
        raise OptionError(
            f"Nothing was measured with {choice.network!r} of {loaded.name!r}, which was learned "
            "from corrections: choose its threshold by eye."
        )
    path = operating_points_file(loaded)
    make = f"python -m training.reports.operating_points --data DIR --domain {loaded.name}"
    if not path.is_file():
        raise OptionError(f"{path} is missing. Make it with `{make}`.")
    try:
        held, entries = _read(path)
        entry = entries.get(tuple(wanted.values()))
        stale = entry is not None and _is_stale(held, loaded, choice.network)
        points = None if entry is None else _parse(held, entry, stale)
    except _UNUSABLE as error:
        raise OptionError(
            f"{path} cannot be used: {error!r}. Make it anew with `{make}`."
        ) from error
    if points is None:
        asked = ", ".join(f"{_words(c)} {name!r}" for c, name in wanted.items())
        known = "; ".join(
            f"{_words(c)} {', '.join(dict.fromkeys(names[i] for names in entries))}"
            for i, c in enumerate(CHOICES)
        )
        raise OptionError(
            f"{path} has no operating points of {asked}. It has: {known}. Choose among these, or "
            f"replace the file with `{make} --start {start} --pooling {pooling}`."
        )
    return points


@dataclass(frozen=True)
class Choice:
    """Names in the registries `NETWORKS`, `RULE_SETS`, `THRESHOLDERS` and `REFINERS`."""

    network: str
    rule_set: str
    thresholder: str
    refiner: str


def default_choice(
    domain: Domain,
    network: str | None = None,
    rule_set: str | None = None,
    thresholder: str | None = None,
    refiner: str | None = None,
    *,
    classifiers_only: bool = False,
) -> Choice:
    """What was not given (None) becomes what made the best masks beside what was given.

    Best: the highest mean IoU of the thresholder's own thresholds on the domain's validation
    images; with `classifiers_only` among networks that LRP can explain. Where nothing was measured:
    the domain's first classifier, "ours", "simple" and "none". A domain that was learned offers
    what it learned first, with the thresholder "fraction".

    Raises `OptionError` for a name that does not exist.
    """
    given = (network, rule_set, thresholder, refiner)
    registries: tuple[Registry[Any], ...] = (NETWORKS, RULE_SETS, THRESHOLDERS, REFINERS)
    for registry, name in zip(registries, given, strict=True):
        if name is not None:
            registry[name]
    own = [name for name in domain.checkpoints if domain.learned(name)]
    if own and not classifiers_only and network in (None, *own):
        if rule_set is None:
            rule_set = default_choice(domain, classifiers_only=True).rule_set
        if refiner is None and domain.base is not None:  # as was best before it learned
            refiner = default_choice(domain.base, network or own[0], rule_set, thresholder).refiner
        return Choice(
            network or own[0], rule_set, thresholder or "fraction", refiner or DEFAULT_REFINER
        )
    try:
        entries = _read(operating_points_file(domain))[1] if None in given else {}
        fits = {
            names[:4]: float(entry["own"]["iou"][0])
            for names, entry in entries.items()
            if all(g in (None, n) for g, n in zip(given, names, strict=False))
            and names[0] in domain.checkpoints
            and names[4:] == (DEFAULT_START, DEFAULT_POOLING)
            and not (classifiers_only and NETWORKS[names[0]].segments)
        }
    except (OSError, *_UNUSABLE):  # a default is no reason to fail: `load_operating_points` says it
        fits = {}
    first = next(iter(classifiers(domain.checkpoints)), next(iter(NETWORKS)))
    best = max(fits, key=fits.__getitem__, default=(first, "ours", "simple", DEFAULT_REFINER))
    return Choice(*(b if g is None else g for g, b in zip(given, best, strict=True)))


def operating_points_file(domain: Domain) -> Path:
    """Where a domain's operating points are: beside its `domain.json`; the file may be missing.

    Those of a domain that was learned are its base's, for the networks that come from there.
    """
    return (domain.base or domain).folder / FILE_NAME


def weights_hash(domain: Domain, network: str) -> str:
    """SHA-256 of each of `Domain.weights`, and the network's calibration, joined by "+"."""
    hashes = [checkpoint_hash(path) for path in domain.weights(network)]
    if network in domain.calibration:
        held = domain.calibration[network]
        hashes.append(f"{held.slope:g},{held.offset:g}")
    return "+".join(hashes)


_UNUSABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError)
"""What reading a file of another layout may raise."""


def _read(path: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], dict[str, Any]]]:
    """The file, and its curves by the names in `CHOICES`."""
    held = json.loads(path.read_text("utf-8"))
    if held["format"] != FORMAT:
        raise ValueError(f"its format is {held['format']!r}, not {FORMAT}")
    return held, {tuple(entry[c] for c in CHOICES): entry for entry in held["curves"]}


def _words(choice: str) -> str:
    return choice.replace("_", " ")


def _parse(held: dict[str, Any], entry: dict[str, Any], stale: bool) -> OperatingPoints:
    curve = points_of(entry["curve"])
    thresholds = [p.threshold for p in curve]
    if not thresholds or thresholds[0] != 0 or thresholds[-1] != 1:
        raise ValueError("a curve does not reach from threshold 0 to 1")
    if any(a >= b for a, b in pairwise(thresholds)):
        raise ValueError("a curve's thresholds do not ascend")
    (own,) = points_of(entry["own"])
    low, high = map(float, entry["average_precision_interval"])
    return OperatingPoints(
        curve=curve,
        own=own,
        average_precision=float(entry["average_precision"]),
        average_precision_interval=(low, high),
        split=str(held["split"]),
        images=int(held["images"]),
        regions=int(held["regions"]),
        metric=str(held["metric"]),
        stale=stale,
        pictures={k: (float(a), float(b)) for k, (a, b) in held.get("pictures", {}).items()},
    )


def _is_stale(held: dict[str, Any], domain: Domain, network: str) -> bool:
    """Whether the present weights differ from the measured ones; True also where there are none."""
    path = domain.checkpoints.get(network)
    if path is None or not path.is_file():
        return True
    measured = held["checkpoints"]
    decides = (network, domain.classifier) if NETWORKS[network].segments else (network,)
    return any(
        checkpoint_hash(domain.checkpoint(name)) != measured[name]
        for name in decides
        if name == network or name in measured
    )
