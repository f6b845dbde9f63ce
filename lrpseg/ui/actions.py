"""What the page's events do: thin functions over the core, without state of their own."""

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lrpseg.domains import assets_folder
from lrpseg.errors import ImageError
from lrpseg.render import heatmap, mask_image, overlay, save_png
from lrpseg.results import Result
from lrpseg.segmenter import Segmenter, load

VIEW_SIDE = 1280
"""Longest side in pixels of what is sent to the browser to look at; masks keep their full size."""


@lru_cache(maxsize=6)
def segmenter(domain: str, network: str, rule_set: str, device: str) -> Segmenter:
    """Segmenters are read-only and shared by all visitors; the last few stay loaded."""
    return load(domain, network=network, rule_set=rule_set, device=device)


@dataclass(frozen=True)
class SamplePicture:
    """A shipped picture to try the page with, and the domain that it is for."""

    path: Path
    domain: str

    @property
    def caption(self) -> str:
        """The file's name without its number: "1-blowhole" becomes "blowhole"."""
        return self.path.stem.split("-", 1)[-1].replace("-", " ")


def sample_pictures(domains: Sequence[str]) -> list[SamplePicture]:
    """The shipped samples of the given domains, in the order of their names."""
    folder = assets_folder() / "samples"
    listing = folder / "samples.json"
    listed = json.loads(listing.read_text("utf-8")) if listing.is_file() else {}
    return [
        SamplePicture(folder / f"{name}.png", domain)
        for name, domain in sorted(listed.items())
        if domain in domains
    ]


def view(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`picture` itself, or a smaller copy whose longest side is `VIEW_SIDE`."""
    scale = VIEW_SIDE / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def heatmap_view(result: Result, colormap: str) -> NDArray[np.uint8]:
    """The heatmap over the picture, to look at."""
    return view(heatmap(result, colormap))


def mask_view(result: Result, threshold: float) -> tuple[NDArray[np.uint8], int]:
    """(the mask over the picture, to look at; pixels in the mask)."""
    mask = result.at(threshold)
    return view(overlay(result.image, mask)), int(np.count_nonzero(mask))


def mask_file(result: Result, threshold: float, folder: str, name: str) -> str:
    """Path of the mask at full size as a PNG of 0 and 255, in a new folder below `folder`."""
    where = Path(tempfile.mkdtemp(dir=folder))  # each request its own: no one overwrites another's
    path = where / f"{safe_stem(name)}.png"
    save_png(mask_image(result.at(threshold)), path)
    return str(path)


def safe_stem(name: str) -> str:
    """A file's stem fit for a file name: letters, digits, - _ and . of any language."""
    stem = os.path.splitext(os.path.basename(name.replace("\\", "/")))[0]
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in stem).strip("._")
    return kept[:100] or "mask"


def check_bytes(path: str, limit: int) -> None:
    """Raise `ImageError` where the file at `path` is larger than `limit` bytes."""
    size = os.path.getsize(path)
    if size > limit:
        raise ImageError(f"The file has {size / 1e6:.0f} MB; the limit is {limit / 1e6:.0f} MB.")
