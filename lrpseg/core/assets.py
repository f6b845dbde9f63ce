"""Where shipped files are."""

import os
from pathlib import Path

SHARED = "shared"
"""Folder, beside those of domains, of weights that several of them use."""


def assets_folder() -> Path:
    """Where shipped files are: $LRPSEG_ASSETS, else inside the package, else beside it."""
    if os.environ.get("LRPSEG_ASSETS"):
        return Path(os.environ["LRPSEG_ASSETS"])
    package = Path(__file__).parents[1]
    packaged = package / "assets"
    return packaged if packaged.is_dir() else package.parent / "assets"


def shared_file(name: str, folder: Path) -> Path:
    """A file that something in `folder` uses with others: it lies there, in the folder `SHARED`
    beside, or is shipped. Where it is nowhere: where it would be shipped.

    Raises `ValueError` for a name with a folder in it.
    """
    if Path(name).name != name:
        raise ValueError(f"a shared file is named without a folder, not {name!r}")
    places = (folder, folder.parent / SHARED, assets_folder() / SHARED)
    return next((found for at in places if (found := at / name).is_file()), places[-1] / name)
