"""What the page's events do: a few lines each over `lrpseg.app.commands`."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from gradio.utils import get_upload_folder

from lrpseg.app import commands
from lrpseg.app.samples import Samples
from lrpseg.app.service import Service
from lrpseg.core.errors import LrpsegError
from lrpseg.core.images import read_limited
from lrpseg.core.zips import HIDDEN
from lrpseg.pipeline.settings import MENUS, Settings
from lrpseg.ui import choices
from lrpseg.ui.messages import info, page_error, warn
from lrpseg.ui.uploads import Named
from lrpseg.web import inputs
from lrpseg.workspace.exports import folder_for

T = TypeVar("T")
_serial = itertools.count(1)


def shown(fn: Callable[..., T]) -> Callable[..., T]:
    """Show lrpseg's own errors to the user; they say what to do. Others stay in the log."""

    @wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> T:
        try:
            return fn(*args, **kwargs)
        except LrpsegError as error:
            raise page_error(error) from error

    return wrapped


def editor_value(token: str, select: str | None = None, again: str | None = None) -> dict[str, Any]:
    """What the editor is told: look again. select: open this picture; again: something about this
    one changed. `serial` makes each value new."""
    return {"token": token, "select": select, "again": again, "serial": next(_serial)}


@dataclass(frozen=True, eq=False)
class Handlers:
    """The events of one page. `chosen` are the values of the menus, in the order of `MENUS`."""

    service: Service
    samples: Samples

    @shown
    def find_workspace(self, token: str | None) -> tuple[Any, ...]:
        """A reload finds its workspace again; a new visitor gets a new one."""
        token, _ = commands.open_workspace(self.service, token)
        return token, editor_value(token), choices.domains()

    @shown
    def add(self, token: str, files: list[Named], *chosen: str) -> tuple[Any, ...]:
        """Uploaded files, zips and folders become pictures of the workspace."""
        workspace = self.service.sessions.get(token)
        added = commands.add_files(self.service, workspace, files, settings(*chosen))
        if added.refused or added.kinds[HIDDEN]:
            info(f"{added.sentence()}.")
        _warn(added.refused, "more files were refused")
        return None, editor_value(token, next(iter(added.ids), None))

    @shown
    def add_sample(self, event: gr.SelectData, token: str) -> dict[str, Any]:
        """A sample opens from its stored result; its domain comes with it."""
        place = inputs.whole(event.index, "The sample's place")  # in our own list, never a path
        if not 0 <= place < len(self.samples.all):
            raise LrpsegError("There is no such sample. Reload the page.")
        sample = self.samples.all[place]
        workspace = self.service.sessions.get(token)
        id = commands.add_sample(self.service, workspace, self.samples, sample)
        return editor_value(token, id)

    @shown
    def select(self, event: gr.EventData, token: str) -> tuple[Any, ...]:
        """The settings on the left follow the picture that is shown."""
        item = self.service.sessions.get(token).item(inputs.text(event.id, "id"))
        return item.id, *choices.menus(item.settings)

    def chooser(self, name: str) -> Callable[..., Any]:
        """The event of the menu `name`: what else changes with it, for the picture that is
        shown."""

        @shown
        def choose(token: str, id: str, *chosen: str) -> tuple[Any, ...]:
            values = _values(chosen)
            workspace = self.service.sessions.get(token)
            after = commands.change_settings(self.service, workspace, id, name, values)
            shown_now = [
                # A menu that stays as it is is left alone; what a domain's networks are, is not.
                gr.skip() if value == getattr(after, field) and name != "domain" else menu
                for (field, value), menu in zip(values.items(), choices.menus(after), strict=True)
            ]
            return *shown_now, editor_value(token, again=id) if id else gr.skip()

        return choose

    @shown
    def change_all(self, token: str, id: str, *chosen: str) -> Any:
        """The menus' settings for every picture that is not accepted yet."""
        workspace = self.service.sessions.get(token)
        commands.apply_to_all(self.service, workspace, settings(*chosen))
        return editor_value(token, again=id or None)

    @shown
    def take_truth(self, token: str, id: str, files: list[Named]) -> tuple[Any, ...]:
        """A true mask of the picture that is shown, for its own precision and recall."""
        _chosen(id)
        for path, _ in files:
            data = read_limited(path, self.service.limits.max_bytes)
            commands.set_truth(self.service.sessions.get(token), id, data)
        return None, editor_value(token, again=id)

    @shown
    def bring_masks(
        self, token: str, id: str, files: list[Named], replace: bool = False
    ) -> tuple[Any, ...]:
        """Masks that were made elsewhere become corrections; replace: also where something is drawn
        or accepted. That is asked for anew each time."""
        workspace, paths = self.service.sessions.get(token), [path for path, _ in files]
        done = commands.import_files(workspace, paths, self.service.limits, overwrite=bool(replace))
        info(f"{done.sentence()}.")
        _warn(done.refused, "more masks were refused")
        return None, False, editor_value(token, again=id or None)

    @shown
    def download_mask(self, token: str, id: str) -> Any:
        """The mask of the picture that is shown, as a PNG."""
        _chosen(id)
        return commands.mask_file(self.service.sessions.get(token), id, made_for(token))

    @shown
    def make_zip(self, token: str, formats: list[str]) -> Any:
        """All masks with overlays, provenance and formats."""
        workspace = self.service.sessions.get(token)
        path, said = commands.export_zip_file(workspace, made_for(token), formats)
        for sentence in said:
            info(sentence)
        return path

    @shown
    def take_home(self, token: str) -> Any:
        """The whole session as one file."""
        workspace = self.service.sessions.get(token)
        path, damaged = commands.session_file(workspace, made_for(token))
        _warn(
            [(f"{name} is not in the session file", why) for name, why in damaged],
            "more pictures are not in it",
        )
        return path

    @shown
    def open_session(self, token: str, files: list[Named]) -> tuple[Any, ...]:
        """A session file's pictures are added."""
        workspace = self.service.sessions.get(token)
        for path, _ in files:
            count = commands.open_session(self.service, workspace, Path(path))
            info(f"{counted(count, 'picture')} added.")
        return None, editor_value(token)


def settings(*chosen: str) -> Settings:
    """Settings from the values of the menus."""
    return commands.settings_of(**_values(chosen))


def _values(chosen: Sequence[str]) -> dict[str, Any]:
    return {name: inputs.text(value, name) for name, value in zip(MENUS, chosen, strict=True)}


def made_folder() -> Path:
    """Where files are made that a browser may fetch from Gradio."""
    return Path(get_upload_folder()) / "lrpseg"


def made_for(token: str) -> str:
    """The folder there for what is made for who has the token."""
    return folder_for(made_folder(), token)


def counted(number: int, what: str) -> str:
    """1 mask was, 2 masks were."""
    return f"{number} {what} was" if number == 1 else f"{number} {what}s were"


def _warn(refused: list[tuple[str, str]], more: str) -> None:
    for name, reason in refused[:5]:
        warn(f"{name}: {reason}")
    if len(refused) > 5:
        warn(f"{len(refused) - 5} {more}.")


def _chosen(id: str) -> None:
    if not id:
        raise LrpsegError("Choose a picture first.")
