"""Named endpoints for programs: one stateless, and all actions of a workspace.

Pictures and masks travel as base64 text in the workspace's endpoints, so that they work the same
over HTTP, `gradio_client` and MCP; `segment` takes and gives files.
"""

import base64
import binascii
import io
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from lrpseg.corrections import from_mask
from lrpseg.domains import load_domain
from lrpseg.errors import ImageError, LrpsegError, OptionError
from lrpseg.operating_points import default_choice
from lrpseg.render import heatmap, mask_image
from lrpseg.ui import actions, describe
from lrpseg.ui.service import Service

LRP = {"concurrency_id": "lrp", "concurrency_limit": 2}


def add_endpoints(service: Service) -> None:
    """Add all endpoints to the Blocks at hand."""
    _add_segment(service)
    _add_workspace(service)


def _add_segment(service: Service) -> None:
    def segment(
        image: str,
        domain: str = "magnetic-tile",
        network: str = "",
        rule_set: str = "",
        thresholder: str = "",
        threshold: float | None = None,
        explain_intact: bool = False,
    ) -> tuple[float, np.ndarray, Any]:
        """Find damage on one picture: its probability, a heatmap, and a mask.

        Args:
            image: the picture (any common format).
            domain: what is inspected, for example magnetic-tile.
            network: the classifier, for example one-fc; empty: the domain's best.
            rule_set: the LRP rules: ours or montavon; empty: the best.
            thresholder: simple, gmm or bmm; empty: the best.
            threshold: likelihood (0 to 1) from which on a pixel is in the mask; none takes the
                thresholder's own.
            explain_intact: make a mask also where the picture is classified intact.

        Returns:
            Probability of damage (0 to 1), heatmap over the picture, mask of 0 and 255.
        """
        if not image:
            raise gr.Error("Send a picture.", print_exception=False)
        try:
            data = actions.read_limited(image, service.limits.max_bytes)
            choice = default_choice(
                load_domain(_name(domain)), network or None, rule_set or None, thresholder or None
            )
            settings = actions.settings_of(
                domain, choice.network, choice.rule_set, choice.thresholder
            )
            result = service.analyser.segmenters.run(data, settings, explain_intact)
            return result.probability, heatmap(result), mask_image(result.at(threshold))
        except LrpsegError as error:
            raise gr.Error(str(error), print_exception=False) from error

    with gr.Group(visible=False):  # what the endpoint takes and gives, never shown
        given = [
            gr.File(label="image"),
            gr.Textbox("magnetic-tile", label="domain"),
            *(gr.Textbox("", label=name) for name in ("network", "rule_set", "thresholder")),
            gr.Number(None, label="threshold"),
            gr.Checkbox(False, label="explain_intact"),
        ]
        answer = [
            gr.Number(label="probability"),
            gr.Image(label="heatmap", format="png"),
            gr.Image(label="mask", format="png"),
        ]
        gr.Button().click(segment, given, answer, api_name="segment", **LRP)


def _name(domain: str) -> str:
    """A domain's name; a path is refused, as it would let a visitor point at the server's files."""
    if "/" in domain or "\\" in domain or domain in (".", ".."):
        raise OptionError("Give a domain's name.")
    return domain


def _add_workspace(service: Service) -> None:
    def open_workspace(token: str = "") -> str:
        """Open a workspace.

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

        Returns:
            The picture's id, status and settings.
        """
        choice = default_choice(
            load_domain(_name(domain)), network or None, rule_set or None, thresholder or None
        )
        settings = actions.settings_of(domain, choice.network, choice.rule_set, choice.thresholder)
        workspace = service.sessions.get(token)
        item = workspace.add(name, _bytes(image, service.limits.max_bytes), settings)
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
            mask: an image of the picture's size in base64; pixels above half are damage.
        """
        workspace = service.sessions.get(token)
        data = _bytes(mask, service.limits.max_bytes)
        try:
            with Image.open(io.BytesIO(data)) as image:
                wanted = np.asarray(image.convert("L")) > 127
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise ImageError("The mask is not an image that can be read. Send a PNG.") from error
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
        token: str, id: str, domain: str, network: str, rule_set: str, thresholder: str
    ) -> dict[str, Any]:
        """Give a picture other settings; corrections are kept.

        Args:
            token: of the workspace.
            id: of the picture.
            domain: what is inspected.
            network: the classifier.
            rule_set: the LRP rules.
            thresholder: how the heatmap becomes a likelihood.
        """
        workspace = service.sessions.get(token)
        settings = actions.settings_of(_name(domain), network, rule_set, thresholder)
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

    for endpoint in (
        open_workspace, add_image, list_images, get_mask, set_mask, set_threshold, set_settings,
        set_status, delete_image,
    ):  # fmt: skip
        gr.api(_told(endpoint), api_name=endpoint.__name__, concurrency_limit=None)


def _told(fn: Any) -> Any:
    """The same function, whose own errors reach the caller as they are."""
    from functools import wraps

    @wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return fn(*args, **kwargs)
        except LrpsegError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return wrapped


def _bytes(text: str, limit: int) -> bytes:
    if len(text) > limit * 4 / 3 + 8:
        raise ImageError(f"The file is larger than {limit / 1e6:.0f} MB.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageError("The picture must be base64 text of a file's bytes.") from error
