"""What a picture's result becomes when the witness has spoken (`lrpseg.witness`)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np

from lrpseg.core.errors import OptionError
from lrpseg.core.registry import Registry
from lrpseg.domains import Domain
from lrpseg.pipeline.found import Found, Map
from lrpseg.witness.verdict import Verdict
from lrpseg.witness.witness import Testimony, WitnessFiles

NO_WITNESS = "none"


@dataclass(frozen=True)
class WitnessKind:
    """One entry of the registry of witnesses."""

    title: str
    description: str


WITNESSES: Registry[WitnessKind] = Registry("witness")
WITNESSES.add(NO_WITNESS, WitnessKind("None", "The network decides alone."))
WITNESSES.add(
    "dinov2",
    WitnessKind(
        "DINOv2",
        "A second network, which was never told of damage, looks at each patch: one probability "
        "from both, and a picture on which they disagree is doubtful.",
    ),
)


def witness_of(domain: Domain, name: str) -> WitnessFiles | None:
    """The files of the witness `name` of a domain; None for none.

    Raises `OptionError` for a name that does not exist, or that the domain does not have.
    """
    WITNESSES[name]
    if name == NO_WITNESS:
        return None
    if name not in domain.witnesses:
        known = ", ".join([NO_WITNESS, *domain.witnesses])
        raise OptionError(
            f"The domain {domain.name!r} has no witness {name!r}. Choose one of: {known}."
        )
    return domain.witnesses[name]


def usual_witness(witnesses: Mapping[str, object]) -> str:
    """The witness that is asked where nobody chose, of those that a domain has."""
    return next(iter(witnesses), NO_WITNESS)


def heard(found: Found, testimony: Testimony, verdict: Verdict, explain_all: bool) -> Found:
    """What the network found, after the witness has spoken.

    The probability is that of both, and decides. Damage that the network did not see is shown as
    the witness sees it; of what both together take for intact the mask is empty. Where everything
    is to be explained, it is as the one sees it that speaks for damage: the witness where it alone
    does, else the network.
    """
    probability = verdict.of_both(found.probability, testimony.score)
    damaged = probability > 0.5
    said = replace(
        found, probability=probability, damaged=damaged, network=found.probability,
        witness=verdict.witness(testimony.score),
    )  # fmt: skip
    objects = said.doubtful and found.probability <= 0.5
    if not objects and (explain_all or (damaged and found.explained)):
        return said
    shape = found.relevance.shape
    height, width = shape[:2]
    own = found.own_likelihood
    shown = damaged or explain_all
    relevance = spread(verdict.relevance(testimony.patches), (height, width)) if shown else None
    if explain_all and relevance is not None and not relevance.any():
        return said
    if relevance is None or not relevance.any():
        nothing = _read_only(np.zeros(shape, np.float32))
        return replace(
            said, explained=False, relevance=nothing,
            own_likelihood=None if own is None else nothing,
        )  # fmt: skip
    own = None if own is None else _read_only(relevance / relevance.max())
    return replace(said, explained=True, relevance=relevance, own_likelihood=own)


def spread(patches: Map, shape: tuple[int, int]) -> Map:
    """Values of patches at the size (H, W) of their picture, 0 or more."""
    large = cv2.resize(patches, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return _read_only(np.maximum(np.asarray(large, np.float32), 0))


def _read_only(values: Map) -> Map:
    values.flags.writeable = False
    return values
