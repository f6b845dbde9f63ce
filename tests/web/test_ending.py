"""Ctrl+C and SIGTERM end the page, also while networks run and tabs are open."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

SERVER = """
import sys, threading
from pathlib import Path
import lrpseg.ui
from lrpseg.app.analyser import Segmenters
from lrpseg.workspace import Workspace
from tests.workspace_support import SETTINGS, picture

class Endless(Segmenters):
    def steps(self, *given):
        print("analysing", flush=True)
        threading.Event().wait()
        yield

Workspace(Path(sys.argv[1])).add("a.png", picture(), SETTINGS)
lrpseg.ui.launch(workspace=Path(sys.argv[1]), hosted=False, segmenters=Endless("cpu"))
"""


@pytest.fixture
def servers(narrow: None, tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Two, each with an analysis under way that never ends."""
    with ExitStack() as stack:
        started = []
        for name in ("a", "b"):
            command = [sys.executable, "-c", SERVER, str(tmp_path / name)]
            server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            stack.callback(server.wait)
            stack.callback(server.kill)
            started.append(server)
        yield started


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals between processes")
def test_signals_end_the_page(servers: list[subprocess.Popen[str]]) -> None:
    for server, number in zip(servers, (signal.SIGINT, signal.SIGTERM), strict=True):
        url = _url(server)
        with httpx.stream("GET", f"{url}/gradio_api/heartbeat/a", timeout=180) as stream:
            next(stream.iter_text())
            server.send_signal(number)
            assert server.wait(timeout=60) == 0


def _url(server: subprocess.Popen[str]) -> str:
    """Its address, once it also runs networks."""
    assert server.stdout is not None
    said = ""
    while "http://" not in said or "analysing" not in said:
        said += server.stdout.readline()
    return said[said.index("http://") :].split()[0]
