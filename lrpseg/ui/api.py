"""Named endpoints for programs: one stateless, and all actions of a workspace.

`segment` takes and gives files; the others see `workspace_api`.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, get_type_hints

import gradio as gr
from PIL import Image

from lrpseg.app import commands
from lrpseg.app.service import Service
from lrpseg.core.errors import LrpsegError
from lrpseg.core.images import read_limited
from lrpseg.domains import FIRST_DOMAIN
from lrpseg.masks.render import heatmap, mask_image, save_png
from lrpseg.pipeline.settings import taking
from lrpseg.ui.handlers import made_folder
from lrpseg.ui.messages import SaidError
from lrpseg.ui.workspace_api import CHOSEN, workspace_endpoints
from lrpseg.web.inputs import checked
from lrpseg.workspace.exports import new_folder

LRP = {"concurrency_id": "lrp", "concurrency_limit": 2}
SEGMENT_ORDER = (
    "image", "domain", "network", "rule_set", "thresholder", "threshold", "explain_intact",
)  # fmt: skip
"""Programs pass these by position; what is younger comes after them."""


def add_endpoints(service: Service) -> None:
    """Add all endpoints to the Blocks at hand."""
    _add_segment(service)
    _add_workspace(service)


def _add_segment(service: Service) -> None:
    @taking(*CHOSEN, default="", annotation=str, order=SEGMENT_ORDER)
    def segment(
        image: str | None,
        domain: str = FIRST_DOMAIN,
        threshold: float | None = None,
        explain_intact: bool = False,
        **choices: str,
    ) -> tuple[float, str, str]:
        """Find damage on one picture: its probability, a heatmap, and a mask.

        Args:
            image: the picture (any common format).
            domain: what is inspected, for example magnetic-tile.
            threshold: likelihood (0 to 1) from which on a pixel is in the mask; none takes the
                thresholder's own.
            explain_intact: make a mask also where the picture is classified intact.
            {choices}

        Returns:
            Probability of damage (0 to 1), heatmap over the picture, mask of 0 and 255.
        """
        if not image:
            raise SaidError("Send a picture.")
        data = read_limited(image, service.limits.max_bytes)
        service.sessions.check_picture(data)
        settings = commands.settings_of(domain, trusted=False, **choices)
        result = service.analyser.segmenters.run(data, settings, explain_intact)
        # Files of their own, whole before they are named: two callers may get the same picture.
        folder = Path(new_folder(made_folder() / "segment"))
        save_png(Image.fromarray(heatmap(result)), folder / "heatmap.png")
        save_png(mask_image(result.at(threshold)), folder / "mask.png")
        return result.probability, str(folder / "heatmap.png"), str(folder / "mask.png")

    with gr.Group(visible=False):  # what the endpoint takes and gives, never shown
        made = {
            "image": gr.File(label="image"),
            "threshold": gr.Number(None, label="threshold"),
            "explain_intact": gr.Checkbox(False, label="explain_intact"),
            "domain": gr.Textbox(FIRST_DOMAIN, label="domain"),
        }
        for name in CHOSEN:
            made[name] = gr.Textbox("", label=name)
        given = [made[name] for name in inspect.signature(segment).parameters]
        answer = [
            gr.Number(label="probability"),
            gr.Image(label="heatmap", format="png"),
            gr.Image(label="mask", format="png"),
        ]
        gr.Button().click(_told(segment), given, answer, api_name="segment", **LRP)


def _add_workspace(service: Service) -> None:
    for endpoint in workspace_endpoints(service):
        gr.api(_told(endpoint), api_name=endpoint.__name__, concurrency_limit=None)


def _told(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, whose arguments are of the kinds that it asks for, and whose own errors
    reach the caller as they are; None stands for a parameter's default."""
    hints, parameters = get_type_hints(fn), inspect.signature(fn).parameters

    @wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        given = {**dict(zip(parameters, args, strict=False)), **kwargs}
        for name, value in list(given.items()):
            if value is None and parameters[name].default is not inspect.Parameter.empty:
                given[name] = parameters[name].default
        try:
            return fn(**checked(hints, given))
        except LrpsegError as error:
            raise SaidError(str(error)) from error

    return wrapped
