"""What a picture's result becomes when the witness has spoken (`lrpseg.witness`)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lrpseg.core.errors import OptionError
from lrpseg.core.registry import Registry
from lrpseg.domains import Domain
from lrpseg.pipeline.found import Found, Map
from lrpseg.pipeline.tiling import TileGrid
from lrpseg.witness.nearest import highest
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


OF_RELEVANCE, OF_LIKELIHOOD = 2.0, 1.0
"""Powers of the witness's map with which evidence of a kind is weighted: chosen by leaving regions
out, and on val (docs/history.md)."""


def heard(
    found: Found, testimony: Testimony, verdict: Verdict, explain_all: bool, taught: bool = False
) -> Found:
    """What the network found, after the witness has spoken.

    The probability is that of both, and decides. Evidence counts as far as the witness sees damage
    in the same place, unless a person taught the network where damage lies (`taught`); where both
    together take the picture for intact there is none, unless everything is to be explained.
    """
    probability = verdict.of_both(found.probability, testimony.score)
    damaged = probability > 0.5
    said = replace(
        found, probability=probability, damaged=damaged, network=found.probability,
        witness=verdict.witness(testimony.score),
    )  # fmt: skip
    if not damaged and not explain_all:
        nothing = _read_only(np.zeros(found.relevance.shape, np.float32))
        own = None if found.own_likelihood is None else nothing
        return replace(said, explained=False, relevance=nothing, own_likelihood=own)
    if taught or not found.explained:
        return said
    seconded = second(found.evidence, found.own_likelihood is not None, testimony, verdict)
    return said if seconded is None else replace(said, seconded=_read_only(seconded))


def second(evidence: Map, likelihood: bool, testimony: Testimony, verdict: Verdict) -> Map | None:
    """(H, W) evidence, relevance or the network's own `likelihood`, as far as the witness sees
    damage in the same place: (H, W) float32, 0 or more. None where that is nowhere: then the
    evidence stands by itself."""
    power = OF_LIKELIHOOD if likelihood else OF_RELEVANCE
    seen = weights(testimony, verdict, evidence.shape, power)
    seconded = None if seen is None else np.maximum(evidence, 0) * seen
    return seconded if seconded is not None and seconded.any() else None


def weights(
    testimony: Testimony, verdict: Verdict, shape: tuple[int, ...], power: float = OF_RELEVANCE
) -> Map | None:
    """(H, W) float32 in [0, 1]: how much of the damage that the witness sees lies where, at the
    size of the picture; None where all of it looks alike."""
    large = spread(verdict.relevance(testimony.patches), (shape[0], shape[1]))
    most = float(large.max())
    return None if most <= 0 else np.asarray((large / most) ** power, np.float32)


def flagged(testimony: Testimony, verdict: Verdict, grid: TileGrid) -> NDArray[np.bool_]:
    """(rows, columns) of the grid: the tiles in which the witness alone sees damage. They are
    explained whatever the network says of them."""
    height, width = testimony.patches.shape
    found = np.zeros(grid.shape, bool)
    for tile in grid:
        rows, columns = (
            slice(start * count // length, -(-(start + tile.side) * count // length))
            for start, count, length in (
                (tile.y, height, grid.height), (tile.x, width, grid.width),
            )
        )  # fmt: skip
        score = highest(torch.from_numpy(testimony.patches[rows, columns].copy()))
        found[tile.row, tile.column] = verdict.witness(score) > 0.5
    return found


def spread(patches: Map, shape: tuple[int, int]) -> Map:
    """Values of patches at the size (H, W) of their picture, 0 or more."""
    large = cv2.resize(patches, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return _read_only(np.maximum(np.asarray(large, np.float32), 0))


def _read_only(values: Map) -> Map:
    values.flags.writeable = False
    return values
