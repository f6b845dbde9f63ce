"""What a person does to a mask: threshold, cleaning, drawing, status, and its true one."""

from collections.abc import Mapping
from typing import Any

from lrpseg.app.service import Service
from lrpseg.app.views import analysis_name
from lrpseg.core.errors import LrpsegError, OptionError
from lrpseg.masks.corrections import from_mask
from lrpseg.masks.figures import Figures, count
from lrpseg.masks.reading import read_mask
from lrpseg.workspace import Item, Workspace, WorkspaceError
from lrpseg.workspace.quota import check_size

LONGEST = 3600.0
"""Seconds on a picture that are believed at a time."""


class ChangedError(WorkspaceError):
    """Something that was shown is no longer so: look again before going on."""


def set_threshold(
    workspace: Workspace, id: str, threshold: float | None, class_name: str | None = None
) -> None:
    """The likelihood (0 to 1) from which on a pixel is in the mask; None: the thresholder's own."""
    workspace.set_threshold(id, threshold, class_name)


def set_level(
    service: Service,
    workspace: Workspace,
    item: Item,
    level: object,
    analysis: object,
    class_name: str | None = None,
) -> None:
    """Set a threshold by its place among the levels of the map `analysis`, as the editor does.

    Raises `ChangedError` where the picture shows another map by now.
    """
    if analysis != analysis_name(item):
        raise ChangedError("The heatmap has changed meanwhile.")
    values = service.levels.of(workspace, item, class_name).values
    if not isinstance(level, int) or isinstance(level, bool) or not 0 <= level < len(values):
        raise OptionError("There is no such threshold level.")
    workspace.set_threshold(item.id, float(values[level]), class_name)


def set_cleaning(
    workspace: Workspace,
    id: str,
    min_area: object,
    max_hole: object,
    class_name: str | None = None,
) -> None:
    """Leave out spots of fewer pixels, and fill holes of up to so many; 0 for neither."""
    workspace.set_cleaning(id, _area(min_area), _area(max_hole), class_name)


def correct(
    workspace: Workspace,
    id: str,
    rect: tuple[int, int, int, int],
    values: bytes,
    seconds: object = 0.0,
    class_name: str | None = None,
) -> int:
    """Replace the corrections in a rectangle (x, y, w, h); `values`: (h, w) uint8 of 0, 1 and 2,
    row by row. Returns the new revision; what was drawn is safe before this returns."""
    revision = workspace.patch_corrections(id, *rect, values, class_name)
    spend(workspace, id, seconds)
    return revision


def replace_mask(workspace: Workspace, id: str, mask: bytes, class_name: str | None = None) -> Item:
    """Make an image file the picture's mask; what differs from the automatic one becomes its
    corrections."""
    item = workspace.item(id)
    check_size(mask, (item.height, item.width))
    wanted = read_mask(mask)
    corrections = from_mask(workspace.cleaned_mask(id, class_name), wanted)
    height, width = corrections.shape
    workspace.patch_corrections(id, 0, 0, width, height, corrections, class_name)
    return workspace.item(id)


def check_shown(item: Item, shown: object) -> None:
    """Raise `ChangedError` where a page shows another mask than the picture has: one that nobody
    saw is not accepted.

    shown: {"analysis", "revision"} of what is shown; what it does not say is believed.
    """
    now = {"analysis": analysis_name(item), "revision": item.revision}
    said: Mapping[str, Any] = shown if isinstance(shown, Mapping) else {}
    if any(said.get(name, value) != value for name, value in now.items()):
        raise ChangedError(
            f"{item.name} was changed elsewhere meanwhile. Look at it again before you accept it."
        )


def set_status(workspace: Workspace, id: str, status: str) -> None:
    """Accept a picture ("accepted"), or take that back ("todo")."""
    workspace.set_status(id, status)


def spend(workspace: Workspace, id: str, seconds: object) -> None:
    """Add to the time that a person spent on the picture; more than an hour at once is not
    believed."""
    try:
        number = float(seconds)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise OptionError("Seconds are a number.") from None
    if number == number and number > 0:  # NaN is no time
        workspace.add_seconds(id, min(number, LONGEST))


def set_truth(workspace: Workspace, id: str, mask: bytes, class_name: str | None = None) -> None:
    """Keep an image file as the picture's true mask, against which figures are counted."""
    workspace.set_truth(id, mask, class_name)


def figures(workspace: Workspace, id: str, class_name: str | None = None) -> Figures:
    """Precision, recall and IoU of the picture's mask as it is now.

    Raises `LrpsegError` where its true mask is not known.
    """
    truth = workspace.truth(id, class_name)
    if truth is None:
        raise LrpsegError("There is no ground truth for this picture.")
    return count(workspace.mask(id, class_name), truth).figures


def _area(value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 10**9:
        raise OptionError("An area is a whole number of pixels, 0 or more.")
    return value
