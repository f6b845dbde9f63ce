"""The actions of a workspace as functions for programs: what the page's buttons do, and no less.

Pictures, masks and zips travel as base64 text, so that they work the same over HTTP,
`gradio_client` and MCP.
"""

import base64
import binascii
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lrpseg.app import commands
from lrpseg.app.service import Service
from lrpseg.core.errors import ImageError
from lrpseg.domains import FIRST_DOMAIN
from lrpseg.masks.render import mask_image
from lrpseg.pipeline.settings import MENUS, taking
from lrpseg.web import describe
from lrpseg.workspace import safe_name

CHOSEN = tuple(name for name in MENUS if name != "domain")
"""Settings that a program may leave to the domain."""


def workspace_endpoints(service: Service) -> list[Callable[..., Any]]:
    """A function for each action; name, types and docstring are those of the endpoint."""

    def open_workspace(token: str = "") -> str:
        """Open a workspace: pictures, results and corrections that belong together.

        Args:
            token: of a workspace that was opened before; empty or unknown: on a hosted page a new
                one is made.

        Returns:
            The workspace's token. Keep it secret: who has it has your pictures.
        """
        return commands.open_workspace(service, token)[0]

    @taking(*CHOSEN, default="", annotation=str)
    def add_image(
        token: str, name: str, image: str, domain: str = FIRST_DOMAIN, **choices: str
    ) -> dict[str, Any]:
        """Add a picture to a workspace; it is analysed in the background.

        Args:
            token: of the workspace.
            name: the picture's file name.
            image: the file's bytes in base64.
            domain: what is inspected.
            {choices}

        Returns:
            The picture's id, status and settings.
        """
        settings = commands.settings_of(domain, trusted=False, **choices)
        data = _bytes(image, service.limits.max_bytes)
        workspace = service.sessions.get(token)
        return describe.summary(commands.add(service, workspace, name, data, settings))

    def list_images(token: str) -> list[dict[str, Any]]:
        """List a workspace's pictures with their status and probability of damage.

        Args:
            token: of the workspace.
        """
        return [describe.summary(item) for item in service.sessions.get(token).items()]

    def get_mask(token: str, id: str, class_name: str = "") -> str:
        """Get a picture's mask as it is now, with all corrections.

        Args:
            token: of the workspace.
            id: of the picture.
            class_name: of damage, where the domain has several; empty: all of them together.

        Returns:
            A PNG of 0 and 255 of the picture's size, in base64.
        """
        file = io.BytesIO()
        workspace = service.sessions.get(token)
        mask_image(workspace.mask(id, class_name or None)).save(file, "PNG")
        return base64.b64encode(file.getvalue()).decode()

    def set_mask(token: str, id: str, mask: str, class_name: str = "") -> dict[str, Any]:
        """Replace a picture's mask; what differs from the automatic one becomes its corrections.

        Args:
            token: of the workspace.
            id: of the picture.
            mask: an image of the picture's size in base64; what is not 0 is damage.
            class_name: of damage, where the domain has several.
        """
        data = _bytes(mask, service.limits.max_bytes)
        return describe.summary(
            commands.replace_mask(service.sessions.get(token), id, data, class_name or None)
        )

    def set_threshold(
        token: str, id: str, threshold: float, class_name: str = ""
    ) -> dict[str, Any]:
        """Set the likelihood (0 to 1) from which on a picture's pixels are in its mask.

        Args:
            token: of the workspace.
            id: of the picture.
            threshold: 0 to 1.
            class_name: of damage, where the domain has several.
        """
        workspace = service.sessions.get(token)
        commands.set_threshold(workspace, id, threshold, class_name or None)
        return describe.summary(workspace.item(id))

    @taking(*CHOSEN, default="", annotation=str)
    def set_settings(token: str, id: str, domain: str, **choices: str) -> dict[str, Any]:
        """Give a picture other settings; corrections are kept.

        Args:
            token: of the workspace.
            id: of the picture.
            domain: what is inspected.
            {choices}
        """
        workspace = service.sessions.get(token)
        settings = commands.settings_of(domain, trusted=False, **choices)
        commands.apply_settings(service, workspace, [id], settings)
        return describe.summary(workspace.item(id))

    def set_status(token: str, id: str, status: str) -> dict[str, Any]:
        """Mark a picture as accepted, or as to do again.

        Args:
            token: of the workspace.
            id: of the picture.
            status: accepted or todo.
        """
        workspace = service.sessions.get(token)
        commands.set_status(workspace, id, status)
        return describe.summary(workspace.item(id))

    def delete_image(token: str, id: str) -> bool:
        """Delete a picture and all that was drawn on it.

        Args:
            token: of the workspace.
            id: of the picture.
        """
        commands.remove(service.sessions.get(token), id)
        return True

    def set_cleaning(
        token: str, id: str, min_area: int, max_hole: int, class_name: str = ""
    ) -> dict[str, Any]:
        """Leave small spots out of a picture's mask, and fill small holes.

        Args:
            token: of the workspace.
            id: of the picture.
            min_area: spots of fewer pixels are left out.
            max_hole: holes of up to so many pixels are filled.
            class_name: of damage, where the domain has several.
        """
        workspace = service.sessions.get(token)
        commands.set_cleaning(workspace, id, min_area, max_hole, class_name or None)
        return describe.summary(workspace.item(id))

    def explain_anyway(token: str, id: str) -> dict[str, Any]:
        """Explain a picture that was classified intact, whose mask was therefore left empty.

        Args:
            token: of the workspace.
            id: of the picture.
        """
        workspace = service.sessions.get(token)
        return describe.summary(commands.explain_anyway(service, workspace, id))

    def set_truth(token: str, id: str, mask: str, class_name: str = "") -> dict[str, Any]:
        """Give a picture its true mask, and get what the present mask is worth.

        Args:
            token: of the workspace.
            id: of the picture.
            mask: an image of the picture's size in base64; what is not 0 is damage.
            class_name: of damage, where the domain has several.

        Returns:
            precision, recall and iou of the picture's mask as it is now.
        """
        workspace = service.sessions.get(token)
        data = _bytes(mask, service.limits.max_bytes)
        commands.set_truth(workspace, id, data, class_name or None)
        return commands.figures(workspace, id, class_name or None).as_json()

    def import_mask_file(
        token: str,
        name: str,
        data: str,
        kind: str = "",
        role: str = "corrections",
        class_name: str = "",
        replace: bool = False,
    ) -> dict[str, Any]:
        """Bring in masks that were made elsewhere.

        Args:
            token: of the workspace.
            name: the file's name; a PNG belongs to the picture of the same name.
            data: the file's bytes in base64: a PNG, a COCO, labelme or Label Studio JSON, or a zip
                of them.
            kind: png, coco, labelme or label-studio; empty: told by the content.
            role: corrections or truth.
            class_name: what masks without labels show, where the domain has several.
            replace: also where something was drawn, accepted or given as truth before.

        Returns:
            names of the pictures that got a mask, and what was refused with the reason.
        """
        workspace = service.sessions.get(token)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / safe_name(name).rsplit("/", 1)[-1]
            path.write_bytes(_bytes(data, service.limits.max_bytes))
            done = commands.import_files(
                workspace, [path], service.limits, kind or None, role, class_name or None,
                overwrite=replace,
            )  # fmt: skip
        return {"names": done.names, "refused": [list(pair) for pair in done.refused]}

    def export(token: str, formats: str = "") -> str:
        """Export all masks of a workspace.

        Args:
            token: of the workspace.
            formats: names of annotation formats, with commas between, for example coco,labelme;
                masks, overlays and provenance are always there.

        Returns:
            A zip in base64.
        """
        chosen = [part.strip() for part in formats.split(",") if part.strip()]
        with tempfile.TemporaryDirectory() as folder:
            path, _ = commands.export_zip_file(service.sessions.get(token), folder, chosen)
            return base64.b64encode(Path(path).read_bytes()).decode()

    def save_session(token: str) -> str:
        """Take a whole workspace home as one file.

        Args:
            token: of the workspace.

        Returns:
            A session file in base64, for load_session. left-out.txt in it names pictures that are
            damaged and not in it.
        """
        with tempfile.TemporaryDirectory() as folder:
            path, _ = commands.session_file(service.sessions.get(token), folder)
            return base64.b64encode(Path(path).read_bytes()).decode()

    def load_session(token: str, session: str) -> int:
        """Add the pictures of a session file to a workspace, with all that was drawn on them.

        Args:
            token: of the workspace.
            session: the file in base64.

        Returns:
            How many pictures were added.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "session.zip"
            path.write_bytes(_bytes(session, service.limits.max_expanded))
            return commands.open_session(service, service.sessions.get(token), path)

    return [
        open_workspace, add_image, list_images, get_mask, set_mask, set_threshold, set_cleaning,
        set_settings, set_status, explain_anyway, set_truth, import_mask_file, export, save_session,
        load_session, delete_image,
    ]  # fmt: skip


def _bytes(text: str, limit: int) -> bytes:
    if len(text) > limit * 4 / 3 + 8:
        raise ImageError(f"The file is larger than {limit / 1e6:.0f} MB.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageError("The picture must be base64 text of a file's bytes.") from error
