"""The page: pictures and settings on the left, the editor in the middle, figures on its right."""

import json
from collections.abc import Callable
from dataclasses import astuple
from functools import wraps
from pathlib import Path
from typing import Any

import gradio as gr

from lrpseg.app import actions
from lrpseg.app.samples import Samples
from lrpseg.app.service import Service
from lrpseg.core.errors import LrpsegError
from lrpseg.domains import list_domains, load_domain
from lrpseg.formats import FORMATS
from lrpseg.lrp import RULE_SETS
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.operating_points import default_choice
from lrpseg.pipeline.results import Settings
from lrpseg.refiners import REFINERS
from lrpseg.thresholders import THRESHOLDERS
from lrpseg.ui import choices, texts
from lrpseg.ui.api import add_endpoints
from lrpseg.ui.compare import compare_tab
from lrpseg.ui.editor import editor_markup, editor_script, editor_style

CHEAP = {"concurrency_limit": None, "api_visibility": "private", "show_progress": "hidden"}
SAVE_TOKEN = "(token) => { try { localStorage.setItem('lrpseg-workspace', token); } catch {} }"
READ_TOKEN = (
    "() => { try { return localStorage.getItem('lrpseg-workspace') || ''; } catch { return ''; } }"
)
SHOW_TITLES = (
    f"() => {{ for (const [id, text] of Object.entries({json.dumps(texts.TITLES)}))"
    " { const e = document.getElementById(id); if (e) e.title = text; } }"
)
CLICK = "() => setTimeout(() => document.querySelector('#{id} a, #{id} button, #{id}').click(), 60)"


def shown(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Show lrpseg's own errors to the user; they say what to do. Others stay in the log."""

    @wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return fn(*args, **kwargs)
        except LrpsegError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return wrapped


def counted(number: int, what: str) -> str:
    """1 mask was, 2 masks were."""
    return f"{number} {what} was" if number == 1 else f"{number} {what}s were"


def labelled(text: str, interactive: bool) -> Callable[[], Any]:
    """An event that gives a button another label."""
    return lambda: gr.update(value=text, interactive=interactive)


def build(service: Service, samples: Samples) -> gr.Blocks:
    """The page as a Gradio app over `service`."""
    names = list_domains()
    if not names:
        raise LrpsegError("No domain was found: the folder assets/ is missing or empty.")
    first = "magnetic-tile" if "magnetic-tile" in names else names[0]
    default = default_choice(load_domain(first))

    def checked(*names: str) -> Settings:
        return actions.settings_of(*names)

    def find_workspace(token: str | None) -> tuple[Any, ...]:
        """A reload finds its workspace again; a new visitor gets a new one."""
        token, workspace = service.sessions.open(token)
        service.analyser.wake(workspace)
        return token, actions.editor_value(token), choices.domains()

    @shown
    def add(token: str, files: list[str] | None, *chosen: str) -> tuple[Any, ...]:
        """Uploaded files, zips and folders become pictures of the workspace."""
        workspace = service.sessions.get(token)
        paths = [(Path(f), Path(f).name) for f in files or []]
        added = actions.add_files(service, workspace, paths, checked(*chosen))
        for name, reason in added.refused[:5]:
            gr.Warning(f"{name}: {reason}")
        if len(added.refused) > 5:
            gr.Warning(f"{len(added.refused) - 5} more files were refused.")
        return None, actions.editor_value(token, next(iter(added.ids), None))

    @shown
    def add_sample(event: gr.SelectData, token: str) -> dict[str, Any]:
        """A sample opens from its stored result; its domain comes with it."""
        sample = samples.all[int(event.index)]  # an index into our own list, never a path
        workspace = service.sessions.get(token)
        id = samples.add(sample, workspace)
        service.analyser.wake(workspace)
        return actions.editor_value(token, id)

    @shown
    def select(event: gr.EventData, token: str) -> tuple[Any, ...]:
        """The settings on the left follow the picture that is shown."""
        item = service.sessions.get(token).item(str(event.id))
        s = item.settings
        return (
            item.id, choices.domains(s.domain), choices.networks(s.domain, s.network), s.rule_set,
            s.thresholder, s.refiner,
        )  # fmt: skip

    @shown
    def change(token: str, id: str, *chosen: str) -> Any:
        """Other settings for the picture that is shown."""
        if not id:
            return gr.skip()
        actions.apply_settings(service, service.sessions.get(token), [id], checked(*chosen))
        return actions.editor_value(token, id)

    @shown
    def change_domain(token: str, id: str, domain: str) -> tuple[Any, ...]:
        """Another kind of surface: what is best for it."""
        network, *rest = astuple(default_choice(load_domain(domain)))
        edited = change(token, id, domain, network, *rest)
        return choices.networks(domain, network), *rest, edited

    @shown
    def change_network(token: str, id: str, domain: str, *names: str) -> tuple[Any, ...]:
        """Another network: the other choices stay, unless they cannot be as good for it, as one
        gives relevance and the other a likelihood."""
        network, *rest = names
        if NETWORKS[network].segments or rest[1] == "fraction":
            rest = list(astuple(default_choice(load_domain(domain), network)))[1:]
        return *rest, change(token, id, domain, network, *rest)

    @shown
    def change_all(token: str, id: str, *chosen: str) -> Any:
        workspace = service.sessions.get(token)
        # Who accepted a picture is done with it.
        done = ("failed", "accepted")
        ids = [item.id for item in workspace.items() if item.status not in done]
        actions.apply_settings(service, workspace, ids, checked(*chosen))
        return actions.editor_value(token, id or None)

    @shown
    def take_truth(token: str, id: str, path: str | None) -> tuple[Any, ...]:
        """A true mask of the picture that is shown, for its own precision and recall."""
        if not id:
            raise LrpsegError("Choose a picture first.")
        if path:
            data = actions.read_limited(path, service.limits.max_bytes)
            service.sessions.get(token).set_truth(id, data)
        return None, actions.editor_value(token, id)

    @shown
    def bring_masks(token: str, id: str, paths: list[str] | None) -> tuple[Any, ...]:
        """Masks that were made elsewhere become corrections."""
        workspace = service.sessions.get(token)
        done = actions.import_files(workspace, [Path(p) for p in paths or []], service.limits)
        gr.Info(f"{counted(len(done.names), 'mask')} taken over.")
        for name, reason in done.refused[:5]:
            gr.Warning(f"{name}: {reason}")
        return None, actions.editor_value(token, id or None)

    @shown
    def download_mask(token: str, id: str) -> Any:
        if not id:
            raise LrpsegError("Choose a picture first.")
        return actions.current_mask_file(service.sessions.get(token), id, demo.GRADIO_CACHE)

    @shown
    def make_zip(token: str, formats: list[str]) -> Any:
        workspace = service.sessions.get(token)
        path, said = actions.export_file(workspace, demo.GRADIO_CACHE, formats)
        for sentence in said:
            gr.Info(sentence)
        return path

    @shown
    def take_home(token: str) -> Any:
        return actions.session_file(service.sessions.get(token), demo.GRADIO_CACHE)

    @shown
    def open_session(token: str, path: str | None) -> tuple[Any, ...]:
        workspace = service.sessions.get(token)
        if path:
            count = actions.take_session(service, workspace, Path(path))
            gr.Info(f"{counted(count, 'picture')} added.")
        return None, actions.editor_value(token)

    with gr.Blocks(
        title="lrpseg", fill_width=True, analytics_enabled=False, delete_cache=(3600, 86400)
    ) as demo:
        token = gr.Textbox(visible=False)
        selected = gr.Textbox(visible=False)
        with gr.Tab("Annotate", id="annotate"), gr.Row(elem_id="work"):
            with gr.Column(scale=0, min_width=270, elem_id="side"):
                upload = gr.File(
                    label="Pictures or a zip", file_count="multiple", height=84, elem_id="upload"
                )
                folder = gr.UploadButton(
                    "A folder", file_count="directory", size="sm", elem_id="folder"
                )
                gallery = gr.Gallery(
                    value=[(str(s.path), s.caption) for s in samples.all],
                    label="Samples", columns=4, height=228, allow_preview=False,
                    interactive=False, format="png", elem_id="samples", buttons=[],
                    object_fit="cover",
                )  # fmt: skip
                domain = gr.Dropdown(
                    choices.domains()["choices"], value=first,
                    label="Domain", info=texts.HELP["domain"], elem_id="domain",
                )  # fmt: skip
                network = gr.Dropdown(
                    choices.networks(first)["choices"], value=default.network,
                    label="Network", info=texts.HELP["network"], elem_id="network",
                )  # fmt: skip
                rule_set = gr.Dropdown(
                    texts.choices(RULE_SETS), value=default.rule_set,
                    label="LRP rule set", info=texts.HELP["rule_set"], elem_id="rule-set",
                )  # fmt: skip
                thresholder = gr.Dropdown(
                    texts.choices(THRESHOLDERS), value=default.thresholder,
                    label="Thresholder", info=texts.HELP["thresholder"], elem_id="thresholder",
                )  # fmt: skip
                refiner = gr.Dropdown(
                    texts.choices(REFINERS), value=default.refiner,
                    label="Refiner", info=texts.HELP["refiner"], elem_id="refiner",
                )  # fmt: skip
                everywhere = gr.Button("Apply to all pictures", size="sm", elem_id="apply-all")
                with gr.Accordion("Export", elem_id="export-panel"):
                    formats = gr.Dropdown(
                        texts.choices(FORMATS), value=[], multiselect=True,
                        label="Formats", info=texts.HELP["formats"], elem_id="formats",
                    )  # fmt: skip
                    with gr.Row():
                        mask_button = gr.Button("This mask", size="sm", elem_id="mask-file")
                        zip_button = gr.Button(
                            "All (zip)", size="sm", variant="primary", elem_id="export"
                        )
                with gr.Accordion("Masks and sessions", open=False, elem_id="more"):
                    truth = gr.UploadButton("True mask of this picture", size="sm", elem_id="truth")
                    masks = gr.UploadButton(
                        "Masks made elsewhere", file_count="multiple", size="sm",
                        elem_id="bring-masks",
                    )  # fmt: skip
                    keep = gr.Button("Take the session home", size="sm", elem_id="save-session")
                    bring = gr.UploadButton("Open a session", size="sm", elem_id="open-session")
                files = {
                    name: gr.DownloadButton(visible="hidden", elem_id=f"file-{name}")
                    for name in ("mask", "zip", "session")
                }
            with gr.Column(scale=1, elem_id="main"):
                editor = gr.HTML(
                    value=actions.editor_value(""), html_template=editor_markup(),
                    js_on_load=editor_script(), css_template=editor_style(), elem_id="editor",
                    apply_default_css=False,
                )  # fmt: skip
        chosen = [domain, network, rule_set, thresholder, refiner]
        available = {n for name in names for n in load_domain(name).checkpoints}
        compare_tab(service, token, selected, chosen, available, shown)
        with gr.Tab("Help", id="help"):
            gr.Markdown(texts.HELP_PAGE)

        demo.load(find_workspace, token, [token, editor, domain], js=READ_TOKEN, **CHEAP).then(
            None, token, None, js=SAVE_TOKEN
        )
        demo.load(None, None, None, js=SHOW_TITLES)
        for source in (upload, folder):
            source.upload(
                add, [token, source, *chosen], [source, editor],
                concurrency_limit=4, api_visibility="private",
            )  # fmt: skip
        gallery.select(add_sample, token, editor, **CHEAP)
        editor.select(select, token, [selected, *chosen], **CHEAP)
        rest = [rule_set, thresholder, refiner]
        domain.input(change_domain, [token, selected, domain], [network, *rest, editor], **CHEAP)
        network.input(change_network, [token, selected, *chosen], [*rest, editor], **CHEAP)
        for box in rest:
            box.input(change, [token, selected, *chosen], editor, **CHEAP)
        everywhere.click(change_all, [token, selected, *chosen], editor, **CHEAP)
        truth.upload(take_truth, [token, selected, truth], [truth, editor], **CHEAP)
        masks.upload(bring_masks, [token, selected, masks], [masks, editor], **CHEAP)
        bring.upload(
            open_session, [token, bring], [bring, editor], api_visibility="private",
            show_progress="hidden",
        )  # fmt: skip
        for button, made, given, file in (
            (mask_button, download_mask, [token, selected], files["mask"]),
            (zip_button, make_zip, [token, formats], files["zip"]),
            (keep, take_home, [token], files["session"]),
        ):
            busy, idle = labelled("Exporting …", False), labelled(button.value, True)
            started = button.click(busy, None, button, **CHEAP)
            ended = started.then(made, given, file, concurrency_limit=4, api_visibility="private")
            ended.then(idle, None, button, **CHEAP)  # also after an error
            ended.success(None, None, None, js=CLICK.replace("{id}", str(file.elem_id)))
        add_endpoints(service)
    return demo
