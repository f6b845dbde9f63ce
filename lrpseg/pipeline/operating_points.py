"""What to expect at a threshold: precision, recall and IoU measured on validation images.

    points = lrpseg.load_operating_points("magnetic-tile", thresholder="simple")
    point = points.at_precision(0.8)    # marks most damage among those with precision >= 0.8
    result.at(point.threshold)

The figures are read from `operating-points.json` beside the domain's weights, which
`python -m training.reports.operating_points` writes; nothing is measured here.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

from lrpseg.core.errors import OptionError
from lrpseg.domains import FIRST_DOMAIN, Domain, load_domain
from lrpseg.models.checkpoints import checkpoint_hash
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.curves import UNION, UNUSABLE, operating_points_file, read_curves
from lrpseg.pipeline.defaults import default_settings
from lrpseg.pipeline.operating_curve import OperatingPoints, points_of
from lrpseg.pipeline.settings import MEASURED, Settings, taking
from lrpseg.pipeline.testifying import witness_of


@taking(*MEASURED)
def load_operating_points(
    domain: str = FIRST_DOMAIN,
    *,
    class_name: str | None = None,
    assets: Path | None = None,
    **choices: Any,
) -> OperatingPoints:
    """The operating points that were measured for a combination; arguments as in `lrpseg.load`.

    Hashes the weights file to see whether the points are stale, so keep the result rather than
    load it for each threshold.

    Args:
        class_name: of a class of the domain; None: all of its classes together.
        {choices}

    Raises:
        OptionError: a name that does not exist, a missing or unusable file, or a combination that
            was not measured; the message names the file and what to do.
    """
    loaded = load_domain(domain, assets)
    settings = default_settings(loaded, **choices)
    # Of an only class all is the same as of all classes.
    wanted_class = UNION if class_name is None or len(loaded.classes) == 1 else class_name
    if class_name is not None:
        loaded.classes.index(class_name)
    wanted = {name: getattr(settings, name) for name in MEASURED}
    if loaded.learned(settings.network):
        raise OptionError(
            f"Nothing was measured with {settings.network!r} of {loaded.name!r}, which was learned "
            "from corrections: choose its threshold by eye."
        )
    path = operating_points_file(loaded)
    make = f"python -m training.reports.operating_points --data DIR --domain {loaded.name}"
    if not path.is_file():
        raise OptionError(f"{path} is missing. Make it with `{make}`.")
    try:
        held, entries = read_curves(path, wanted_class)
        entry = entries.get(tuple(wanted.values()))
        stale = entry is not None and _is_stale(held, loaded, settings)
        points = None if entry is None else _parse(held, entry, stale)
    except UNUSABLE as error:
        raise OptionError(
            f"{path} cannot be used: {error!r}. Make it anew with `{make}`."
        ) from error
    if points is None:
        asked = ", ".join(f"{_words(c)} {name!r}" for c, name in wanted.items())
        known = "; ".join(
            f"{_words(c)} {', '.join(dict.fromkeys(names[i] for names in entries))}"
            for i, c in enumerate(MEASURED)
        )
        raise OptionError(
            f"{path} has no operating points of {asked}. It has: {known}. Choose among these, or "
            f"replace the file with `{make} --start {settings.start} --pooling {settings.pooling}`."
        )
    return points


def weights_hash(domain: Domain, settings: Settings) -> str:
    """SHA-256 of each of the weights files that decide, the network's calibration, and what the
    witness is known by, joined by "+"."""
    network = settings.network
    hashes = [checkpoint_hash(path) for path in NETWORKS[network].weights(domain)]
    if network in domain.calibration:
        hashes.append(str(domain.calibration[network]))
    witness = witness_of(domain, settings.witness)
    if witness is not None:
        hashes.append(str(witness))
    return "+".join(hashes)


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


def _is_stale(held: dict[str, Any], domain: Domain, settings: Settings) -> bool:
    """Whether the present weights, or the witness, differ from the measured ones; True also where
    there are none."""
    network = settings.network
    witness = witness_of(domain, settings.witness)
    if witness is not None and held.get("witnesses", {}).get(settings.witness) != str(witness):
        return True
    path = domain.checkpoints.get(network)
    if path is None or not path.is_file():
        return True
    measured = held["checkpoints"]
    decides = dict.fromkeys((network, NETWORKS[network].explains(domain)))
    return any(
        checkpoint_hash(domain.checkpoint(name)) != measured[name]
        for name in decides
        if name == network or name in measured
    )
