"""The sample pictures that ship."""

import json
from pathlib import Path

from lrpseg.domains.domain import assets_folder


def shipped_samples() -> list[tuple[Path, str]]:
    """Each with the domain that it is for, in the order of their names."""
    folder = assets_folder() / "samples"
    listing = folder / "samples.json"
    listed: dict[str, str] = json.loads(listing.read_text("utf-8")) if listing.is_file() else {}
    return [(folder / f"{name}.png", domain) for name, domain in sorted(listed.items())]
