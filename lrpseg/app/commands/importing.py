"""Masks from elsewhere come into a workspace: what is read, what is left out and why."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from lrpseg.core.errors import LrpsegError
from lrpseg.formats.errors import FormatError
from lrpseg.formats.reading import (
    HARMLESS,
    PLAIN,
    Reading,
    ReadMask,
    check_size,
    finder,
    read_masks,
)
from lrpseg.formats.reading import matched as match
from lrpseg.formats.reading.base import Size
from lrpseg.formats.reading.kinds import DRAWN, UNSAID
from lrpseg.workspace import Imported, Item, Workspace, import_masks

OTHER = "another reason"


@dataclass(frozen=True)
class ImportReport(Imported):
    """What became of masks from elsewhere.

    names: pictures that got a mask. refused: (name, reason) of masks that did not fit, or would
    replace what is drawn. left_out: the same of what nobody can have meant as a mask: pictures,
    pictures that a file lists and says nothing of. notes: (name, sentence) on masks that were read
    in a way that is not plain. kinds: how many were refused and left out for each kind of reason.
    """

    left_out: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def refuse(self, name: str, error: LrpsegError) -> None:
        """Take in what is not imported."""
        kind = error.kind if isinstance(error, FormatError) else OTHER
        self.kinds[kind] += 1
        (self.left_out if kind in HARMLESS else self.refused).append((name, str(error)))

    def sentence(self, role: str = "corrections") -> str:
        """One line: "3 masks read as corrections, 2 left out: 2 (no picture of that name)"."""
        count = len(self.names)
        told = f"{count} mask{'s'[: count != 1]} read as {role}"
        if not self.kinds:
            return f"{told}, none left out"
        reasons = ", ".join(f"{n} ({kind})" for kind, n in self.kinds.most_common())
        return f"{told}, {self.kinds.total()} left out: {reasons}"


def import_source(
    workspace: Workspace,
    source: Path,
    kind: str | None = None,
    role: str = "corrections",
    class_name: str | None = None,
    options: Reading = PLAIN,
    overwrite: bool = False,
    empty: bool = False,
) -> ImportReport:
    """Bring in the masks of a file or a folder; see `import_masks`.

    Args:
        kind: name of a reader; without it, told by the content.
        options: what is known of the masks; `expect` and `pictures` are those of the workspace.
        overwrite: also where a person drew, accepted or gave a truth before. Without it such
            pictures are left alone and told.
        empty: pictures that a file lists without an annotation get an empty mask. Without it they
            are left alone.

    Raises as `read_masks` and `import_masks` do.
    """
    report = ImportReport([], [])
    items = {item.name: item for item in workspace.items() if item.width}
    sizes = {name: (item.height, item.width) for name, item in items.items()}
    find = finder(sizes)
    own = frozenset(item.sha256 for item in items.values())

    def expect(name: str, size: Size | None) -> Size:
        found = find(name)
        if size is not None:
            check_size(found, size, sizes[found])
        if not overwrite:
            _keep(items[found], role, class_name)
        return sizes[found]

    def said() -> Iterator[ReadMask]:
        known = replace(options, expect=expect, pictures=own)
        for mask in read_masks(source, kind, report.refuse, known):
            if mask.annotated or empty:
                yield mask
            else:  # here, so that another file may have the picture's mask
                what = f"The file lists {mask.name} and says nothing of it (--empty: it is intact)."
                report.refuse(mask.name, FormatError(what, UNSAID))

    def wanted() -> Iterator[ReadMask]:
        for mask in match(said(), sizes, report.refuse):
            item = workspace.item(items[mask.name].id)
            try:
                if not overwrite:  # somebody may have drawn meanwhile
                    _keep(item, role, class_name)
            except FormatError as error:
                report.refuse(mask.name, error)
                continue
            noted[mask.name] = [*mask.notes, *_merging(mask, item, role, class_name)]
            yield mask

    noted: dict[str, list[str]] = {}
    done = import_masks(workspace, wanted(), role, class_name)
    report.names.extend(done.names)
    report.notes.extend((name, note) for name in done.names for note in noted.get(name, ()))
    for name, reason in done.refused:
        report.refuse(name, LrpsegError(reason))
    return report


def _keep(item: Item, role: str, class_name: str | None) -> None:
    """Raise `FormatError` where a mask would replace what a person drew, accepted or gave."""
    layers = [x for x in (*item.layers, *item.kept) if class_name in (None, x.name)]
    if role == "truth":
        if any(layer.has_truth for layer in layers):
            raise FormatError(
                f"{item.name} has a true mask already: it is kept, unless you ask to replace it "
                "(--replace).",
                DRAWN,
            )
        return
    if item.status == "accepted" or any(layer.drawn for layer in layers):
        what = "is accepted" if item.status == "accepted" else "has corrections"
        raise FormatError(
            f"{item.name} {what} already: that is kept, unless you ask to replace it (--replace).",
            DRAWN,
        )


def _merging(mask: ReadMask, item: Item, role: str, class_name: str | None) -> list[str]:
    """What is to be said of a mask that becomes one class's."""
    said = []
    if len(mask.layers) > 1 and (class_name is not None or len(item.layers) == 1):
        target = item.layer(class_name).name
        said.append(f"The labels {', '.join(list(mask.layers)[:8])} all became {target}.")
    if mask.ignored is not None and mask.ignored.any():
        count = f"{int(mask.ignored.sum()):,} pixels are not known"
        said.append(
            f"{count}: they stay as they are."
            if role == "corrections"
            else f"{count}: they count as intact."
        )
    return said
