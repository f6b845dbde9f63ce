"""What leaves a workspace: an export of masks with their provenance, and whole sessions."""

import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lrpseg.core.errors import ImageError, LrpsegError
from lrpseg.core.images import read_image
from lrpseg.formats import ExportOptions, Written, unique_stems
from lrpseg.masks import read_mask
from lrpseg.masks.corrections import Mask
from lrpseg.masks.render import mask_image, overlay, save_png
from lrpseg.version import __version__
from lrpseg.workspace.annotations import report, write_formats
from lrpseg.workspace.errors import WorkspaceError
from lrpseg.workspace.intake import Limits, safe_name
from lrpseg.workspace.item import Item, read_settings
from lrpseg.workspace.store import Workspace

SESSION_FORMAT = 1
_MANIFEST = "session.json"


def difference(automatic: Mask, final: Mask) -> dict[str, float]:
    """What a person changed: pixels of both masks, added, removed, and the IoU of the two."""
    both, either = np.count_nonzero(automatic & final), np.count_nonzero(automatic | final)
    return {
        "automatic_pixels": int(np.count_nonzero(automatic)),
        "final_pixels": int(np.count_nonzero(final)),
        "added_pixels": int(np.count_nonzero(final & ~automatic)),
        "removed_pixels": int(np.count_nonzero(automatic & ~final)),
        "iou": both / either if either else 1.0,
    }


def provenance(workspace: Workspace, item: Item, final: Mask) -> dict[str, Any]:
    """How a mask came about, as JSON holds it."""
    return {
        "image": item.name,
        "image_sha256": item.sha256,
        "width": item.width,
        "height": item.height,
        "weights_sha256": item.weights,
        **asdict(item.settings),
        "probability": item.probability,
        "damaged": item.damaged,
        "explained": item.explained,
        "threshold": item.used_threshold,
        "own_threshold": item.own_threshold,
        "min_area": item.min_area,
        "max_hole": item.max_hole,
        "status": item.status,
        **difference(workspace.automatic_mask(item.id), final),
        "seconds": round(item.seconds, 1),
        "created": item.created,
        "updated": item.updated,
        "lrpseg": __version__,
    }


def left_out(items: Iterable[Item]) -> list[tuple[str, str]]:
    """Pictures that an export cannot hold, as they have no mask yet: (name, reason)."""
    return [(i.name, i.reason or "still being analysed") for i in items if not i.analysis]


def export_zip(
    workspace: Workspace,
    out: Path,
    ids: Sequence[str] | None = None,
    formats: Sequence[str] = (),
    options: ExportOptions | None = None,
) -> dict[str, Written]:
    """Write a zip with masks/, overlays/ and provenance/ of all analysed pictures (or of `ids`).

    formats: names in `FORMATS`; each gets a folder of its own in the zip, and formats.json says
    what it holds and, where a format cannot hold a mask exactly, which IoU it keeps. Returns that.
    left-out.txt names the pictures that have no analysis yet, if there are some.

    Raises:
        WorkspaceError: nothing has been analysed yet.
        FormatError, OptionError: a name or label that a format cannot hold.
    """
    wanted = [i for i in workspace.items() if ids is None or i.id in ids]
    items, missing = [i for i in wanted if i.analysis], left_out(wanted)
    if not items:
        raise WorkspaceError("There is nothing to export yet: no picture is analysed.")
    names = unique_stems([i.name for i in items])
    written: dict[str, Written] = {}
    with _zip(out) as archive, tempfile.TemporaryDirectory(dir=out.parent) as folder:
        picture = Path(folder) / "picture.png"
        for item, name in zip(items, names, strict=True):
            mask = workspace.mask(item.id)
            save_png(mask_image(mask), picture)
            archive.write(picture, f"masks/{name}.png", zipfile.ZIP_STORED)
            save_png(Image.fromarray(overlay(workspace.image(item.id), mask)), picture)
            archive.write(picture, f"overlays/{name}.png", zipfile.ZIP_STORED)
            text = json.dumps(provenance(workspace, item, mask), indent=2, ensure_ascii=False)
            archive.writestr(f"provenance/{name}.json", text)
        picture.unlink()
        if missing:
            lines = [f"{name}: {reason}\n" for name, reason in missing]
            archive.writestr("left-out.txt", "".join(lines))
        if formats:
            written = write_formats(workspace, items, formats, Path(folder), options)
            for path in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
                archive.write(path, path.relative_to(folder).as_posix())
            archive.writestr("formats.json", report(written))
    return written


def save_session(workspace: Workspace, out: Path) -> None:
    """Write everything but the relevance, which the networks make again, into one file."""
    items = workspace.items()
    if not items:
        raise WorkspaceError("This workspace is empty: there is nothing to take home.")
    entries = []
    with _zip(out) as archive:
        for number, item in enumerate(items):
            folder = workspace.folder / "items" / item.id
            for name in ("original", "corrections.png", "truth.png"):
                if (folder / name).is_file():
                    archive.write(folder / name, f"{number}/{name}", zipfile.ZIP_STORED)
            entry = {k: v for k, v in asdict(item).items() if k in _KEPT}
            entries.append(entry | {"number": number})
        manifest = {"format": SESSION_FORMAT, "lrpseg": __version__, "items": entries}
        archive.writestr(_MANIFEST, json.dumps(manifest, indent=1))


_KEPT = (
    "name", "settings", "explain_intact", "threshold", "min_area", "max_hole", "seconds", "status",
    "weights",
)  # fmt: skip


def load_session(workspace: Workspace, path: Path, limits: Limits) -> list[str]:
    """Add the pictures of a session file; returns their ids. Nothing that is there is changed.

    The file is somebody's upload and is checked as such. Raises `WorkspaceError` for one that is no
    session file; then nothing was added.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(_read(archive, _MANIFEST, 50_000_000) or b"")
            if manifest["format"] != SESSION_FORMAT:
                raise WorkspaceError(
                    f"This session file has format {manifest['format']!r}; this lrpseg reads "
                    f"{SESSION_FORMAT}. Update lrpseg."
                )
            entries = [_checked(entry) for entry in manifest["items"]]
            if len(entries) > limits.max_files:
                raise WorkspaceError(f"A session may hold {limits.max_files} pictures.")
            added: list[str] = []
            try:
                for entry in entries:
                    _load(workspace, archive, entry, limits, added)
            except BaseException:  # all of it, or nothing
                for id in added:
                    workspace.delete(id)
                raise
            return added
    except LrpsegError:
        raise
    except Exception as error:  # zipfile's codecs raise whatever a damaged file makes of them
        raise WorkspaceError(
            "This is no session file of lrpseg. Give one that 'Take the session home' made."
        ) from error


def _checked(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry whose values have the right types and ranges."""
    settings = read_settings(entry["settings"])
    threshold = entry["threshold"]
    return {
        "number": int(entry["number"]),
        "name": safe_name(str(entry["name"])),
        "settings": settings,
        "explain_intact": bool(entry["explain_intact"]),
        "threshold": None if threshold is None else min(1.0, max(0.0, float(threshold))),
        "min_area": max(0, int(entry["min_area"])),
        "max_hole": max(0, int(entry["max_hole"])),
        "seconds": max(0.0, float(entry["seconds"])),
        # Of the mask that was accepted; of an older session's nobody knows by which weights.
        "accepted_by": entry.get("weights") if entry.get("status") == "accepted" else None,
    }


def _load(
    workspace: Workspace,
    archive: zipfile.ZipFile,
    entry: dict[str, Any],
    limits: Limits,
    added: list[str],
) -> None:
    """Add a picture, and its id to `added` as soon as it is there."""
    number = entry["number"]
    data = _read(archive, f"{number}/original", limits.max_bytes)
    if data is None:
        raise WorkspaceError("The session file lacks a picture: it is incomplete.")
    item = workspace.add(entry["name"], data, entry["settings"], entry["explain_intact"])
    added.append(item.id)
    if item.status == "failed":
        return
    drawn = _read(archive, f"{number}/corrections.png", limits.max_bytes)
    if drawn is not None:
        values = read_image(drawn)[..., 0]
        if values.shape != (item.height, item.width):
            raise ImageError("The corrections in the session file do not fit their picture.")
        workspace.patch_corrections(item.id, 0, 0, item.width, item.height, values)
    truth = _read(archive, f"{number}/truth.png", limits.max_bytes)
    if truth is not None:
        read_mask(truth, (item.height, item.width))
        workspace.set_truth(item.id, truth)
    workspace.set_cleaning(item.id, entry["min_area"], entry["max_hole"])
    workspace.set_threshold(item.id, entry["threshold"])
    workspace.add_seconds(item.id, entry["seconds"])
    if entry["accepted_by"] == item.weights:  # others would make another mask
        workspace.accept_again(item.id)


def _read(archive: zipfile.ZipFile, name: str, limit: int) -> bytes | None:
    """An entry's bytes, up to `limit`; None where there is none."""
    try:
        with archive.open(name) as file:
            data = file.read(limit + 1)
    except KeyError:
        return None
    except zlib.error as error:
        raise WorkspaceError("The session file is damaged. Take the session home again.") from error
    if len(data) > limit:
        raise WorkspaceError(f"A part of the session file is larger than {limit / 1e6:.0f} MB.")
    return data


@contextmanager
def _zip(out: Path) -> Iterator[zipfile.ZipFile]:
    """A zip that takes the place of `out` when it is whole."""
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            yield archive
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
