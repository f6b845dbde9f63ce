"""An annotated folder as a workspace, so that its masks can be corrected in the page.

    lrpseg app --workspace OUT        # OUT: what `lrpseg annotate --out` wrote

The workspace is laid into the same folder. It keeps copies of the pictures, since a labeler's work
must not depend on files that somebody moves. Heatmaps were not kept by the run: the page makes them
again in the background, one picture after the other.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from lrpseg.core.errors import DiskFullError, ImageError, LrpsegError
from lrpseg.core.files import atomically, is_full
from lrpseg.core.images import read_image, read_picture
from lrpseg.folders.block import Row
from lrpseg.folders.job import Job
from lrpseg.folders.plan import Plan, Planned
from lrpseg.folders.run import JOB_FILE, PLAN_FILE, STATE, Shards
from lrpseg.formats.base import png
from lrpseg.workspace import Item, UnavailableError, Workspace
from lrpseg.workspace.schema import FILE_NAME

OPENED_FILE = "opened.json"
"""Positions of the plan whose pictures have come into the workspace: what was deleted there since
does not come back. A new run into the folder takes this file away with the old plan."""


@dataclass(frozen=True)
class Opened:
    """added: how many pictures are new in the workspace; refused: (name, reason) of the others."""

    added: int
    refused: list[tuple[str, str]]


def is_annotated(folder: Path) -> bool:
    """Whether `folder` is what a run of `annotate` wrote, or began to write."""
    return (folder / STATE / PLAN_FILE).is_file() and (folder / STATE / JOB_FILE).is_file()


def open_annotated(
    folder: Path,
    started: Callable[[int], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Opened:
    """Add the pictures of an annotated folder to the workspace in it.

    Each gets the run's settings, threshold and smallest area; one that the run took for intact
    shows an empty mask. A picture that is in the workspace already stays as it is, and one that was
    deleted there stays away, so that this may be done again at any time. Those that a run has not
    reached yet, that it could not read, and with --only-damaged those that are intact, are not
    added.

    Args:
        started: called once with the number of pictures.
        progress: called with 1 for each picture that was looked at.
    """
    job = Job.of_json(json.loads((folder / STATE / JOB_FILE).read_text("utf-8")))
    plan = Plan(folder / STATE / PLAN_FILE)
    path, opened = folder / STATE / OPENED_FILE, set[int]()
    if path.is_file() and (folder / FILE_NAME).is_file():  # else somebody took the workspace away
        opened.update(json.loads(path.read_text("utf-8")))
    workspace = Workspace(folder)
    known = {item.name for item in workspace.items()}
    refused: list[tuple[str, str]] = []
    added = 0
    if started is not None:
        started(len(plan))
    try:
        for planned, row in _done(plan, Shards(plan.folder / "blocks")):
            left_out = row["status"] == "failed" or (job.only_damaged and row["status"] == "intact")
            if not left_out and planned.position not in opened:
                try:
                    if planned.source.name not in known:
                        _add(workspace, planned, row, job)
                        added += 1
                    opened.add(planned.position)
                except (DiskFullError, UnavailableError):
                    raise  # of every further picture the same would be said
                except LrpsegError as error:
                    refused.append((planned.source.name, str(error)))
            if progress is not None:
                progress(1)
    finally:
        text = json.dumps(sorted(opened))
        try:
            atomically(path, lambda file: file.write(text.encode()))
        except OSError as error:
            if not is_full(error):  # else that has been said, and they are known by their names
                raise
    return Opened(added, refused)


def _done(plan: Plan, shards: Shards) -> Iterator[tuple[Planned, Row]]:
    for number in range(plan.blocks):
        if shards.done(number):
            yield from zip(plan.block(number), shards.read(number), strict=True)


def _add(workspace: Workspace, planned: Planned, row: Row, job: Job) -> None:
    wanted = row["status"] == "damaged"
    item = workspace.add(
        planned.source.name,
        _as_run(planned.source.read(), job),
        job.settings,
        explain_intact=wanted and row["probability"] < 0.5,
        read=None if job.bits is None else row.get("read", ()),
    )
    if not item.width:  # the file has changed since: it is shown as failed, with the reason
        return
    for name, threshold in _thresholds(job, item).items():
        workspace.set_threshold(item.id, threshold, name)
    # Above 0.5 the page makes a mask of what the run took for intact (--min-probability): no spot
    # is large enough, until the labeler lowers the smallest area.
    hidden = not wanted and row["probability"] >= 0.5
    smallest = item.width * item.height + 1 if hidden else job.options.min_area
    if smallest:
        for layer in item.layers:
            workspace.set_cleaning(item.id, smallest, 0, layer.name)


def _as_run(data: bytes, job: Job) -> bytes:
    """A picture's file; with --bits a PNG of what the run saw, where the file alone would be read
    in another way."""
    if job.bits is None:
        return data
    try:
        seen = read_picture(data, job.bits).pixels
        plain = np.array_equal(seen, read_image(data))
    except ImageError:  # the file has changed since: it is shown as failed, with the reason
        return data
    return data if plain else png(Image.fromarray(seen))


def _thresholds(job: Job, item: Item) -> Mapping[str, float]:
    """What the run chose for each class; empty where it left that to the thresholder."""
    if isinstance(job.threshold, Mapping):
        return job.threshold
    return {} if job.threshold is None else {layer.name: job.threshold for layer in item.layers}
