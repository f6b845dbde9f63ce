"""Starts the page: on one's own computer, for a team, or hosted for anybody."""

import os
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import gradio as gr

from lrpseg.domains import list_domains
from lrpseg.errors import OptionError
from lrpseg.files import data_folder
from lrpseg.ui.analyser import Analyser, Segmenters
from lrpseg.ui.page import build
from lrpseg.ui.routes import make_routes
from lrpseg.ui.samples import Samples, sample_pictures
from lrpseg.ui.service import Service
from lrpseg.workspace import Limits, Sessions

CSS = (Path(__file__).parent / "static" / "page.css").read_text("utf-8")
SWEEP_SECONDS = 600


@dataclass(frozen=True, eq=False)
class Page:
    """A running page; `stop` ends its threads and its server, and frees its networks."""

    demo: gr.Blocks
    service: Service
    samples: Samples
    url: str

    def stop(self) -> None:
        self.demo.close()
        self.samples.stop()
        self.service.analyser.stop()
        # Gradio keeps what belongs to an app as long as the process lives.
        self.service.analyser.segmenters.clear()


def on_space() -> bool:
    """Whether this runs as a Hugging Face Space."""
    return bool(os.environ.get("SPACE_ID"))


def make_service(device: str, hosted: bool, workspace: Path | None) -> Service:
    """Sessions, analyser and limits; `workspace` is the folder of the one workspace, or with
    `hosted` that of all visitors' workspaces."""
    if hosted:
        os.environ["LRPSEG_DOMAINS"] = ""  # what was learned here is not for strangers
    if workspace is None:
        workspace = Path(tempfile.gettempdir()) / "lrpseg-visitors" if hosted else default_folder()
    limits = Limits.hosted() if hosted else Limits()
    return Service(Sessions(workspace, hosted=hosted), Analyser(Segmenters(device)), limits)


def default_folder() -> Path:
    """Where the workspace is if nobody says: below the user's own data folder."""
    return data_folder() / "workspace"


def parse_auth(pairs: Sequence[str] | None) -> list[tuple[str, str]] | None:
    """NAME:PASSWORD texts to what Gradio takes."""
    if not pairs:
        return None
    for pair in pairs:
        if ":" not in pair.strip(":"):
            raise OptionError("--auth takes NAME:PASSWORD.")
    return [(pair.split(":", 1)[0], pair.split(":", 1)[1]) for pair in pairs]


def launch(
    host: str | None = None,
    port: int | None = None,
    device: str = "auto",
    *,
    workspace: Path | None = None,
    hosted: bool | None = None,
    auth: Sequence[str] | None = None,
    block: bool = True,
) -> Page:
    """Start the page and print its address; with `block` it runs until it is stopped.

    Args:
        host, port: where it listens; this computer alone, and the first free port from 7860 on.
        device: as in `lrpseg.load`.
        workspace: folder in which everything is kept.
        hosted: a private, temporary workspace for each visitor; None: on a Space.
        auth: NAME:PASSWORD texts; who gives none of them sees nothing.
    """
    service = make_service(device, on_space() if hosted is None else hosted, workspace)
    samples = Samples(sample_pictures(list_domains()), service.analyser.segmenters)
    demo = build(service, samples)
    _sweep(service.sessions)
    for opened in service.sessions.all():  # what annotate wrote is analysed before anybody looks
        service.analyser.wake(opened)
    _, url, _ = demo.queue(max_size=256, default_concurrency_limit=8).launch(
        server_name=host,
        server_port=port,
        auth=parse_auth(auth),
        css=CSS,
        theme=gr.themes.Default(primary_hue="blue", font=["system-ui", "sans-serif"]),
        app_kwargs={"routes": make_routes(service)},
        run_history=False,  # else the browser keeps what visitors uploaded
        enable_monitoring=False,
        max_file_size=service.limits.max_bytes,
        state_session_capacity=50,
        footer_links=[],
        ssr_mode=False,
        mcp_server=find_spec("mcp") is not None,  # with the extra: pip install -e '.[mcp]'
        prevent_thread_lock=True,
    )
    page = Page(demo, service, samples, url)
    if block:
        demo.block_thread()
    return page


def _sweep(sessions: Sessions) -> None:
    """Delete visitors' workspaces that have not been used for a day, now and from time to time."""
    sessions.sweep()
    timer = threading.Timer(SWEEP_SECONDS, _sweep, [sessions])
    timer.daemon = True
    timer.start()
