"""Puts what was shipped into a domain, beside its other networks."""

import json
import shutil
from pathlib import Path
from typing import Any

from lrpseg.core.errors import LrpsegError
from lrpseg.domains import DOMAIN_FILE, Domain
from lrpseg.masks.render import save_text
from lrpseg.pipeline.curves import FILE_NAME
from training.loops.entries import PER_CLASSIFIER
from training.reports.operating_points import as_text

SAME = ("format", "start", "pooling", "split", "images", "regions", "seed", "metric")
"""What has to be equal in two files whose curves go into one."""


def install(made: Domain, network: str, into: Domain) -> Path:
    """Copy weights, card and report of `network` from the domain `made`, and take over its entries
    of `domain.json` and its operating points; returns the folder.

    Raises:
        LrpsegError: the domain's own operating points were measured on other pictures.
    """
    points = _merged(made.folder / FILE_NAME, into.folder / FILE_NAME, network)
    source = json.loads((made.folder / DOMAIN_FILE).read_text("utf-8"))
    entry: dict[str, Any] = json.loads((into.folder / DOMAIN_FILE).read_text("utf-8"))
    for name in (f"{network}.safetensors", f"{network}.md", f"{network}-report.md"):
        if (made.folder / name).is_file():
            part = into.folder / f".{name}.part"
            shutil.copyfile(made.folder / name, part)
            part.replace(into.folder / name)
    if network in source["checkpoints"]:
        entry["checkpoints"] = entry["checkpoints"] | {network: source["checkpoints"][network]}
        for of in PER_CLASSIFIER:
            held = {n: c for n, c in entry.pop(of, {}).items() if n != network}
            held |= {n: c for n, c in source.get(of, {}).items() if n == network}
            if held:
                entry[of] = held
    save_text(json.dumps(entry, indent=2) + "\n", into.folder / DOMAIN_FILE)
    if points is not None:
        save_text(points, into.folder / FILE_NAME)
    return into.folder


def _merged(new: Path, old: Path, network: str) -> str | None:
    """The file's text with the curves of `network` from `new`, the others from `old`; None where
    there is nothing new."""
    if not new.is_file():
        return None
    head: dict[str, Any] = json.loads(new.read_text("utf-8"))
    curves = head.pop("curves")
    if not old.is_file():
        return as_text(head, curves)
    held: dict[str, Any] = json.loads(old.read_text("utf-8"))
    unlike = [name for name in SAME if held.get(name) != head.get(name)]
    if unlike:
        raise LrpsegError(
            f"{old} differs in {', '.join(unlike)} from what was measured now. Measure all of the "
            "domain's networks anew with `python -m training.reports.operating_points`."
        )
    others = [c for c in held["curves"] if c["network"] != network]
    head["checkpoints"] = held["checkpoints"] | head["checkpoints"]
    return as_text(head | {"domain": held["domain"]}, [*others, *curves])
