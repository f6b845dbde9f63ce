"""The page: upload or sample on the left, heatmap and mask on the right."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr
import numpy as np

from lrpseg.domains import list_domains, load_domain
from lrpseg.errors import LrpsegError
from lrpseg.lrp import RULE_SETS
from lrpseg.networks import NETWORKS
from lrpseg.operating_points import default_choice
from lrpseg.render import COLORMAPS, heatmap, mask_image
from lrpseg.results import Result
from lrpseg.thresholders import THRESHOLDERS
from lrpseg.ui import actions, texts

MAX_BYTES = 200_000_000
_CSS = """
.lrpseg-picture img { image-rendering: pixelated; object-fit: contain; }
#samples .grid-container { grid-template-columns: repeat(4, minmax(0, 1fr)) !important; }
#samples .caption-label { font-size: 11px; padding: 0 4px; }
footer { display: none !important; }
"""


def _shown(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Show lrpseg's own errors to the user; they say what to do. Others stay in the log."""

    @wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return fn(*args, **kwargs)
        except LrpsegError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return wrapped


def build(device: str = "auto") -> gr.Blocks:
    """The page as a Gradio app; `device` as in `lrpseg.load`."""

    @_shown
    def analyse(
        path: str | None,
        domain: str,
        network: str,
        rule_set: str,
        thresholder: str,
        colormap: str,
        explain_intact: bool = False,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio fills it in per call
    ) -> tuple[Any, ...]:
        """Classify and explain; the one costly step. Returns what `outputs` below lists."""
        if not path:
            raise LrpsegError("Choose a picture first: upload one, or click a sample.")
        actions.check_bytes(path, MAX_BYTES)
        progress(0, desc="Looking at the picture")
        segment = actions.segmenter(domain, network, rule_set, device)
        result = segment(
            path,
            explain_intact=explain_intact,
            progress=lambda done, total: progress((done, total), unit="tiles"),
        ).using(thresholder)
        return (
            result,
            texts.verdict(result, segment.domain),
            actions.heatmap_view(result, colormap),
            gr.update(visible=not result.explained),
            *show_mask(result, result.threshold, path),
        )

    def show_mask(result: Result, threshold: float, path: str) -> tuple[Any, ...]:
        drawn, pixels = actions.mask_view(result, threshold)
        line = texts.mask_line(pixels, result.relevance.size)
        file = actions.mask_file(result, threshold, demo.GRADIO_CACHE, path)
        return threshold, drawn, line, gr.update(value=file, interactive=True)

    @_shown
    def switch_thresholder(
        result: Result | None, thresholder: str, path: str | None
    ) -> tuple[Any, ...]:
        """Another thresholder on the same relevance."""
        if result is None or not path:
            return (None, gr.skip(), gr.skip(), gr.skip(), gr.skip())
        result = result.using(thresholder)
        return (result, *show_mask(result, result.threshold, path))

    @_shown
    def move_threshold(
        result: Result | None, threshold: float, path: str | None
    ) -> tuple[Any, ...]:
        """Another threshold on the same likelihood."""
        if result is None or not path:
            return (gr.skip(), gr.skip(), gr.skip())
        return show_mask(result, threshold, path)[1:]

    def switch_colormap(result: Result | None, colormap: str) -> Any:
        return gr.skip() if result is None else actions.heatmap_view(result, colormap)

    def networks_of(domain: str) -> Any:
        have = load_domain(domain).checkpoints
        return gr.update(
            choices=[(NETWORKS[n].title, n) for n in have], value=next(iter(have), None)
        )

    @_shown
    def segment(
        image: str,
        domain: str = "magnetic-tile",
        network: str | None = None,
        rule_set: str = "ours",
        thresholder: str = "simple",
        threshold: float | None = None,
        explain_intact: bool = False,
    ) -> tuple[float, np.ndarray, Any]:
        """Find damage on one picture: its probability, a heatmap, and a mask.

        Args:
            image: the picture (any common format).
            domain: what is inspected, for example magnetic-tile.
            network: the classifier, for example one-fc.
            rule_set: the LRP rules: ours or montavon.
            thresholder: simple, gmm or bmm.
            threshold: likelihood (0 to 1) from which on a pixel is in the mask; none takes the
                thresholder's own.
            explain_intact: make a mask also where the picture is classified intact.

        Returns:
            Probability of damage (0 to 1), heatmap over the picture, mask of 0 and 255.
        """
        if not image:
            raise LrpsegError("Send a picture.")
        actions.check_bytes(image, MAX_BYTES)
        result = actions.segmenter(domain, network, rule_set, device)(
            image, explain_intact=explain_intact
        ).using(thresholder)
        return result.probability, heatmap(result), mask_image(result.at(threshold))

    domains = list_domains()
    if not domains:
        raise LrpsegError("No domain was found: the folder assets/ is missing or empty.")
    loaded = {name: load_domain(name) for name in domains}
    samples = actions.sample_pictures(domains)

    def take_sample(event: gr.SelectData, domain: str) -> tuple[Any, ...]:
        """The sample's file, with its domain and a network of that where it is another one."""
        sample = samples[int(event.index)]  # an index into our own list, never a path
        if sample.domain == domain:
            return str(sample.path), gr.skip(), gr.skip()
        return str(sample.path), sample.domain, networks_of(sample.domain)

    first = "magnetic-tile" if "magnetic-tile" in domains else domains[0]

    with gr.Blocks(
        title="lrpseg", fill_width=True, analytics_enabled=False, delete_cache=(3600, 86400)
    ) as demo:
        current = gr.State(None)
        gr.Markdown(texts.INTRODUCTION)
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                upload = gr.File(label="Picture", height=110, elem_id="upload")
                gallery = gr.Gallery(
                    value=[(str(s.path), s.caption) for s in samples],
                    label="Or a sample", columns=4, height=232, allow_preview=False,
                    interactive=False, format="png", elem_id="samples", buttons=[],
                    object_fit="cover",
                )  # fmt: skip
                domain = gr.Dropdown(
                    [(d.title, n) for n, d in loaded.items()], value=first,
                    label="Domain", info=texts.HELP["domain"], elem_id="domain",
                )  # fmt: skip
                network = gr.Dropdown(
                    [(NETWORKS[n].title, n) for n in loaded[first].checkpoints],
                    value=next(iter(loaded[first].checkpoints), None),
                    label="Network", info=texts.HELP["network"], elem_id="network",
                )  # fmt: skip
                rule_set = gr.Radio(
                    texts.choices(RULE_SETS), value="ours",
                    label="LRP rule set", info=texts.HELP["rule_set"], elem_id="rule-set",
                )  # fmt: skip
            with gr.Column(scale=3):
                with gr.Row(equal_height=True):
                    verdict = gr.Markdown("### Choose a picture", elem_id="verdict")
                    anyway = gr.Button("Explain anyway", visible=False, elem_id="anyway", scale=0)
                with gr.Row():
                    hot = gr.Image(
                        label="Heatmap", format="png", interactive=False, elem_id="heatmap",
                        elem_classes="lrpseg-picture", height=430, buttons=["fullscreen"],
                        alt_text="Relevance drawn over the picture",
                    )  # fmt: skip
                    masked = gr.Image(
                        label="Mask", format="png", interactive=False, elem_id="mask",
                        elem_classes="lrpseg-picture", height=430, buttons=["fullscreen"],
                        alt_text="The mask drawn over the picture",
                    )  # fmt: skip
                with gr.Row(equal_height=True):
                    colormap = gr.Radio(
                        [(name.capitalize(), name) for name in COLORMAPS],
                        value=next(iter(COLORMAPS)),
                        label="Colours", info=texts.HELP["colormap"], elem_id="colormap",
                    )  # fmt: skip
                    thresholder = gr.Dropdown(
                        texts.choices(THRESHOLDERS), value="simple",
                        label="Thresholder", info=texts.HELP["thresholder"], elem_id="thresholder",
                    )  # fmt: skip
                    threshold = gr.Slider(
                        0, 1, value=0.5, step=0.001, label="Threshold",
                        info=texts.HELP["threshold"], elem_id="threshold",
                    )  # fmt: skip
                with gr.Row(equal_height=True):
                    covered = gr.Markdown("", elem_id="covered")
                    download = gr.DownloadButton(
                        "Download mask (PNG)", interactive=False, elem_id="download", scale=0
                    )

        mask_outputs = [threshold, masked, covered, download]
        outputs = [current, verdict, hot, anyway, *mask_outputs]
        inputs = [upload, domain, network, rule_set, thresholder, colormap]
        costly = {"concurrency_id": "lrp", "concurrency_limit": 2, "api_visibility": "private"}
        cheap = {"concurrency_limit": None, "api_visibility": "private"}
        light = {**cheap, "show_progress": "hidden"}

        def reanalyse(path: str | None, *rest: Any) -> Any:
            """A changed setting runs again where there is a picture."""
            return analyse(path, *rest) if path else [gr.skip()] * len(outputs)

        gallery.select(take_sample, domain, [upload, domain, network], **cheap)
        upload.change(reanalyse, inputs, outputs, **costly)
        rule_set.change(reanalyse, inputs, outputs, **costly)
        network.change(reanalyse, inputs, outputs, **costly)
        # A new domain sets its network; that event's change alone would miss an equal name.
        domain.change(networks_of, domain, network, **cheap).then(
            reanalyse, inputs, outputs, **costly
        )
        anyway.click(lambda *given: analyse(*given, True), inputs, outputs, **costly)
        thresholder.change(
            switch_thresholder, [current, thresholder, upload], [current, *mask_outputs], **cheap
        )
        threshold.input(
            move_threshold, [current, threshold, upload], mask_outputs[1:],
            trigger_mode="always_last", **light,
        )  # fmt: skip
        colormap.change(switch_colormap, [current, colormap], hot, **light)
        with gr.Group(visible=False):  # what the API takes and gives, never shown
            names = {
                "domain": first, "network": default_choice(loaded[first]).network,
                "rule_set": "ours", "thresholder": "simple",
            }  # fmt: skip
            given = [
                gr.File(label="image"),
                *(gr.Textbox(value, label=name) for name, value in names.items()),
                gr.Number(None, label="threshold"),
                gr.Checkbox(False, label="explain_intact"),
            ]
            answer = [
                gr.Number(label="probability"),
                gr.Image(label="heatmap", format="png"),
                gr.Image(label="mask", format="png"),
            ]
            gr.Button().click(
                segment, given, answer,
                api_name="segment", concurrency_id="lrp", concurrency_limit=2,
            )  # fmt: skip
    return demo


def launch(
    host: str | None = None, port: int | None = None, device: str = "auto", block: bool = True
) -> gr.Blocks:
    """Start the page and print its address; with `block` it runs until it is stopped."""
    demo = build(device)
    demo.queue(max_size=64).launch(
        server_name=host,
        server_port=port,
        css=_CSS,
        theme=gr.themes.Default(primary_hue="blue", font=["system-ui", "sans-serif"]),
        run_history=False,  # else the browser keeps what visitors uploaded
        enable_monitoring=False,
        max_file_size=MAX_BYTES,
        state_session_capacity=50,
        footer_links=[],
        ssr_mode=False,
        prevent_thread_lock=not block,
    )
    return demo
