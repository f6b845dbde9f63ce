"""Annotates files: for each image a mask, an overlay and a JSON file with what made them."""

import json
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lrpseg.errors import ImageError
from lrpseg.images import read_image
from lrpseg.render import mask_image, overlay, save_png, save_text
from lrpseg.results import Result
from lrpseg.segmenter import Segmenter
from lrpseg.version import __version__

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".gif"})
"""Files of a folder that are taken for images; a file that is named itself is always tried."""


@dataclass
class Report:
    """What happened: images written, and those that could not be read with the reason."""

    written: int = 0
    damaged: int = 0
    failed: list[tuple[Path, str]] = field(default_factory=list)


def find_images(sources: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """The files among `sources`, and the images in its folders (recursively, in order of name).

    Raises:
        ImageError: a source does not exist, or there is no image at all.
    """
    found: list[Path] = []
    for source in map(Path, sources):
        if source.is_dir():
            found += sorted(
                p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()
            )
        elif source.exists():
            found.append(source)
        else:
            raise ImageError(f"{source}: there is no such file or folder.")
    if not found:
        raise ImageError(
            f"No images were found in {', '.join(map(str, sources))} "
            f"({', '.join(sorted(SUFFIXES))})."
        )
    return list(dict.fromkeys(found))


def output_names(paths: Sequence[Path]) -> list[PurePosixPath]:
    """A name without suffix for each file's outputs, no two alike (also if case is ignored).

    The files' stems where no two are alike. Else all mirror their folders, below the one that they
    share, and files that differ in their suffix alone (a.jpg, a.png) keep it in the name.
    """
    stems = [p.stem.lower() for p in paths]
    if len(set(stems)) == len(stems):
        return [PurePosixPath(p.stem) for p in paths]
    absolute = [Path(os.path.abspath(p)) for p in paths]
    common = Path(os.path.commonpath([p.parent for p in absolute]))
    relative = [PurePosixPath(p.relative_to(common).as_posix()) for p in absolute]
    counts = Counter(str(p.with_suffix("")).lower() for p in relative)
    taken: set[str] = set()
    names = []
    for path in relative:
        stem = path.with_suffix("")
        name = candidate = stem if counts[str(stem).lower()] == 1 else path
        number = 2
        while str(candidate).lower() in taken:
            candidate, number = name.with_name(f"{name.name}-{number}"), number + 1
        taken.add(str(candidate).lower())
        names.append(candidate)
    return names


def describe(result: Result, source: str, mask: NDArray[np.bool_], threshold: float) -> str:
    """The JSON text that is stored with a mask."""
    entry = {
        "image": source,
        "width": int(mask.shape[1]),
        "height": int(mask.shape[0]),
        "probability": result.probability,
        "damaged": result.damaged,
        "explained": result.explained,
        "threshold": threshold,
        "mask_pixels": int(np.count_nonzero(mask)),
        "settings": asdict(result.settings),
        "lrpseg": __version__,
    }
    return json.dumps(entry, indent=2, ensure_ascii=False) + "\n"


def annotate(
    paths: Sequence[Path],
    out: Path,
    segmenter: Segmenter,
    *,
    threshold: float | None = None,
    explain_intact: bool = False,
    progress: Callable[[Path], None] | None = None,
) -> Report:
    """Write `masks/NAME.png` (0 and 255, the image's size), `overlays/NAME.png` and
    `results/NAME.json` below `out` for each file; a file that cannot be read stops nothing.

    Args:
        threshold: of the likelihood, instead of the thresholder's own.
        explain_intact: also make masks of images that are classified intact.
        progress: called with each path when it is done or has failed.
    """
    report = Report()
    named = dict(zip(paths, output_names(paths), strict=True))
    read: deque[Path] = deque()

    def readable() -> Iterator[NDArray[np.uint8]]:
        for path in paths:
            try:
                image = read_image(path)
            except ImageError as error:
                report.failed.append((path, str(error)))
                if progress is not None:
                    progress(path)
                continue
            read.append(path)
            yield image

    for result in segmenter.stream(readable(), explain_intact=explain_intact):
        path = read.popleft()
        name = named[path]
        mask = result.at(threshold)
        used = result.threshold if threshold is None else threshold
        save_png(mask_image(mask), out / "masks" / f"{name}.png")
        drawn = overlay(result.image, mask)
        save_png(Image.fromarray(drawn), out / "overlays" / f"{name}.png")
        # Last, so that a JSON file says that the rest is there.
        save_text(describe(result, path.as_posix(), mask, used), out / "results" / f"{name}.json")
        report.written += 1
        report.damaged += result.damaged
        if progress is not None:
            progress(path)
    return report
