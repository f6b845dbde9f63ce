"""Ctrl+C and SIGTERM end the page, also while networks run and tabs are open."""

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

SERVER = """
import sys, threading
from pathlib import Path
import gradio
import lrpseg.ui
from lrpseg.app.analyser import Segmenters
from lrpseg.workspace import Workspace
from tests.workspace_support import SETTINGS, picture

class Endless(Segmenters):
    def steps(self, *given):
        print("analysing", flush=True)
        threading.Event().wait()
        yield

launch = gradio.Blocks.launch

def passing(*args, **options):
    # A start that passes over the exception of a signal.
    try:
        found = launch(*args, **options)
        print("started", flush=True)
        threading.Event().wait(60)
    except KeyboardInterrupt:
        return found

if len(sys.argv) > 2:
    gradio.Blocks.launch = passing
Workspace(Path(sys.argv[1])).add("a.png", picture(), SETTINGS)
lrpseg.ui.launch(workspace=Path(sys.argv[1]), hosted=False, segmenters=Endless("cpu"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals between processes")
@pytest.mark.parametrize(
    ("number", "starting"),
    [(signal.SIGINT, False), (signal.SIGTERM, True)],
    ids=["Ctrl+C", "SIGTERM while it starts"],
)
def test_signals_end_the_page(
    narrow: None, tmp_path: Path, number: signal.Signals, starting: bool
) -> None:
    # An analysis that never ends is under way.
    command = [sys.executable, "-c", SERVER, str(tmp_path), *(["passing"] if starting else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            url = _url(server, "started" if starting else "http://")
            with httpx.stream("GET", f"{url}/gradio_api/heartbeat/a", timeout=180) as stream:
                next(stream.iter_text())
                server.send_signal(number)
                assert server.wait(timeout=60) == 0
        finally:
            server.kill()


def _url(server: subprocess.Popen[str], last: str) -> str:
    """Its address, once it also runs networks and has said the `last` words."""
    assert server.stdout is not None
    said = ""
    while not all(words in said for words in ("http://", "analysing", last)):
        line = server.stdout.readline()
        assert line, f"it ended after {said!r}"
        said += line
    return said[said.index("http://") :].split()[0]
