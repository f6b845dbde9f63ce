"""Workspaces and the pictures in them: opening, adding, removing."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lrpseg.app.samples import SamplePicture, Samples
from lrpseg.app.service import Service
from lrpseg.core.errors import DiskFullError, ImageError
from lrpseg.core.zips import HIDDEN
from lrpseg.pipeline.settings import Settings
from lrpseg.workspace import Item, UnavailableError, Workspace, read_uploads, safe_name

NO_PICTURE = "no picture"


def open_workspace(service: Service, token: str | None = None) -> tuple[str, Workspace]:
    """(token, workspace): that of `token`; else the only one, or hosted a new one. What waits in it
    is analysed."""
    token, workspace = service.sessions.open(token or None)
    service.analyser.wake(workspace)
    return token, workspace


def add(service: Service, workspace: Workspace, name: str, data: bytes, settings: Settings) -> Item:
    """Add one picture by its bytes; it is analysed in the background."""
    if len(data) > service.limits.max_bytes:
        raise ImageError(
            f"The file has {len(data) / 1e6:.0f} MB; the limit is "
            f"{service.limits.max_bytes / 1e6:.0f} MB."
        )
    service.sessions.check_room(workspace)
    item = workspace.add(safe_name(name), data, settings)
    service.analyser.wake(workspace)
    return item


@dataclass(frozen=True)
class Added:
    """What became of uploaded files: new pictures, and what was refused with the reason. kinds: how
    many were refused for each kind of reason, how many were hidden, and how many of the new ones
    are no pictures."""

    ids: list[str]
    refused: list[tuple[str, str]]
    kinds: Counter[str] = field(default_factory=Counter)

    def sentence(self) -> str:
        """One line: "3 pictures read, 2 left out: 1 (no picture), 1 (too large)"."""
        count = len(self.ids) - self.kinds[NO_PICTURE]
        told = f"{count} picture{'s'[: count != 1]} read"
        if not self.kinds.total():
            return f"{told}, none left out"
        reasons = ", ".join(f"{n} ({kind})" for kind, n in self.kinds.most_common() if n)
        return f"{told}, {self.kinds.total()} left out: {reasons}"


def add_files(
    service: Service, workspace: Workspace, paths: Iterable[tuple[Path, str]], settings: Settings
) -> Added:
    """Add files, each a path with the name it shall have; zips are unpacked."""
    service.sessions.check_room(workspace)
    added = Added([], [])
    for upload in read_uploads(paths, service.limits):
        if upload.data is None:
            added.kinds[upload.kind] += 1
            if upload.kind != HIDDEN:  # there may be thousands: they are counted
                added.refused.append((upload.name, upload.reason))
            continue
        try:
            item = workspace.add(upload.name, upload.data, settings)
        except (DiskFullError, UnavailableError) as error:  # those before it are there
            added.refused.append((upload.name, str(error)))
            added.kinds["no room"] += 1
            continue
        added.ids.append(item.id)
        if item.status == "failed":  # it is listed, with the reason
            added.kinds[NO_PICTURE] += 1
        service.analyser.wake(workspace)
    return added


def add_sample(
    service: Service, workspace: Workspace, samples: Samples, sample: SamplePicture
) -> str:
    """Add a shipped sample, with its result where that is ready; returns its id. One that is there
    is not added again."""
    id = samples.add(sample, workspace)
    service.analyser.wake(workspace)
    return id


def remove(workspace: Workspace, id: str) -> None:
    """Remove a picture and all that was drawn on it."""
    workspace.delete(id)
