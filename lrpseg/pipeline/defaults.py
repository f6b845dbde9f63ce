"""Policy: what settings become where nobody chose, and what else changes with a choice."""

from collections.abc import Mapping
from typing import Any

from lrpseg.domains import Domain, load_domain
from lrpseg.models.networks import NETWORKS, classifiers
from lrpseg.pipeline.curves import measured_curves, own_iou
from lrpseg.pipeline.settings import BEST, DEFAULTS, MEASURED, Settings, checked
from lrpseg.pipeline.testifying import NO_WITNESS, usual_witness

UNMEASURED = {"rule_set": "ours", "thresholder": "simple", "refiner": "none"}
"""What is chosen beside a domain's first classifier where nothing was measured."""


def default_settings(
    domain: Domain, /, *, classifiers_only: bool = False, **given: Any
) -> Settings:
    """Settings of which `given` (fields; None: not given) are fixed, and the rest is what made the
    best masks beside them.

    Best: the highest mean IoU of the thresholder's own thresholds on the domain's validation
    images; with `classifiers_only` among networks that LRP can explain. Where nothing was measured:
    the domain's first classifier and `UNMEASURED`. A domain that was learned offers what it learned
    first, with that network's usual thresholder and what its base had as refiner.

    Raises `OptionError` for a name that does not exist.
    """
    wanted = {name: value for name, value in given.items() if value is not None}
    checked(wanted)
    wanted.setdefault("witness", usual_witness(domain.witnesses))
    own = [name for name in domain.checkpoints if domain.learned(name)]
    if own and not classifiers_only and wanted.get("network") in (None, *own):
        best = _of_learned(domain, wanted.get("network") or own[0], wanted)
    else:
        best = _measured_best(domain, wanted, classifiers_only)
    return Settings(**{**DEFAULTS, "domain": domain.name, **best, **wanted})


def after_choosing(changed: str, values: Mapping[str, Any]) -> Settings:
    """The settings after somebody chose another value for the field `changed`.

    With another domain all else becomes what is best for it. With another network the other choices
    stay, unless they cannot be as good for it, as one gives relevance and the other a likelihood.

    Args:
        values: of all fields that are shown, the new one among them.

    Raises `OptionError` for a name that does not exist.
    """
    domain = load_domain(values["domain"])
    if changed == "domain":
        return default_settings(domain, domain=values["domain"])
    settings = default_settings(domain, **values)
    unlike = NETWORKS[settings.network].evidence == "likelihood"
    if changed == "network" and (unlike or settings.thresholder == "fraction"):
        best = default_settings(domain, network=settings.network)
        return settings.but(**{name: getattr(best, name) for name in BEST})
    return settings


def _of_learned(domain: Domain, network: str, wanted: dict[str, Any]) -> dict[str, Any]:
    rule_set = wanted.get("rule_set") or _measured_best(domain, {}, True)["rule_set"]
    thresholder = wanted.get("thresholder")
    refiner = "none"
    if domain.base is not None:  # as was best before it learned
        beside = {"network": network, "rule_set": rule_set, "thresholder": thresholder}
        kept = {name: value for name, value in beside.items() if value is not None}
        refiner = default_settings(domain.base, **kept).refiner
    return {
        "network": network,
        "rule_set": rule_set,
        "thresholder": thresholder or NETWORKS[network].thresholder,
        "refiner": refiner,
    }


def _measured_best(
    domain: Domain, wanted: dict[str, Any], classifiers_only: bool
) -> dict[str, Any]:
    curves = {} if all(name in wanted for name in BEST) else measured_curves(domain)
    # Where nothing was measured beside the witness: what is best without one.
    for witness in dict.fromkeys((wanted.get("witness", NO_WITNESS), NO_WITNESS)):
        usual = {**DEFAULTS, "witness": witness}
        fits: dict[tuple[str, ...], float] = {}
        for names, curve in curves.items():
            named = dict(zip(MEASURED, names, strict=True))
            network = named["network"]
            if (
                network in domain.checkpoints
                and all(named[n] == wanted.get(n, named[n]) for n in BEST)
                and all(named[n] == usual[n] for n in MEASURED if n not in BEST)
                and not (classifiers_only and network not in classifiers([network]))
            ):
                fits[names] = own_iou(curve)
        if fits:
            names = max(fits, key=lambda key: fits[key])
            best = dict(zip(MEASURED, names, strict=True))
            return {name: best[name] for name in BEST}
    first = next(iter(classifiers(domain.checkpoints)), next(iter(NETWORKS)))
    return {"network": first, **UNMEASURED}
