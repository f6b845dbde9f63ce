"""A workspace's masks in the formats of other tools, and their masks back into it."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lrpseg.core.errors import DiskFullError, LrpsegError, OptionError
from lrpseg.core.files import remove_halves, sync_all, writing
from lrpseg.domains import DamageClass, known_domain
from lrpseg.domains.classes import COLOURS
from lrpseg.formats import FORMATS, Annotated, ClassLabel, ExportOptions, Written, unique_stems
from lrpseg.formats.reading import ReadMask, matched
from lrpseg.masks.corrections import ADDED, REMOVED, Mask
from lrpseg.workspace.errors import UnavailableError, WorkspaceError
from lrpseg.workspace.item import Item
from lrpseg.workspace.store import Workspace

ROLES = ("corrections", "truth")
"""What a mask from elsewhere may become."""


Refuse = Callable[[str, str], object]
"""Told (name, reason) of each picture that is left out."""


def annotated(
    workspace: Workspace, items: Sequence[Item], refuse: Refuse | None = None
) -> Iterator[Annotated]:
    """The pictures with their masks as they are now, one at a time.

    refuse: told of a picture of which something is damaged, or that was deleted meanwhile; without
    it, it ends all with its error.
    """
    stems = unique_stems([item.name for item in items])
    for listed, stem in zip(items, stems, strict=True):
        try:
            seen = workspace.snapshot(listed)
            item, masks = seen.item, workspace.masks(seen)
            image = workspace.image(item)
        except LrpsegError as error:
            if refuse is None or isinstance(error, DiskFullError):
                raise
            refuse(listed.name, str(error))
            continue
        yield Annotated(
            item.name,
            probability=item.probability,
            image=lambda image=image: image,  # type: ignore[misc]
            stem=stem,
            settings={**asdict(item.settings), **_thresholds(item), "status": item.status},
            layers=masks,
        )


def _thresholds(item: Item) -> dict[str, float]:
    if len(item.layers) == 1:
        return {"threshold": item.used_threshold}
    return {f"threshold of {layer.name}": layer.used_threshold for layer in item.layers}


def default_options(items: Iterable[Item], **changes: Any) -> ExportOptions:
    """Options with the classes of the pictures; `changes`: other fields of `ExportOptions`.

    Where each picture has one class, all get one label: the class's name, or "damage" where the
    pictures are of several domains.
    """
    items = list(items)
    domains = {item.settings.domain: known_domain(item.settings.domain) for item in items}
    known = {c.name: c for domain in domains.values() if domain for c in domain.classes}
    of_items = [[layer.name for layer in _exported(item)] for item in items]
    names = list(dict.fromkeys(name for found in of_items for name in found))
    if all(len(found) == 1 for found in of_items):
        labels = {domain.classes[0].name if domain else "damage" for domain in domains.values()}
        (only,) = domains.values() if len(domains) == 1 else (None,)
        if only is not None and len(only.classes) == 1:
            return ExportOptions.of(only, **changes)
        return ExportOptions(**{"label": labels.pop() if len(labels) == 1 else "damage", **changes})
    if changes.get("label"):
        raise OptionError(f"There are several classes ({', '.join(names)}): leave the label out.")
    classes = tuple(_label(name, place, known) for place, name in enumerate(names))
    return ExportOptions(**{"classes": classes, **changes})


def _exported(item: Item) -> Iterator[Any]:
    yield from item.layers
    yield from (layer for layer in item.kept if layer.drawn)


def _label(name: str, place: int, known: Mapping[str, DamageClass]) -> ClassLabel:
    return ClassLabel(name, known[name].colour if name in known else COLOURS[place % len(COLOURS)])


def write_formats(
    workspace: Workspace,
    items: Sequence[Item],
    names: Sequence[str],
    out: Path,
    options: ExportOptions | None = None,
    refuse: Refuse | None = None,
) -> dict[str, Written]:
    """Write each format into a folder of its name below `out`. refuse: see `annotated`; told once
    of a picture.

    Raises as `Format.write` does, and `LrpsegError` where `out` cannot be written to.
    """
    chosen = [FORMATS[name] for name in names]  # a wrong name is told before anything is written
    options = options or default_options(items)
    told: dict[str, str] = {}
    each = None if refuse is None else told.setdefault
    written = {}
    with writing(out):
        for form in chosen:
            remove_halves(out / form.name)
            pictures = annotated(workspace, items, each)
            written[form.name] = form.write(pictures, out / form.name, options)
    sync_all()
    if refuse is not None:
        for name, reason in told.items():
            refuse(name, reason)
    return written


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
    workspace: Workspace,
    masks: Iterable[ReadMask],
    role: str = "corrections",
    class_name: str | None = None,
) -> Imported:
    """Give pictures masks that were made elsewhere.

    Args:
        masks: as the readers in `lrpseg.formats.reading` give them. Of pictures with several
            classes each label is one's name or title; a class without a label has an empty mask.
        role: "corrections": the picture's mask becomes this one; every pixel counts as drawn, so
            that no threshold changes it; "truth": precision and recall are counted against it.
        class_name: the class that masks are of, whatever their labels are; other classes stay as
            they are.

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
            for name, layer in by_class(mask, item, class_name).items():
                if role == "truth":
                    workspace.set_truth(item.id, layer, name)
                else:
                    values = np.where(layer, ADDED, REMOVED).astype(np.uint8)
                    if mask.ignored is not None:  # there, what was before stays
                        values = np.where(
                            mask.ignored, workspace.corrections(item.id, name), values
                        ).astype(np.uint8)
                    workspace.patch_corrections(
                        item.id, 0, 0, item.width, item.height, values, name
                    )
        except (DiskFullError, UnavailableError):
            raise  # of every further mask the same would be said
        except LrpsegError as error:
            refuse(mask.name, error)
            continue
        done.names.append(mask.name)
    return done


def by_class(mask: ReadMask, item: Item, class_name: str | None = None) -> dict[str, Mask]:
    """The masks of a picture's classes that `mask` holds, see `import_masks`.

    Raises `WorkspaceError` where it cannot be told which class a mask is of.
    """
    names = [layer.name for layer in item.layers]
    if class_name is not None or len(names) == 1:
        return {item.layer(class_name).name: mask.mask}
    if not mask.layers and mask.mask.any():
        raise WorkspaceError(
            f"This mask does not say of what class it is, and there are several "
            f"({', '.join(names)}). Say which, or import a format with labels."
        )
    domain = known_domain(item.settings.domain)
    titles = {c.title: c.name for c in domain.classes if c.name in names} if domain else {}
    found = {name: np.zeros(mask.mask.shape, bool) for name in names}
    for label, layer in mask.layers.items():
        name = label if label in found else titles.get(label)
        if name is None:
            raise WorkspaceError(
                f"This mask has the label {label!r}, and the classes are {', '.join(names)}. "
                "Rename the label, or say which class the masks are of."
            )
        found[name] |= layer
    return found
