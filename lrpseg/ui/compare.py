"""The tab that shows one picture under two settings side by side."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import gradio as gr
import numpy as np

from lrpseg.app import actions, words
from lrpseg.app.service import Service
from lrpseg.core.errors import LrpsegError
from lrpseg.lrp import RULE_SETS
from lrpseg.models.networks import NETWORKS
from lrpseg.refiners import REFINERS
from lrpseg.thresholders import THRESHOLDERS
from lrpseg.ui import texts


def compare_tab(
    service: Service,
    token: gr.Textbox,
    selected: gr.Textbox,
    chosen: Sequence[gr.Dropdown],
    available: Collection[str],
    shown: Callable[..., Any],
) -> None:
    """Build the tab; `chosen` are the drop-downs of the picture's own settings, `available` the
    networks that some domain has weights of."""

    @shown
    def compare(
        token: str,
        id: str,
        domain: str,
        *names: str,
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> tuple[Any, ...]:
        """The picture under both settings, at each thresholder's own threshold."""
        if not id:
            raise LrpsegError("Choose a picture first, on the first tab.")
        workspace = service.sessions.get(token)
        sides: list[actions.Side] = []
        cells: list[Any] = []
        half = len(names) // 2
        for part in (names[:half], names[half:]):
            progress(len(sides) / 2, desc="Explaining")
            settings = actions.settings_of(domain, *part)
            sides.append(actions.compare_side(service, workspace, id, settings))
            cells += [sides[-1].heatmap, sides[-1].overlay]
        a, b = (side.mask for side in sides)
        union = int(np.count_nonzero(a | b))
        iou = np.count_nonzero(a & b) / union if union else 1.0
        told = [
            f"{words.probability_words(side.probability)}, {np.count_nonzero(side.mask):,} pixels"
            for side in sides
        ]
        line = f"Left: {told[0]}. Right: {told[1]}. IoU of the two masks: {iou:.2f}."
        return *cells, line

    networks = {n: entry for n, entry in NETWORKS.items() if n in available}
    with gr.Tab("Compare", id="compare"):
        gr.Markdown(texts.COMPARE)
        with gr.Row():
            other = [
                gr.Dropdown(
                    [(entry.title, name) for name, entry in registry.items()],
                    value=value,
                    label=label,
                    info=texts.HELP[name],
                    elem_id=f"other-{label.split()[-1].lower()}",
                )
                for name, registry, label, value in (
                    ("network", networks, "Right: network", next(iter(networks))),
                    ("rule_set", RULE_SETS, "Right: LRP rule set", "montavon"),
                    ("thresholder", THRESHOLDERS, "Right: thresholder", "bmm"),
                    ("refiner", REFINERS, "Right: refiner", "none"),
                )
            ]
            button = gr.Button("Compare", variant="primary", elem_id="compare", scale=0)
        line = gr.Markdown("", elem_id="compare-line")
        with gr.Row():
            pictures = [
                gr.Image(
                    label=label,
                    format="png",
                    interactive=False,
                    height=420,
                    buttons=["fullscreen", "download"],  # never the one that publishes a picture
                    elem_id=f"compare-{label.split(',')[0].lower()}-{what}",
                    alt_text=label,
                )
                for label, what in (
                    ("Left, heatmap", "heatmap"),
                    ("Left, mask", "mask"),
                    ("Right, heatmap", "heatmap"),
                    ("Right, mask", "mask"),
                )
            ]
        button.click(
            compare,
            [token, selected, *chosen, *other],
            [*pictures, line],
            concurrency_id="lrp",
            concurrency_limit=2,
            api_visibility="private",
        )
