"""Workspaces and the pictures in them: opening, adding, removing."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lrpseg.app.samples import SamplePicture, Samples
from lrpseg.app.service import Service
from lrpseg.core.errors import DiskFullError, ImageError
from lrpseg.pipeline.settings import Settings
from lrpseg.workspace import Item, UnavailableError, Workspace, read_uploads, safe_name


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
    """What became of uploaded files: new pictures, and what was refused with the reason."""

    ids: list[str]
    refused: list[tuple[str, str]]


def add_files(
    service: Service, workspace: Workspace, paths: Iterable[tuple[Path, str]], settings: Settings
) -> Added:
    """Add files, each a path with the name it shall have; zips are unpacked."""
    service.sessions.check_room(workspace)
    added = Added([], [])
    for upload in read_uploads(paths, service.limits):
        if upload.data is None:
            added.refused.append((upload.name, upload.reason))
            continue
        try:
            added.ids.append(workspace.add(upload.name, upload.data, settings).id)
        except (DiskFullError, UnavailableError) as error:  # those before it are there
            added.refused.append((upload.name, str(error)))
            continue
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
