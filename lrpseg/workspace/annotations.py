"""A workspace's masks in the formats of other tools, and their masks back into it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lrpseg.core.errors import LrpsegError, OptionError
from lrpseg.domains import known_domain
from lrpseg.formats import FORMATS, Annotated, ExportOptions, Written, unique_stems
from lrpseg.formats.base import png
from lrpseg.formats.reading import ReadMask, matched
from lrpseg.masks.corrections import ADDED, REMOVED
from lrpseg.masks.render import mask_image
from lrpseg.workspace.item import Item
from lrpseg.workspace.store import Workspace

ROLES = ("corrections", "truth")
"""What a mask from elsewhere may become."""


def annotated(workspace: Workspace, items: Sequence[Item]) -> Iterator[Annotated]:
    """The pictures with their masks as they are now, one at a time."""
    stems = unique_stems([item.name for item in items])
    for item, stem in zip(items, stems, strict=True):
        yield Annotated(
            item.name,
            workspace.mask(item.id),
            item.probability,
            lambda id=item.id: workspace.image(id),  # type: ignore[misc]
            stem,
            {**asdict(item.settings), "threshold": item.used_threshold, "status": item.status},
        )


def default_options(items: Iterable[Item]) -> ExportOptions:
    """The class name is the domain's; "damage" where the pictures are of several."""
    domains = [known_domain(name) for name in {item.settings.domain for item in items}]
    labels = {domain.classes[0].name if domain else "damage" for domain in domains}
    return ExportOptions(label=labels.pop() if len(labels) == 1 else "damage")


def write_formats(
    workspace: Workspace,
    items: Sequence[Item],
    names: Sequence[str],
    out: Path,
    options: ExportOptions | None = None,
) -> dict[str, Written]:
    """Write each format into a folder of its name below `out`; raises as `Format.write` does."""
    chosen = [FORMATS[name] for name in names]  # a wrong name is told before anything is written
    options = options or default_options(items)
    return {f.name: f.write(annotated(workspace, items), out / f.name, options) for f in chosen}


def report(written: Mapping[str, Written]) -> str:
    """What exports hold, as JSON."""
    told = {name: w.as_json() for name, w in written.items()}
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Imported:
    """names: pictures that got a mask; refused: (name, reason) of masks that did not fit."""

    names: list[str]
    refused: list[tuple[str, str]]


def import_masks(
    workspace: Workspace, masks: Iterable[ReadMask], role: str = "corrections"
) -> Imported:
    """Give pictures masks that were made elsewhere.

    Args:
        masks: as the readers in `lrpseg.formats.reading` give them.
        role: "corrections": the picture's mask becomes this one; every pixel counts as drawn, so
            that no threshold changes it; "truth": precision and recall are counted against it.

    Raises:
        OptionError: another role.
    """
    if role not in ROLES:
        raise OptionError(f"A mask can be imported as {' or '.join(ROLES)}, not as {role!r}.")
    items = {item.name: item for item in workspace.items() if item.width}
    sizes = {name: (item.height, item.width) for name, item in items.items()}
    done = Imported([], [])

    def refuse(name: str, error: LrpsegError) -> None:
        done.refused.append((name, str(error)))

    for mask in matched(masks, sizes, refuse):
        item = items[mask.name]
        try:
            if role == "truth":
                workspace.set_truth(item.id, png(mask_image(mask.mask)))
            else:
                values = np.where(mask.mask, ADDED, REMOVED).astype(np.uint8)
                workspace.patch_corrections(item.id, 0, 0, item.width, item.height, values)
        except LrpsegError as error:
            refuse(mask.name, error)
            continue
        done.names.append(mask.name)
    return done
