"""What the page's events do: thin functions over a workspace and the analyser."""

import itertools
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrpseg.app.service import Service
from lrpseg.core.errors import ImageError, LrpsegError
from lrpseg.domains import load_domain
from lrpseg.formats import FORMATS
from lrpseg.formats.reading import read_masks
from lrpseg.lrp import DEFAULT_POOLING, DEFAULT_START
from lrpseg.masks.render import blend, mask_image, overlay, save_png
from lrpseg.pipeline.operating_points import default_choice
from lrpseg.pipeline.results import Settings
from lrpseg.pipeline.tiling import DEFAULT_OVERLAP
from lrpseg.web import describe
from lrpseg.workspace import (
    Imported,
    Limits,
    Workspace,
    export_zip,
    import_masks,
    load_session,
    read_uploads,
    save_session,
)

_serial = itertools.count(1)


def editor_value(token: str, select: str | None = None) -> dict[str, Any]:
    """What the editor is told: look again, and at which picture. `serial` makes each one new."""
    return {"token": token, "select": select, "serial": next(_serial)}


def settings_of(
    domain: str, network: str = "", rule_set: str = "", thresholder: str = "", refiner: str = ""
) -> Settings:
    """Settings from names in the registries; empty names and the rest become the defaults."""
    names = (network, rule_set, thresholder, refiner)
    choice = default_choice(load_domain(domain), *(name or None for name in names))
    return Settings(
        domain, choice.network, choice.rule_set, choice.thresholder, DEFAULT_START,
        DEFAULT_POOLING, "lean", DEFAULT_OVERLAP, choice.refiner,
    )  # fmt: skip


@dataclass(frozen=True)
class Added:
    """What became of uploaded files: new pictures, and what was refused with the reason."""

    ids: list[str]
    refused: list[tuple[str, str]]


def add_files(
    service: Service, workspace: Workspace, paths: Iterable[tuple[Path, str]], settings: Settings
) -> Added:
    """Add files, each a path with the name it shall have; zips are unpacked."""
    service.sessions.check_room(workspace)
    added = Added([], [])
    for upload in read_uploads(paths, service.limits):
        if upload.data is None:
            added.refused.append((upload.name, upload.reason))
            continue
        added.ids.append(workspace.add(upload.name, upload.data, settings).id)
        service.analyser.wake(workspace)
    return added


def apply_settings(
    service: Service, workspace: Workspace, ids: Iterable[str], settings: Settings
) -> None:
    """Give pictures other settings; corrections are kept, and LRP runs only where it has to."""
    for id in ids:
        workspace.set_settings(id, settings=settings)
    service.analyser.wake(workspace)


def current_mask_file(workspace: Workspace, id: str, folder: str) -> str:
    """Path of a picture's mask at full size as a PNG of 0 and 255, in a new folder."""
    item = workspace.item(id)
    if not item.width:
        raise LrpsegError("This file is no picture: it has no mask.")
    path = Path(tempfile.mkdtemp(dir=folder)) / f"{safe_stem(item.name)}.png"
    save_png(mask_image(workspace.mask(id)), path)
    return str(path)


def export_file(workspace: Workspace, folder: str, formats: Sequence[str]) -> tuple[str, list[str]]:
    """Path of a zip with masks, overlays, provenance and formats; and sentences about what it
    cannot hold."""
    out = Path(tempfile.mkdtemp(dir=folder)) / "lrpseg-export.zip"
    missing = [item for item in workspace.items() if not item.analysis]
    written = export_zip(workspace, out, formats=formats)
    lossy = [
        f"{FORMATS[name].title} keeps an IoU of {w.kept_iou:.3f} on average"
        for name, w in written.items()
        if w.lowest_iou < 1
    ]
    said = [f"{'; '.join(lossy)}; formats.json in the zip says more."] if lossy else []
    failed = sum(item.status == "failed" for item in missing)
    counts = ((len(missing) - failed, "still being analysed"), (failed, "cannot be read"))
    if missing:
        told = ", ".join(f"{count} {why}" for count, why in counts if count)
        said.append(f"Pictures left out: {told}. left-out.txt in the zip names them.")
    return str(out), said


def session_file(workspace: Workspace, folder: str) -> str:
    """Path of the whole session as one file."""
    out = Path(tempfile.mkdtemp(dir=folder)) / "session.lrpseg.zip"
    save_session(workspace, out)
    return str(out)


def take_session(service: Service, workspace: Workspace, path: Path) -> int:
    """Add all pictures of a session file; returns how many."""
    service.sessions.check_room(workspace)
    ids = load_session(workspace, path, service.limits)
    service.analyser.wake(workspace)
    return len(ids)


def import_files(
    workspace: Workspace,
    paths: Sequence[Path],
    limits: Limits,
    kind: str | None = None,
    role: str = "corrections",
) -> Imported:
    """Bring in masks from uploaded files, or zips of them; see `import_masks`.

    kind: png, coco or labelme; without it, told by the files' names and content.
    """
    refused: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        for file in read_uploads([(path, path.name) for path in paths], limits):
            if file.data is None:
                refused.append((file.name, file.reason))
                continue
            target = Path(folder) / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.data)
        masks = read_masks(Path(folder), kind, lambda n, error: refused.append((n, str(error))))
        done = import_masks(workspace, masks, role)
    return Imported(done.names, refused + done.refused)


def figures(mask: NDArray[np.bool_], truth: NDArray[np.bool_] | None) -> dict[str, float]:
    """precision, recall and iou of a mask; 1 where nothing was found and nothing is there."""
    if truth is None:
        raise LrpsegError("There is no ground truth for this picture.")
    both, found, true = (int(np.count_nonzero(m)) for m in (mask & truth, mask, truth))

    def share(part: int, whole: int) -> float:
        return part / whole if whole else float(not (found or true))

    return {
        "precision": share(both, found),
        "recall": share(both, true),
        "iou": share(both, found + true - both),
    }


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a comparison: what is shown, and the mask at full size."""

    heatmap: NDArray[np.uint8]
    overlay: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    probability: float


def compare_side(service: Service, workspace: Workspace, id: str, settings: Settings) -> Side:
    """A picture under settings, at the thresholder's own threshold; nothing is stored."""
    image = workspace.image(id)
    result = service.analyser.segmenters.run(image, settings, explain_intact=True)
    size = describe.view_size(*image.shape[:2])
    shown = describe.reduced(image, size)
    mask = result.mask
    small = describe.reduced(mask.astype(np.float32), size) >= 0.5
    heat = blend(shown, describe.reduced(result.relevance, size), "signed")
    return Side(heat, overlay(shown, small), mask, result.probability)


def safe_stem(name: str) -> str:
    """A file's stem fit for a file name: letters, digits, - _ and . of any language."""
    stem = os.path.splitext(os.path.basename(name.replace("\\", "/")))[0]
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in stem).strip("._")
    return kept[:100] or "mask"


def read_limited(path: str | Path, limit: int) -> bytes:
    """A file's bytes; raises `ImageError` where it is larger than `limit` or cannot be read."""
    try:
        size = os.path.getsize(path)
        if size > limit:
            raise ImageError(
                f"The file has {size / 1e6:.0f} MB; the limit is {limit / 1e6:.0f} MB."
            )
        return Path(path).read_bytes()
    except OSError as error:
        raise LrpsegError(f"The upload cannot be read: {error.strerror}. Try again.") from error
