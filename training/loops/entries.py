"""Entries of a `domain.json` that belong to a classifier's very weights: calibration and ranges."""

import json
from collections.abc import Mapping
from typing import Any

from lrpseg.domains import DOMAIN_FILE, Domain
from lrpseg.masks.render import save_text
from lrpseg.models.checkpoints import checkpoint_hash

PER_CLASSIFIER = ("calibration", "ranges")
"""Parts of a `domain.json` that have an entry for each classifier."""


def store(domain: Domain, part: str, network: str, found: Mapping[str, Any]) -> None:
    """Write the entry of a domain's classifier in a part of its `domain.json`, beside the hash of
    its weights."""
    path = domain.folder / DOMAIN_FILE
    entry = json.loads(path.read_text("utf-8"))
    held = {**found, "weights": checkpoint_hash(domain.checkpoint(network))}
    entry[part] = entry.get(part, {}) | {network: held}
    save_text(json.dumps(entry, indent=2) + "\n", path)
