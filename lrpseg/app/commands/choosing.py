"""Choosing settings for pictures: corrections are kept, and LRP runs only where it has to."""

from collections.abc import Iterable, Mapping
from typing import Any

from lrpseg.app.service import Service
from lrpseg.core.errors import OptionError
from lrpseg.domains import load_domain
from lrpseg.pipeline.defaults import after_choosing, default_settings
from lrpseg.pipeline.settings import Settings
from lrpseg.workspace import Item, Workspace, read_settings

DONE = ("failed", "accepted")
"""Statuses of pictures that keep their settings when others get new ones: there is nothing to
choose, or somebody is done with them."""


def settings_of(domain: str, *, trusted: bool = True, **choices: Any) -> Settings:
    """Settings from names in the registries; empty ones become the domain's best.

    trusted: whether `domain` may be a folder. Raises `OptionError` for a name that does not exist.
    """
    if not trusted and ("/" in domain or "\\" in domain or domain in (".", "..")):
        # A path would let a visitor point at the server's files.
        raise OptionError("Give a domain's name.")
    given: dict[str, Any] = {name: value or None for name, value in choices.items()}
    return default_settings(load_domain(domain), domain=domain, **given)


def apply_settings(
    service: Service, workspace: Workspace, ids: Iterable[str], settings: Settings
) -> None:
    """Give pictures other settings."""
    for id in ids:
        workspace.set_settings(id, settings=settings)
    service.analyser.wake(workspace)


def change_settings(
    service: Service,
    workspace: Workspace,
    id: str,
    changed: str,
    values: Mapping[str, str],
) -> Settings:
    """Give a picture the settings that follow from another value of the field `changed`
    (`after_choosing`), and return them; with "" for `id` there is no picture to give them to."""
    settings = after_choosing(changed, values)
    if id:
        apply_settings(service, workspace, [id], settings)
    return settings


def apply_to_all(service: Service, workspace: Workspace, settings: Settings) -> None:
    """Give the settings to every picture that is not accepted yet."""
    ids = [item.id for item in workspace.items() if item.status not in DONE]
    apply_settings(service, workspace, ids, settings)


def restore_choice(
    service: Service, workspace: Workspace, id: str, choice: Mapping[str, Any]
) -> Item:
    """A choice as it was told once: undo and redo bring it back. Comes from a browser: names alone.

    Raises `WorkspaceError` where something is missing or is no name.
    """
    item = workspace.item(id)  # first: of a picture that is not there nothing else is told
    explain = bool(choice.get("explain_intact"))
    workspace.set_settings(item.id, read_settings(choice), explain)
    service.analyser.wake(workspace)
    return workspace.item(id)


def explain_anyway(service: Service, workspace: Workspace, id: str) -> Item:
    """Explain a picture that was classified intact, whose mask was therefore left empty."""
    workspace.set_settings(id, explain_intact=True)
    service.analyser.wake(workspace)
    return workspace.item(id)
