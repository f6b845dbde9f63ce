"""What leaves a workspace for good: a zip of masks with how each of them came about."""

import json
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lrpseg.core.errors import DiskFullError, LrpsegError
from lrpseg.core.files import replacing, writing
from lrpseg.formats import ExportOptions, Written, unique_stems
from lrpseg.formats.base import png
from lrpseg.masks.corrections import Mask, union
from lrpseg.masks.figures import iou
from lrpseg.masks.render import mask_image, overlay
from lrpseg.version import __version__
from lrpseg.workspace.annotations import Refuse, default_options, report, write_formats
from lrpseg.workspace.errors import WorkspaceError
from lrpseg.workspace.item import Item
from lrpseg.workspace.snapshots import Which
from lrpseg.workspace.store import Workspace


def difference(automatic: Mask, final: Mask) -> dict[str, float]:
    """What a person changed: pixels of both masks, added, removed, and the IoU of the two."""
    return {
        "automatic_pixels": int(np.count_nonzero(automatic)),
        "final_pixels": int(np.count_nonzero(final)),
        "added_pixels": int(np.count_nonzero(final & ~automatic)),
        "removed_pixels": int(np.count_nonzero(automatic & ~final)),
        "iou": iou(automatic, final),
    }


def provenance(workspace: Workspace, which: Which) -> dict[str, Any]:
    """How a picture's mask came about, as JSON holds it: of all classes together, and of each under
    "classes". What several classes do not share is null above them."""
    seen = workspace.snapshot(which)
    item = seen.item
    masks = workspace.masks(seen)
    automatic = {layer.name: workspace.automatic_mask(item, layer.name) for layer in item.layers}
    nothing = np.zeros((item.height, item.width), bool)
    layers = {layer.name: layer for layer in (*item.layers, *item.kept)}
    return {
        "image": item.name,
        "image_sha256": item.sha256,
        "width": item.width,
        "height": item.height,
        "weights_sha256": item.weights,
        **asdict(item.settings),
        "probability": item.probability,
        "damaged": item.damaged,
        "doubtful": item.doubtful,
        "explained": item.explained,
        "threshold": item.used_threshold if len(item.layers) == 1 else item.threshold,
        "own_threshold": item.own_threshold,
        "min_area": item.min_area,
        "max_hole": item.max_hole,
        "status": item.status,
        **difference(union(automatic.values()), union(masks.values())),
        "classes": {
            name: {
                "probability": layers[name].probability,
                "network_probability": layers[name].network,
                "witness_probability": layers[name].witness,
                "damaged": layers[name].damaged,
                "explained": layers[name].explained,
                "threshold": layers[name].used_threshold,
                "own_threshold": layers[name].own_threshold,
                "min_area": layers[name].min_area,
                "max_hole": layers[name].max_hole,
                **difference(automatic.get(name, nothing), mask),
            }
            for name, mask in masks.items()
        },
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
    refuse: Refuse | None = None,
) -> dict[str, Written]:
    """Write a zip with masks/, overlays/ and provenance/ of all analysed pictures (or of `ids`).

    Of a picture with several classes masks/ has their union, and classes/NAME/ each of them.

    formats: names in `FORMATS`; each gets a folder of its own in the zip, and formats.json says
    what it holds and, where a format cannot hold a mask exactly, which IoU it keeps. Returns that.
    left-out.txt names the pictures that have no analysis yet, and those that are damaged. refuse:
    told of the latter, too.

    Raises:
        WorkspaceError: nothing has been analysed yet, or all of it is damaged.
        FormatError, OptionError: a name or label that a format cannot hold.
        DiskFullError: there is no room for it.
    """
    wanted = [i for i in workspace.items() if ids is None or i.id in ids]
    items = [i for i in wanted if i.analysis]
    if not items:
        raise WorkspaceError("There is nothing to export yet: no picture is analysed.")
    written: dict[str, Written] = {}
    missing = dict(left_out(wanted))
    whole: list[Item] = []

    def leave_out(name: str, reason: str) -> None:
        missing[name] = reason
        if refuse is not None:
            refuse(name, reason)

    with new_zip(out) as archive, tempfile.TemporaryDirectory(dir=out.parent) as folder:
        for item, name in zip(items, unique_stems([i.name for i in items]), strict=True):
            try:
                files = _files(workspace, item, name)
            except DiskFullError:
                raise
            except LrpsegError as error:  # damaged, or deleted meanwhile: that costs it alone
                leave_out(item.name, str(error))
                continue
            whole.append(item)
            for path, data in files.items():
                packed = zipfile.ZIP_STORED if path.endswith(".png") else zipfile.ZIP_DEFLATED
                archive.writestr(path, data, packed)
        if not whole:
            name, reason = next(iter(missing.items()))
            raise WorkspaceError(f"Nothing can be exported. {name}: {reason}")
        if formats:
            options = options or default_options(items)
            written = write_formats(workspace, whole, formats, Path(folder), options, leave_out)
            for file in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
                archive.write(file, file.relative_to(folder).as_posix())
            archive.writestr("formats.json", report(written))
        if missing:
            lines = [f"{name}: {reason}\n" for name, reason in missing.items()]
            archive.writestr("left-out.txt", "".join(lines))
    return written


def _files(workspace: Workspace, item: Item, name: str) -> dict[str, bytes]:
    """What the zip holds of a picture, by path."""
    seen = workspace.snapshot(item.id)
    masks = workspace.masks(seen)
    mask = union(masks.values())
    files = {f"masks/{name}.png": png(mask_image(mask))}
    for class_name, layer in masks.items() if len(masks) > 1 else ():
        files[f"classes/{class_name}/{name}.png"] = png(mask_image(layer))
    files[f"overlays/{name}.png"] = png(Image.fromarray(overlay(workspace.image(seen), mask)))
    told = json.dumps(provenance(workspace, seen), indent=2, ensure_ascii=False)
    return files | {f"provenance/{name}.json": told.encode()}


@contextmanager
def new_zip(out: Path) -> Iterator[zipfile.ZipFile]:
    """A zip that takes the place of `out` when it is whole; raises `DiskFullError`."""
    with (
        writing(out),
        replacing(out) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        yield archive
