"""Named endpoints for programs: one stateless, and all actions of a workspace.

`segment` takes and gives files; the others see `workspace_api`.
"""

from functools import wraps
from typing import Any

import gradio as gr
import numpy as np

from lrpseg.app import actions
from lrpseg.app.service import Service
from lrpseg.core.errors import LrpsegError
from lrpseg.masks.render import heatmap, mask_image
from lrpseg.ui.workspace_api import domain_name, workspace_endpoints

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
        refiner: str = "",
    ) -> tuple[float, np.ndarray, Any]:
        """Find damage on one picture: its probability, a heatmap, and a mask.

        Args:
            image: the picture (any common format).
            domain: what is inspected, for example magnetic-tile.
            network: the classifier, for example one-fc; empty: the domain's best.
            rule_set: the LRP rules: ours or montavon; empty: the best.
            thresholder: simple, gmm, bmm, bmm-literal or fraction; empty: the best.
            threshold: likelihood (0 to 1) from which on a pixel is in the mask; none takes the
                thresholder's own.
            explain_intact: make a mask also where the picture is classified intact.
            refiner: how the picture itself improves the likelihood: none, intensity or support;
                empty: the best.

        Returns:
            Probability of damage (0 to 1), heatmap over the picture, mask of 0 and 255.
        """
        if not image:
            raise gr.Error("Send a picture.", print_exception=False)
        try:
            data = actions.read_limited(image, service.limits.max_bytes)
            settings = actions.settings_of(
                domain_name(domain), network, rule_set, thresholder, refiner
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
            gr.Textbox("", label="refiner"),
        ]
        answer = [
            gr.Number(label="probability"),
            gr.Image(label="heatmap", format="png"),
            gr.Image(label="mask", format="png"),
        ]
        gr.Button().click(segment, given, answer, api_name="segment", **LRP)


def _add_workspace(service: Service) -> None:
    for endpoint in workspace_endpoints(service):
        gr.api(_told(endpoint), api_name=endpoint.__name__, concurrency_limit=None)


def _told(fn: Any) -> Any:
    """The same function, whose own errors reach the caller as they are."""

    @wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return fn(*args, **kwargs)
        except LrpsegError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return wrapped
