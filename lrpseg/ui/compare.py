"""The tab that shows one picture under two settings side by side."""

from collections.abc import Collection
from typing import Any

import gradio as gr
import numpy as np

from lrpseg.app import commands, words
from lrpseg.app.service import Service
from lrpseg.core.errors import LrpsegError
from lrpseg.masks.figures import iou
from lrpseg.pipeline.settings import MENUS, OPTIONS
from lrpseg.ui import texts
from lrpseg.ui.handlers import shown
from lrpseg.ui.layout import Widgets, element

OTHER = tuple(name for name in MENUS if name != "domain")
"""What may differ on the right."""

START = {"rule_set": "montavon", "thresholder": "bmm", "refiner": "none"}
"""What the menus on the right show first; of the others their first choice."""


def compare_tab(service: Service, widgets: Widgets, available: Collection[str]) -> None:
    """Build the tab; `available`: networks that some domain has weights of."""

    @shown
    def compare(
        token: str,
        id: str,
        *values: str,
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> tuple[Any, ...]:
        """The picture under both settings, at each thresholder's own threshold."""
        if not id:
            raise LrpsegError("Choose a picture first, on the first tab.")
        workspace = service.sessions.get(token)
        own: dict[str, Any] = dict(zip(MENUS, values, strict=False))
        right = {**own, **dict(zip(OTHER, values[len(MENUS) :], strict=True))}
        sides: list[commands.Side] = []
        cells: list[Any] = []
        for chosen in (own, right):
            progress(len(sides) / 2, desc="Explaining")
            settings = commands.settings_of(**chosen)
            sides.append(commands.compare(service, workspace, id, settings))
            cells += [sides[-1].heatmap, sides[-1].overlay]
        told = [
            f"{words.probability_words(side.probability)}, {np.count_nonzero(side.mask):,} pixels"
            for side in sides
        ]
        both = iou(sides[0].mask, sides[1].mask)
        return *cells, f"Left: {told[0]}. Right: {told[1]}. IoU of the two masks: {both:.2f}."

    with gr.Tab("Compare", id="compare"):
        gr.Markdown(texts.COMPARE)
        with gr.Row():
            other = [_menu(name, available) for name in OTHER]
            button = gr.Button("Compare", variant="primary", elem_id="compare", scale=0)
        line = gr.Markdown("", elem_id="compare-line")
        with gr.Row():
            pictures = [
                _picture(side, what) for side in ("Left", "Right") for what in ("heatmap", "mask")
            ]
        button.click(
            compare,
            [widgets.token, widgets.selected, *widgets.menus.values(), *other],
            [*pictures, line],
            concurrency_id="lrp",
            concurrency_limit=2,
            api_visibility="private",
        )


def _menu(name: str, available: Collection[str]) -> gr.Dropdown:
    option = OPTIONS[name]
    assert option.registry is not None
    offered = texts.choices(option.registry)
    if name == "network":
        offered = [(title, value) for title, value in offered if value in available]
    title = option.title if option.title.startswith("LRP") else option.title.lower()
    return gr.Dropdown(
        offered,
        value=START.get(name, offered[0][1]),
        label=f"Right: {title}",
        info=option.help,
        elem_id=f"other-{element(name).rpartition('-')[2]}",
    )


def _picture(side: str, what: str) -> gr.Image:
    label = f"{side}, {what}"
    return gr.Image(
        label=label,
        format="png",
        interactive=False,
        height=420,
        buttons=["fullscreen", "download"],  # never the one that publishes a picture
        elem_id=f"compare-{side.lower()}-{what}",
        alt_text=label,
    )
