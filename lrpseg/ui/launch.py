"""Starts the page: on one's own computer, for a team, or hosted for anybody."""

import logging
import os
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection

from lrpseg.app.analyser import Analyser, Segmenters
from lrpseg.app.samples import Samples, sample_pictures
from lrpseg.app.service import Service
from lrpseg.core.errors import OptionError
from lrpseg.core.files import data_folder
from lrpseg.core.memory import give_back_freed
from lrpseg.domains import list_domains
from lrpseg.ui import ending
from lrpseg.ui.editor import editor_route
from lrpseg.ui.handlers import made_folder
from lrpseg.ui.messages import keep_quiet
from lrpseg.ui.page import build
from lrpseg.ui.places import ALL, share_places
from lrpseg.ui.tools import let_tools_in
from lrpseg.ui.uploads import (
    HOSTED_UNOPENED_SECONDS,
    UNOPENED_SECONDS,
    own_folder,
    remove_unopened,
)
from lrpseg.web.guard import Guard, clean_root
from lrpseg.web.logins import MESSAGE, Logins, renew_token
from lrpseg.web.routes import make_routes
from lrpseg.web.sites import Sites, make_sites
from lrpseg.web.uploading import Uploaded
from lrpseg.workspace import Limits, Sessions
from lrpseg.workspace.exports import remove_old

CSS = (Path(__file__).parent / "static" / "page.css").read_text("utf-8")
SWEEP_SECONDS = 600
GRACE_SECONDS = 1
HOSTED_SESSION = 4
"""A session file that a program sends to a hosted page is as large as so many of the largest
pictures, at most."""

_log = logging.getLogger(__name__)


class Sweeper:
    """Deletes visitors' workspaces that have not been used for a day, files that were made to be
    fetched, and uploads that nobody opened, now and from time to time."""

    def __init__(self, sessions: Sessions, demo: gr.Blocks) -> None:
        self._sessions, self._demo = sessions, demo
        self._stop = threading.Event()
        self._sweep()
        threading.Thread(target=self._run, name="sweeper", daemon=True).start()

    def _run(self) -> None:
        while not self._stop.wait(SWEEP_SECONDS):
            try:
                self._sweep()
            except Exception:  # the next time may go well: visitors' pictures must not stay
                _log.exception("the workspaces could not be swept")

    def _sweep(self) -> None:
        self._sessions.sweep()
        remove_old(made_folder())
        hosted = self._sessions.hosted
        remove_unopened(self._demo, HOSTED_UNOPENED_SECONDS if hosted else UNOPENED_SECONDS)

    def stop(self) -> None:
        self._stop.set()


@dataclass(frozen=True, eq=False)
class Page:
    """A running page; `stop` ends its threads and its server, and frees networks and arrays."""

    demo: gr.Blocks
    service: Service
    samples: Samples
    sweeper: Sweeper
    url: str = ""

    def stop(self) -> None:
        self.demo.close()
        self.sweeper.stop()
        self.samples.stop()
        self.service.analyser.stop()
        # Gradio keeps what belongs to an app as long as the process lives.
        self.samples.clear()
        self.service.clear()


def on_space() -> bool:
    """Whether this runs as a Hugging Face Space."""
    return bool(os.environ.get("SPACE_ID"))


@dataclass(frozen=True)
class Address:
    """Where the page listens, and how browsers get there. root_path: as Gradio takes it; root: the
    path in it."""

    host: str | None
    port: int | None
    sites: Sites
    root_path: str = ""
    root: str = ""


def make_address(
    host: str | None,
    port: int | None,
    hosted: bool,
    sites: Sequence[str] | None = None,
    root_path: str | None = None,
) -> Address:
    """Where the page listens; what is not given says the environment, as in Gradio
    (GRADIO_SERVER_NAME, GRADIO_ROOT_PATH).

    Raises `OptionError` for what is no port, site or path.
    """
    if port is not None and not 0 < port < 65536:
        raise OptionError(f"A port is 1 to 65535; {port} was given.")
    if root_path is None:
        root_path = os.environ.get("GRADIO_ROOT_PATH", "")
    told, root = clean_root(root_path)
    bound = host or os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
    return Address(host, port, make_sites(bound, sites or (), hosted, told), told, root)


def make_service(
    segmenters: Segmenters,
    hosted: bool,
    workspace: Path | None,
    logins: Sequence[tuple[str, str]] | None = None,
) -> Service:
    """Sessions, analyser and limits; `workspace` is the folder of the one workspace, or with
    `hosted` that of all visitors' workspaces. With other logins than before, the one workspace has
    another token."""
    if hosted:
        os.environ["LRPSEG_DOMAINS"] = ""  # what was learned here is not for strangers
    if workspace is None:
        workspace = Path(tempfile.gettempdir()) / "lrpseg-visitors" if hosted else default_folder()
    if not hosted:
        renew_token(workspace, logins or ())
    limits = Limits.hosted() if hosted else Limits()
    return Service(Sessions(workspace, hosted=hosted), Analyser(segmenters), limits)


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
    sites: Sequence[str] | None = None,
    root_path: str | None = None,
    segmenters: Segmenters | None = None,
    block: bool = True,
) -> Page:
    """Start the page and print its address; with `block` it runs until it is stopped.

    Args:
        host, port: where it listens; this computer alone, and the first free port from 7860 on.
        device: as in `lrpseg.load`.
        workspace: folder in which everything is kept.
        hosted: a private, temporary workspace for each visitor; None: on a Space.
        auth: NAME:PASSWORD texts; who gives none of them sees nothing.
        sites: addresses as browsers know them, as https://masks.example.org; without any: names of
            this computer and, where it listens on all of its addresses, those; hosted: all.
        root_path: path at which a proxy offers the page, as /masks, or its whole address; None:
            what GRADIO_ROOT_PATH says.
        segmenters: run the networks instead of those that would be loaded onto `device`.

    Raises `OptionError` where the address or a login is none, or the port is taken.
    """
    give_back_freed()
    own_folder()
    asked = ending.listen() if block else None
    logins = parse_auth(auth)
    hosted = on_space() if hosted is None else hosted
    address = make_address(host, port, hosted, sites, root_path)
    segmenters = segmenters or Segmenters(device)
    service = make_service(segmenters, hosted, workspace, logins)
    samples = Samples(sample_pictures(list_domains()), segmenters)
    demo = build(service, samples)
    keep_quiet(demo)
    page = Page(demo, service, samples, Sweeper(service.sessions, demo))
    # Threads that still run networks when the process ends would abort it.
    try:
        page = replace(page, url=_serve(page, address, logins))
        sys.stdout.flush()  # the address, also where a file or another program reads it
        while asked and demo.is_running:
            if asked.wait(0.1):
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        if not block:
            page.stop()
            raise
        print("The page is stopped.")
        ending.end(page.stop)
        return page
    except BaseException:
        page.stop()
        raise
    if block:
        page.stop()
    return page


def _signed_in(connection: HTTPConnection) -> bool:
    """Whether a request may see the page: as Gradio's own `get_current_user` looks it up."""
    app = connection.app
    if app.auth is None:
        return True
    names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    given = next((connection.cookies[n] for n in names if connection.cookies.get(n)), None)
    return app.tokens.get(given) is not None


def _serve(page: Page, address: Address, logins: list[tuple[str, str]] | None) -> str:
    """Start the server; returns its address."""
    service = page.service
    for opened in service.sessions.all():  # what annotate wrote is analysed before anybody looks
        service.analyser.wake(opened)
    limits, quota, hosted = service.limits, service.sessions.quota, service.sessions.hosted
    session = HOSTED_SESSION * limits.max_bytes if hosted else limits.max_expanded
    check = Logins(logins).check if logins else None
    guard = Middleware(
        Guard, sites=address.sites, signed_in=_signed_in, root=address.root,
        most=session * 4 // 3 + 1_000_000,  # as base64, in JSON
        uploaded=Uploaded(quota.size, HOSTED_UNOPENED_SECONDS) if quota else None,
        log_in=check,
    )  # fmt: skip
    if on_space():  # it is reached by its proxy alone, which tells who asks
        os.environ.setdefault("FORWARDED_ALLOW_IPS", "*")
    page.demo.queue(max_size=ALL, default_concurrency_limit=8)
    if hosted or logins:
        share_places(page.demo)
    try:
        _, url, _ = page.demo.launch(
            server_name=address.host,
            server_port=address.port,
            auth=check,
            auth_message=MESSAGE if logins else None,
            root_path=address.root_path,
            css=CSS,
            theme=gr.themes.Default(primary_hue="blue", font=["system-ui", "sans-serif"]),
            app_kwargs={"routes": [*make_routes(service), editor_route()], "middleware": [guard]},
            run_history=False,  # else the browser keeps what visitors uploaded
            enable_monitoring=False,
            max_file_size=service.limits.max_bytes,
            state_session_capacity=50,
            footer_links=[],
            ssr_mode=False,
            mcp_server=find_spec("mcp") is not None,  # with the extra: pip install -e '.[mcp]'
            prevent_thread_lock=True,
        )
    except OSError as error:  # Gradio's own text names its own options
        host, port = address.host or "this computer", address.port or "7860 or later"
        raise OptionError(
            f"The page cannot listen on {host}, port {port}: the port is taken, or the host is "
            "another computer's. Choose another --port or --host."
        ) from error
    # At the end of the page, streams of events would hold the server as long as tabs are open.
    page.demo.server.config.timeout_graceful_shutdown = GRACE_SECONDS
    if logins:
        let_tools_in(page.demo)
    return str(url)
