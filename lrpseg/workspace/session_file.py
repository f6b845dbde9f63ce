"""Whole sessions as one file: pictures, what was drawn on them and chosen, per class."""

import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lrpseg.core.errors import ImageError, LrpsegError, OptionError
from lrpseg.core.images import read_image
from lrpseg.domains.classes import check_name
from lrpseg.pipeline.settings import Settings
from lrpseg.version import __version__
from lrpseg.workspace.bundle import new_zip
from lrpseg.workspace.errors import WorkspaceError
from lrpseg.workspace.intake import Limits, safe_name
from lrpseg.workspace.item import Item, ItemLayer, read_settings
from lrpseg.workspace.quota import check_size
from lrpseg.workspace.store import Workspace
from lrpseg.workspace.strokes import pack

SESSION_FORMAT = 2
"""Format 1 had one class, whose choices were those of the picture."""

_MANIFEST = "session.json"
_MANIFEST_BYTES = 50_000_000
_LAYERS = 64
"""Classes of a picture, with those that are kept: nobody has so many."""

_SMALL = 1_000_000
"""Bytes that may be packed as tightly as they can be."""


def save_session(workspace: Workspace, out: Path) -> list[tuple[str, str]]:
    """Write everything but the analyses, which the networks make again, into one file.

    Returns (name, reason) of the pictures that are damaged and left out; left-out.txt in the file
    names them, too.

    Raises:
        WorkspaceError: the workspace is empty.
        DiskFullError: there is no room for it.
    """
    items = workspace.items()
    if not items:
        raise WorkspaceError("This workspace is empty: there is nothing to take home.")
    missing: list[tuple[str, str]] = []
    with new_zip(out) as archive:
        entries = []
        for number, item in enumerate(items):
            try:
                entries.append(_save(workspace, archive, number, item.id))
            except WorkspaceError as error:
                missing.append((item.name, str(error)))
        if missing:
            archive.writestr("left-out.txt", "".join(f"{n}: {why}\n" for n, why in missing))
        manifest = {"format": SESSION_FORMAT, "lrpseg": __version__, "items": entries}
        archive.writestr(_MANIFEST, json.dumps(manifest, indent=1))
    return missing


def _save(workspace: Workspace, archive: zipfile.ZipFile, number: int, id: str) -> dict[str, Any]:
    """Write the files of a picture; returns its entry in the manifest."""
    seen = workspace.snapshot(id)
    item = seen.item
    stored = zipfile.ZIP_STORED
    original = workspace.original(item)  # first: where it is gone, nothing of it is written
    archive.writestr(f"{number}/original", original, stored)
    layers = []
    for place, layer in enumerate((*item.layers, *item.kept)):
        if layer.drawn:
            png = pack(seen.of(layer.name))
            archive.writestr(f"{number}/corrections-{place}.png", png, stored)
        if layer.has_truth:
            path = workspace.folder / "items" / item.id / layer.truth
            if path.is_file():  # a true mask that is gone costs no strokes
                archive.write(path, f"{number}/truth-{place}.png", stored)
        layers.append(_kept(layer) | {"kept": place >= len(item.layers)})
    return {
        "number": number,
        "name": item.name,
        "settings": asdict(item.settings),
        "explain_intact": item.explain_intact,
        "seconds": item.seconds,
        "status": item.status,
        "weights": item.weights,
        "layers": layers,
    }


def _kept(layer: ItemLayer) -> dict[str, Any]:
    return {
        "class": layer.name,
        "threshold": layer.threshold,
        "min_area": layer.min_area,
        "max_hole": layer.max_hole,
    }


@dataclass(frozen=True)
class _Layer:
    """One class of a picture in a session file. name: "" in format 1, which has only one; kept: the
    picture's domain did not have it; corrections, truth: names of their entries in the zip."""

    name: str
    threshold: float | None
    min_area: int
    max_hole: int
    kept: bool
    corrections: str
    truth: str


@dataclass(frozen=True)
class _Entry:
    """One picture in a session file. accepted_by: the weights by which the mask was made that was
    accepted, None where none was, or nobody knows."""

    number: int
    name: str
    settings: Settings
    explain_intact: bool
    seconds: float
    accepted_by: str | None
    layers: tuple[_Layer, ...]


def load_session(workspace: Workspace, path: Path, limits: Limits) -> list[str]:
    """Add the pictures of a session file; returns their ids. Nothing that is there is changed.

    The file is somebody's upload and is checked as such. Raises `WorkspaceError` for one that is no
    session file; then nothing was added.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(_read(archive, _MANIFEST, _MANIFEST_BYTES) or b"")
            if manifest["format"] not in range(1, SESSION_FORMAT + 1):
                raise WorkspaceError(
                    f"This session file has format {manifest['format']!r}; this lrpseg reads up to "
                    f"{SESSION_FORMAT}. Update lrpseg."
                )
            if len(manifest["items"]) > limits.max_files:
                raise WorkspaceError(f"A session may hold {limits.max_files} pictures.")
            entries = [_checked(entry, manifest["format"]) for entry in manifest["items"]]
            if len({entry.number for entry in entries}) < len(entries):
                raise WorkspaceError("The session file is of no use: it holds a picture twice.")
            added: list[str] = []
            parts = _Parts(archive, limits)
            try:
                for entry in entries:
                    _load(workspace, parts, entry, added)
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


class _Parts:
    """The entries of a session file that are read once each, counted while they come: what their
    headers say is not to be trusted, and a small file may hold a lot."""

    def __init__(self, archive: zipfile.ZipFile, limits: Limits) -> None:
        self._archive, self._limits, self._left = archive, limits, limits.max_expanded

    def read(self, name: str) -> bytes | None:
        """An entry's bytes; None where there is none."""
        data = _read(self._archive, name, min(self._limits.max_bytes, self._left))
        if data is not None:
            self._left -= len(data)
            packed = max(1, self._archive.getinfo(name).compress_size)
            if len(data) > _SMALL and len(data) > self._limits.max_ratio * packed:
                raise WorkspaceError(
                    "A part of the session file is packed too tightly to be a picture."
                )
        return data


def _checked(entry: dict[str, Any], version: int) -> _Entry:
    """An entry whose values have the right types and ranges."""
    number = int(entry["number"])
    if version == 1:
        files = (f"{number}/corrections.png", f"{number}/truth.png")
        layers = [_checked_layer(entry, "", False, *files)]
    else:
        if len(entry["layers"]) > _LAYERS:
            raise WorkspaceError(f"A picture of a session may have {_LAYERS} classes.")
        layers = [
            _checked_layer(
                held,
                _class_name(held["class"]),
                bool(held["kept"]),
                f"{number}/corrections-{place}.png",
                f"{number}/truth-{place}.png",
            )
            for place, held in enumerate(entry["layers"])
        ]
    return _Entry(
        number=number,
        name=safe_name(str(entry["name"])),
        settings=read_settings(entry["settings"]),
        explain_intact=bool(entry["explain_intact"]),
        seconds=max(0.0, float(entry["seconds"])),
        # Of an older session's nobody knows by which weights.
        accepted_by=entry.get("weights") if entry.get("status") == "accepted" else None,
        layers=tuple(layers),
    )


def _checked_layer(
    held: dict[str, Any], name: str, kept: bool, corrections: str, truth: str
) -> _Layer:
    threshold = held["threshold"]
    return _Layer(
        name=name,
        threshold=None if threshold is None else min(1.0, max(0.0, float(threshold))),
        min_area=max(0, int(held["min_area"])),
        max_hole=max(0, int(held["max_hole"])),
        kept=kept,
        corrections=corrections,
        truth=truth,
    )


def _class_name(name: object) -> str:
    try:
        return check_name(str(name))
    except OptionError as error:
        raise WorkspaceError(f"The session file is of no use: {error}") from error


def _load(workspace: Workspace, parts: _Parts, entry: _Entry, added: list[str]) -> None:
    """Add a picture, and its id to `added` as soon as it is there."""
    data = parts.read(f"{entry.number}/original")
    if data is None:
        raise WorkspaceError("The session file lacks a picture: it is incomplete.")
    item = workspace.add(entry.name, data, entry.settings, entry.explain_intact)
    added.append(item.id)
    if item.status == "failed":
        return
    for layer, name in zip(entry.layers, _classes(entry.layers, item), strict=True):
        _load_layer(workspace, parts, item, layer, name)
    workspace.add_seconds(item.id, entry.seconds)
    if entry.accepted_by == item.weights:  # others would make another mask
        workspace.accept_again(item.id)


def _classes(layers: Sequence[_Layer], item: Item) -> list[str]:
    """The class here that each layer of a session becomes: by name, and of one class the only one
    here, whatever that is called (see `rows.arrange`)."""
    names = [layer.name for layer in layers]
    here = [layer.name for layer in item.layers]
    alone = sum(not layer.kept for layer in layers) == len(here) == 1 and here[0] not in names
    return [here[0] if alone and not layer.kept else layer.name for layer in layers]


def _load_layer(workspace: Workspace, parts: _Parts, item: Item, layer: _Layer, name: str) -> None:
    drawn = parts.read(layer.corrections)
    truth = parts.read(layer.truth)
    here = name in [held.name for held in item.layers]
    if not here and (drawn is not None or truth is not None):
        workspace.keep_class(item.id, name)
    if drawn is not None:
        workspace.check_room(len(drawn))
        check_size(drawn, (item.height, item.width))
        values = read_image(drawn)[..., 0]
        if values.shape != (item.height, item.width):
            raise ImageError("The corrections in the session file do not fit their picture.")
        workspace.patch_corrections(item.id, 0, 0, item.width, item.height, values, name)
    if truth is not None:
        workspace.set_truth(item.id, truth, name)
    if here:
        workspace.set_cleaning(item.id, layer.min_area, layer.max_hole, name)
        workspace.set_threshold(item.id, layer.threshold, name)


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
