"""What comes into a workspace as files, and what leaves it: masks, exports, sessions."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lrpseg.app.commands.importing import ImportReport, import_source
from lrpseg.app.service import Service
from lrpseg.core.errors import LrpsegError
from lrpseg.formats import FORMATS, ExportOptions, Written, unique_stems
from lrpseg.formats.errors import FormatError
from lrpseg.formats.mvtec import mispaired
from lrpseg.formats.reading import PLAIN, Reading
from lrpseg.masks.render import mask_image, save_png
from lrpseg.workspace import (
    Limits,
    Workspace,
    export_zip,
    load_session,
    read_uploads,
    save_session,
)
from lrpseg.workspace.annotations import Refuse, default_options, write_formats


def mask_file(workspace: Workspace, id: str, folder: str) -> str:
    """Path of a picture's mask as a PNG of 0 and 255, in a new folder below `folder`."""
    item = workspace.item(id)
    if not item.width:
        raise LrpsegError("This file is no picture: it has no mask.")
    path = Path(tempfile.mkdtemp(dir=folder)) / f"{safe_stem(item.name)}.png"
    save_png(mask_image(workspace.mask(id)), path)
    return str(path)


def export_zip_file(
    workspace: Workspace, folder: str, formats: Sequence[str]
) -> tuple[str, list[str]]:
    """Path of a zip with masks, overlays, provenance and formats; and sentences about what it
    cannot hold."""
    out = Path(tempfile.mkdtemp(dir=folder)) / "lrpseg-export.zip"
    missing = [item for item in workspace.items() if not item.analysis]
    damaged: dict[str, str] = {}
    written = export_zip(workspace, out, formats=formats, refuse=damaged.setdefault)
    lossy = [
        f"{FORMATS[name].title} keeps an IoU of {w.kept_iou:.3f} on average"
        for name, w in written.items()
        if w.lowest_iou < 1
    ]
    lossy += [
        f"{FORMATS[name].title}: {'; '.join(w.won())}" for name, w in written.items() if w.overlaps
    ]
    lossy += [f"{FORMATS[name].title}: {note}" for name, w in written.items() for note in w.notes]
    said = [f"{'; '.join(lossy)}; formats.json in the zip says more."] if lossy else []
    failed = sum(item.status == "failed" for item in missing)
    counts = ((len(missing) - failed, "still being analysed"), (failed, "cannot be read"))
    if missing:
        told = ", ".join(f"{count} {why}" for count, why in counts if count)
        said.append(f"Pictures left out: {told}. left-out.txt in the zip names them.")
    said += [f"{name} is left out: {reason}" for name, reason in list(damaged.items())[:5]]
    return str(out), said


def export_masks(
    workspace: Workspace,
    formats: Sequence[str],
    out: Path,
    accepted: bool = False,
    refuse: Refuse | None = None,
    **changes: object,
) -> tuple[dict[str, Written], int]:
    """Write a workspace's masks below the folder `out`; returns what the formats hold, and how many
    pictures were left out as they wait for their analysis.

    accepted: only what was accepted. refuse: told (name, reason) of pictures that are damaged and
    left out; without it, one ends all. changes: fields of `ExportOptions`; class names are the
    domain's.

    Raises `LrpsegError` where there is nothing to export, and as `Format.write` does.
    """
    everything = workspace.items()
    items = [i for i in everything if i.analysis and (i.status == "accepted" or not accepted)]
    waiting = sum(i.status in ("waiting", "running") and not i.analysis for i in everything)
    if not items:
        still = f": {waiting} pictures wait for their analysis in the page" if waiting else ""
        raise LrpsegError(f"There is nothing to export in {workspace.folder} yet{still}.")
    options: ExportOptions = default_options(items, **changes)
    stems = unique_stems([item.name for item in items])
    options = replace(options, ended=options.copy_pictures and mispaired(stems))
    return write_formats(workspace, items, formats, out, options, refuse), waiting


def import_files(
    workspace: Workspace,
    paths: Sequence[Path],
    limits: Limits,
    kind: str | None = None,
    role: str = "corrections",
    class_name: str | None = None,
    options: Reading = PLAIN,
    overwrite: bool = False,
    empty: bool = False,
) -> ImportReport:
    """Bring in masks from uploaded files, or zips of them; see `import_source`.

    kind: name of a reader; without it, told by the files' names and content.
    """
    refused: list[tuple[str, FormatError]] = []
    with tempfile.TemporaryDirectory() as folder:
        for file in read_uploads([(path, path.name) for path in paths], limits):
            if file.data is None:
                refused.append((file.name, FormatError(file.reason, file.kind)))
                continue
            target = Path(folder) / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.data)
        done = import_source(
            workspace, Path(folder), kind, role, class_name, options, overwrite, empty
        )
    for name, error in refused:
        done.refuse(name, error)
    return done


def session_file(workspace: Workspace, folder: str) -> tuple[str, list[tuple[str, str]]]:
    """Path of the whole session as one file, in a new folder below `folder`; and (name, reason) of
    the pictures that are damaged and not in it."""
    out = Path(tempfile.mkdtemp(dir=folder)) / "session.lrpseg.zip"
    return str(out), save_session(workspace, out)


def open_session(service: Service, workspace: Workspace, path: Path) -> int:
    """Add all pictures of a session file; returns how many."""
    service.sessions.check_room(workspace)
    ids = load_session(workspace, path, service.limits)
    service.analyser.wake(workspace)
    return len(ids)


def safe_stem(name: str) -> str:
    """A file's stem fit for a file name: letters, digits, - _ and . of any language.

    >>> safe_stem("east/Größe 1.png")
    'Größe_1'
    """
    stem = os.path.splitext(os.path.basename(name.replace("\\", "/")))[0]
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in stem).strip("._")
    return kept[:100] or "mask"
