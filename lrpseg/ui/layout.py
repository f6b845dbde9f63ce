"""What stands where on the page: pictures and settings on the left, the editor beside them."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from lrpseg.app.samples import Samples
from lrpseg.formats import FORMATS
from lrpseg.pipeline.settings import MENUS, OPTIONS, Settings
from lrpseg.ui import choices, texts
from lrpseg.ui.editor import editor_markup, editor_script, editor_style
from lrpseg.ui.uploads import named


@dataclass(frozen=True, eq=False)
class Widgets:
    """The components that events are about. menus: one for each of `MENUS`, in their order; files:
    hidden buttons whose click downloads what was made, by what it is."""

    token: gr.Textbox
    selected: gr.Textbox
    upload: gr.File
    folder: gr.UploadButton
    gallery: gr.Gallery
    menus: dict[str, gr.Dropdown]
    everywhere: gr.Button
    formats: gr.Dropdown
    mask_button: gr.Button
    zip_button: gr.Button
    truth: gr.UploadButton
    masks: gr.UploadButton
    replace: gr.Checkbox
    keep: gr.Button
    bring: gr.UploadButton
    files: dict[str, gr.DownloadButton]
    editor: gr.HTML


def element(name: str) -> str:
    """The id of the element of a field of `Settings`."""
    return name.replace("_", "-")


def annotate_tab(samples: Samples, first: Settings, value: object) -> Widgets:
    """Build the tab on which pictures are annotated; `first`: what the menus show, `value`: the
    editor's."""
    token, selected = gr.Textbox(visible=False), gr.Textbox(visible=False)
    with gr.Tab("Annotate", id="annotate"), gr.Row(elem_id="work"):
        with gr.Column(scale=0, min_width=270, elem_id="side"):
            upload = named(
                gr.File(
                    label="Pictures or a zip", file_count="multiple", height=84, elem_id="upload"
                )
            )
            folder = _upload("A folder", "folder", file_count="directory")
            gallery = gr.Gallery(
                value=[(str(s.path), s.caption) for s in samples.all],
                label="Samples", columns=4, height=228, allow_preview=False, interactive=False,
                format="png", elem_id="samples", buttons=[], object_fit="cover",
            )  # fmt: skip
            menus = {name: _menu(name, first) for name in MENUS}
            everywhere = gr.Button("Apply to all pictures", size="sm", elem_id="apply-all")
            with gr.Accordion("Export", elem_id="export-panel"):
                formats = gr.Dropdown(
                    texts.choices(FORMATS), value=[], multiselect=True, label="Formats",
                    info=texts.HELP["formats"], elem_id="formats",
                )  # fmt: skip
                with gr.Row():
                    mask_button = gr.Button("This mask", size="sm", elem_id="mask-file")
                    zip_button = gr.Button(
                        "All (zip)", size="sm", variant="primary", elem_id="export"
                    )
            with gr.Accordion("Masks and sessions", open=False, elem_id="more"):
                truth = _upload("True mask of this picture", "truth")
                masks = _upload("Masks made elsewhere", "bring-masks", file_count="multiple")
                replace = gr.Checkbox(
                    label="They may replace what is drawn", elem_id="bring-replace", container=False
                )
                keep = gr.Button("Take the session home", size="sm", elem_id="save-session")
                bring = _upload("Open a session", "open-session")
            files = {
                name: gr.DownloadButton(visible="hidden", elem_id=f"file-{name}")
                for name in ("mask", "zip", "session")
            }
        with gr.Column(scale=1, elem_id="main"):
            editor = gr.HTML(
                value=value, html_template=editor_markup(), js_on_load=editor_script(),
                css_template=editor_style(), elem_id="editor", apply_default_css=False,
            )  # fmt: skip
    return Widgets(
        token, selected, upload, folder, gallery, menus, everywhere, formats, mask_button,
        zip_button, truth, masks, replace, keep, bring, files, editor,
    )  # fmt: skip


def _upload(label: str, id: str, **options: Any) -> gr.UploadButton:
    return named(gr.UploadButton(label, size="sm", elem_id=id, **options))


def _menu(name: str, first: Settings) -> gr.Dropdown:
    option, value = OPTIONS[name], getattr(first, name)
    offered = choices.offered(name, first.domain)
    return gr.Dropdown(
        offered, value=value, label=option.title, info=option.help, elem_id=element(name),
        visible=choices.useful(name, offered),
    )  # fmt: skip
