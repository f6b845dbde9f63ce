"""What every training script needs to go on after a kill: settings that compare, atomic states."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def plain(config: Any) -> dict[str, Any]:
    """A configuration (a dataclass) as JSON would give it back (tuples become lists)."""
    return json.loads(json.dumps(asdict(config)))


def save_state(fabric: "Fabric", path: Path, state: dict[str, Any]) -> None:
    """Write `last.ckpt` atomically, from all ranks: a kill leaves the one of the epoch before."""
    temporary = path.with_suffix(".part")
    fabric.save(temporary, state)
    if fabric.is_global_zero:
        os.replace(temporary, path)
    fabric.barrier()
