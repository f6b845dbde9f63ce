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

from lrpseg.app import actions
from lrpseg.app.service import Service
from lrpseg.core.errors import ImageError, OptionError
from lrpseg.masks import read_mask
from lrpseg.masks.corrections import from_mask
from lrpseg.masks.render import mask_image
from lrpseg.web import describe
from lrpseg.workspace import safe_name


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
        return service.sessions.open(token or None)[0]

    def add_image(
        token: str,
        name: str,
        image: str,
        domain: str = "magnetic-tile",
        network: str = "",
        rule_set: str = "",
        thresholder: str = "",
        refiner: str = "",
    ) -> dict[str, Any]:
        """Add a picture to a workspace; it is analysed in the background.

        Args:
            token: of the workspace.
            name: the picture's file name.
            image: the file's bytes in base64.
            domain: what is inspected.
            network: the classifier; empty: the domain's best.
            rule_set: the LRP rules; empty: the best.
            thresholder: how the heatmap becomes a likelihood; empty: the best.
            refiner: how the picture itself improves the likelihood; empty: the best.

        Returns:
            The picture's id, status and settings.
        """
        settings = actions.settings_of(domain_name(domain), network, rule_set, thresholder, refiner)
        workspace = service.sessions.get(token)
        service.sessions.check_room(workspace)
        item = workspace.add(safe_name(name), _bytes(image, service.limits.max_bytes), settings)
        service.analyser.wake(workspace)
        return describe.summary(item)

    def list_images(token: str) -> list[dict[str, Any]]:
        """List a workspace's pictures with their status and probability of damage.

        Args:
            token: of the workspace.
        """
        return [describe.summary(item) for item in service.sessions.get(token).items()]

    def get_mask(token: str, id: str) -> str:
        """Get a picture's mask as it is now, with all corrections.

        Args:
            token: of the workspace.
            id: of the picture.

        Returns:
            A PNG of 0 and 255 of the picture's size, in base64.
        """
        file = io.BytesIO()
        mask_image(service.sessions.get(token).mask(id)).save(file, "PNG")
        return base64.b64encode(file.getvalue()).decode()

    def set_mask(token: str, id: str, mask: str) -> dict[str, Any]:
        """Replace a picture's mask; what differs from the automatic one becomes its corrections.

        Args:
            token: of the workspace.
            id: of the picture.
            mask: an image of the picture's size in base64; what is not 0 is damage.
        """
        workspace = service.sessions.get(token)
        data = _bytes(mask, service.limits.max_bytes)
        wanted = read_mask(data)
        corrections = from_mask(workspace.cleaned_mask(id), wanted)
        height, width = corrections.shape
        workspace.patch_corrections(id, 0, 0, width, height, corrections)
        return describe.summary(workspace.item(id))

    def set_threshold(token: str, id: str, threshold: float) -> dict[str, Any]:
        """Set the likelihood (0 to 1) from which on a picture's pixels are in its mask.

        Args:
            token: of the workspace.
            id: of the picture.
            threshold: 0 to 1.
        """
        workspace = service.sessions.get(token)
        workspace.set_threshold(id, threshold)
        return describe.summary(workspace.item(id))

    def set_settings(
        token: str,
        id: str,
        domain: str,
        network: str,
        rule_set: str,
        thresholder: str,
        refiner: str = "",
    ) -> dict[str, Any]:
        """Give a picture other settings; corrections are kept.

        Args:
            token: of the workspace.
            id: of the picture.
            domain: what is inspected.
            network: the classifier.
            rule_set: the LRP rules.
            thresholder: how the heatmap becomes a likelihood.
            refiner: how the picture itself improves the likelihood; empty: the best.
        """
        workspace = service.sessions.get(token)
        settings = actions.settings_of(domain_name(domain), network, rule_set, thresholder, refiner)
        actions.apply_settings(service, workspace, [id], settings)
        return describe.summary(workspace.item(id))

    def set_status(token: str, id: str, status: str) -> dict[str, Any]:
        """Mark a picture as accepted, or as to do again.

        Args:
            token: of the workspace.
            id: of the picture.
            status: accepted or todo.
        """
        workspace = service.sessions.get(token)
        workspace.set_status(id, status)
        return describe.summary(workspace.item(id))

    def delete_image(token: str, id: str) -> bool:
        """Delete a picture and all that was drawn on it.

        Args:
            token: of the workspace.
            id: of the picture.
        """
        service.sessions.get(token).delete(id)
        return True

    def set_cleaning(token: str, id: str, min_area: int, max_hole: int) -> dict[str, Any]:
        """Leave small spots out of a picture's mask, and fill small holes.

        Args:
            token: of the workspace.
            id: of the picture.
            min_area: spots of fewer pixels are left out.
            max_hole: holes of up to so many pixels are filled.
        """
        workspace = service.sessions.get(token)
        workspace.set_cleaning(id, int(min_area), int(max_hole))
        return describe.summary(workspace.item(id))

    def explain_anyway(token: str, id: str) -> dict[str, Any]:
        """Explain a picture that was classified intact, whose mask was therefore left empty.

        Args:
            token: of the workspace.
            id: of the picture.
        """
        workspace = service.sessions.get(token)
        workspace.set_settings(id, explain_intact=True)
        service.analyser.wake(workspace)
        return describe.summary(workspace.item(id))

    def set_truth(token: str, id: str, mask: str) -> dict[str, Any]:
        """Give a picture its true mask, and get what the present mask is worth.

        Args:
            token: of the workspace.
            id: of the picture.
            mask: an image of the picture's size in base64; what is not 0 is damage.

        Returns:
            precision, recall and iou of the picture's mask as it is now.
        """
        workspace = service.sessions.get(token)
        workspace.set_truth(id, _bytes(mask, service.limits.max_bytes))
        found, true = workspace.mask(id), workspace.truth(id)
        return actions.figures(found, true)

    def import_mask_file(
        token: str, name: str, data: str, kind: str = "", role: str = "corrections"
    ) -> dict[str, Any]:
        """Bring in masks that were made elsewhere.

        Args:
            token: of the workspace.
            name: the file's name; a PNG belongs to the picture of the same name.
            data: the file's bytes in base64: a PNG, a COCO or labelme JSON, or a zip of them.
            kind: png, coco or labelme; empty: told by the content.
            role: corrections or truth.

        Returns:
            names of the pictures that got a mask, and what was refused with the reason.
        """
        workspace = service.sessions.get(token)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / safe_name(name).rsplit("/", 1)[-1]
            path.write_bytes(_bytes(data, service.limits.max_bytes))
            done = actions.import_files(workspace, [path], service.limits, kind or None, role)
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
            path, _ = actions.export_file(service.sessions.get(token), folder, chosen)
            return base64.b64encode(Path(path).read_bytes()).decode()

    def save_session(token: str) -> str:
        """Take a whole workspace home as one file.

        Args:
            token: of the workspace.

        Returns:
            A session file in base64, for load_session.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = actions.session_file(service.sessions.get(token), folder)
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
            return actions.take_session(service, service.sessions.get(token), path)

    return [
        open_workspace, add_image, list_images, get_mask, set_mask, set_threshold, set_cleaning,
        set_settings, set_status, explain_anyway, set_truth, import_mask_file, export, save_session,
        load_session, delete_image,
    ]  # fmt: skip


def domain_name(domain: str) -> str:
    """A domain's name; a path is refused, as it would let a visitor point at the server's files."""
    if "/" in domain or "\\" in domain or domain in (".", ".."):
        raise OptionError("Give a domain's name.")
    return domain


def _bytes(text: str, limit: int) -> bytes:
    if len(text) > limit * 4 / 3 + 8:
        raise ImageError(f"The file is larger than {limit / 1e6:.0f} MB.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageError("The picture must be base64 text of a file's bytes.") from error
