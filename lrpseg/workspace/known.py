"""What an analysis said of each class, kept as JSON beside its maps."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lrpseg.masks.render import save_text
from lrpseg.pipeline.results import Result
from lrpseg.workspace.item import ItemLayer


@dataclass(frozen=True)
class Known:
    """Of the class `name`; the rest as in `lrpseg.pipeline.results.Found`."""

    name: str
    probability: float
    damaged: bool
    explained: bool
    network: float | None = None
    witness: float | None = None

    def layer(self) -> ItemLayer:
        """As a layer of a picture, on which nobody chose or drew anything."""
        return ItemLayer(
            id=0,
            name=self.name,
            probability=self.probability,
            damaged=self.damaged,
            explained=self.explained,
            threshold=None,
            own_threshold=None,
            min_area=0,
            max_hole=0,
            drawn=False,
            truth="",
            network=self.network,
            witness=self.witness,
        )


def known_of(result: Result) -> tuple[Known, ...]:
    """What a result says of its classes, in their order."""
    return tuple(
        Known(e.name, e.probability, e.damaged, e.explained, e.network, e.witness)
        for e in result.layers
    )


def save_known(known: Sequence[Known], path: Path) -> None:
    """Write it to a file; that of one class does not name it, as before there were several."""
    told = [{k: v for k, v in asdict(entry).items() if v is not None} for entry in known]
    if len(told) == 1:
        kept: dict[str, Any] = {k: v for k, v in told[0].items() if k != "name"}
    else:
        kept = {"layers": told}
    save_text(json.dumps(kept), path)


def read_known(path: Path, names: Sequence[str]) -> tuple[Known, ...] | None:
    """The inverse, for a domain with the classes `names`; None where there is no such file, or it
    is damaged or of other classes."""
    try:
        held = json.loads(path.read_text())
        if "layers" in held:
            known = tuple(Known(**entry) for entry in held["layers"])
        else:
            known = (Known(names[0], **held),) if len(names) == 1 else ()
    except (OSError, ValueError, TypeError):
        return None
    return known if [entry.name for entry in known] == list(names) else None
