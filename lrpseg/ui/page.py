"""The page: what stands where (`layout`), what happens (`handlers`), and which leads to which."""

import json
from collections.abc import Callable
from typing import Any

import gradio as gr

from lrpseg.app.samples import Samples
from lrpseg.app.service import Service
from lrpseg.core.errors import LrpsegError
from lrpseg.domains import FIRST_DOMAIN, list_domains, load_domain
from lrpseg.pipeline.defaults import default_settings
from lrpseg.ui import texts
from lrpseg.ui.api import add_endpoints
from lrpseg.ui.compare import compare_tab
from lrpseg.ui.handlers import Handlers, editor_value
from lrpseg.ui.layout import Widgets, annotate_tab

CHEAP = {"concurrency_limit": None, "api_visibility": "private", "show_progress": "hidden"}
COSTLY = {"concurrency_limit": 4, "api_visibility": "private"}
SAVE_TOKEN = "(token) => { try { localStorage.setItem('lrpseg-workspace', token); } catch {} }"
READ_TOKEN = (
    "() => { try { return localStorage.getItem('lrpseg-workspace') || ''; } catch { return ''; } }"
)
SHOW_TITLES = (
    f"() => {{ for (const [id, text] of Object.entries({json.dumps(texts.TITLES)}))"
    " { const e = document.getElementById(id); if (e) e.title = text; } }"
)
CLICK = "() => setTimeout(() => document.querySelector('#{id} a, #{id} button, #{id}').click(), 60)"


def build(service: Service, samples: Samples) -> gr.Blocks:
    """The page as a Gradio app over `service`."""
    names = list_domains()
    if not names:
        raise LrpsegError("No domain was found: the folder assets/ is missing or empty.")
    first = default_settings(load_domain(FIRST_DOMAIN if FIRST_DOMAIN in names else names[0]))
    available = {n for name in names for n in load_domain(name).checkpoints}
    handlers = Handlers(service, samples)
    with gr.Blocks(
        title="lrpseg", fill_width=True, analytics_enabled=False, delete_cache=(3600, 86400)
    ) as demo:
        widgets = annotate_tab(samples, first, editor_value(""))
        compare_tab(service, widgets, available)
        with gr.Tab("Help", id="help"):
            gr.Markdown(texts.HELP_PAGE)
        _wire_pictures(demo, widgets, handlers)
        _wire_files(widgets, handlers)
        add_endpoints(service)
    return demo


def _wire_pictures(demo: gr.Blocks, w: Widgets, do: Handlers) -> None:
    """Opening a workspace, adding pictures, and choosing settings for them."""
    menus = list(w.menus.values())
    shown = [w.token, w.editor, w.menus["domain"]]
    opened = demo.load(do.find_workspace, w.token, shown, js=READ_TOKEN, **CHEAP)
    opened.then(None, w.token, None, js=SAVE_TOKEN)
    demo.load(None, None, None, js=SHOW_TITLES)
    for source in (w.upload, w.folder):
        source.upload(do.add, [w.token, source, *menus], [source, w.editor], **COSTLY)
    w.gallery.select(do.add_sample, w.token, w.editor, **CHEAP)
    # Of pictures that are looked at in quick succession the last counts.
    w.editor.select(do.select, w.token, [w.selected, *menus], trigger_mode="always_last", **CHEAP)
    of_picture = [w.token, w.selected, *menus]
    for name, menu in w.menus.items():
        menu.input(do.chooser(name), of_picture, [*menus, w.editor], **CHEAP)
    w.everywhere.click(do.change_all, of_picture, w.editor, **CHEAP)


def _wire_files(w: Widgets, do: Handlers) -> None:
    """What comes in and goes out beside pictures."""
    w.truth.upload(do.take_truth, [w.token, w.selected, w.truth], [w.truth, w.editor], **CHEAP)
    w.masks.upload(
        do.bring_masks, [w.token, w.selected, w.masks, w.replace], [w.masks, w.replace, w.editor],
        **CHEAP,
    )  # fmt: skip
    w.bring.upload(
        do.open_session, [w.token, w.bring], [w.bring, w.editor], api_visibility="private",
        show_progress="hidden",
    )  # fmt: skip
    for button, made, given, file in (
        (w.mask_button, do.download_mask, [w.token, w.selected], w.files["mask"]),
        (w.zip_button, do.make_zip, [w.token, w.formats], w.files["zip"]),
        (w.keep, do.take_home, [w.token], w.files["session"]),
    ):
        busy, idle = _labelled("Exporting …", False), _labelled(button.value, True)
        started = button.click(busy, None, button, **CHEAP)
        ended = started.then(made, given, file, **COSTLY)
        ended.then(idle, None, button, **CHEAP)  # also after an error
        ended.success(None, None, None, js=CLICK.replace("{id}", str(file.elem_id)))


def _labelled(text: str, interactive: bool) -> Callable[[], Any]:
    """An event that gives a button another label."""
    return lambda: gr.update(value=text, interactive=interactive)
