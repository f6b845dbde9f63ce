"""Measures the server at work: how soon the first of many pictures can be edited, and what memory
it holds.

    python -m tests.measure_server
    python -m tests.measure_server --pictures 300 --requests 500

Starts `lrpseg app` on an empty workspace, drops drawn tiles of 224x224 on the page in a real
browser, waits until all are analysed, and then asks the endpoints for programs and the editor's
routes in turn, four at a time. Memory is what the server's process has in RAM (RSS), what of that
is shared with no file on disk, and the most that it had; Linux alone tells it.
"""

import argparse
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

import httpx
from gradio_client import Client, handle_file
from playwright.sync_api import Page

from tests import page_support as do
from tests.browser_support import chromium
from training.data import draw_tiles

AT_ONCE = 4
FIRST, TOKEN = "0000.png", "x-lrpseg-workspace"
OPENED = "document.querySelector('.lrpseg').lrpseg.item"


@dataclass
class Server:
    """A server in a process of its own, and when it was started."""

    url: str
    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)

    def say(self, what: str) -> None:
        """A line: seconds since the start, memory, and what happened."""
        seconds, (now, own, most) = time.monotonic() - self.started, memory(self.process.pid)
        print(
            f"{seconds:7.1f} s  {now:5.0f} MB, {own:5.0f} of its own, {most:5.0f} at most so far: "
            f"{what}",
            flush=True,
        )


def memory(pid: int) -> tuple[float, ...]:
    """RSS of a process, what of it is no file's, and the most that RSS was; in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    told = dict(line.split(":", 1) for line in lines)
    return tuple(int(told[n].split()[0]) * 1024 / 1e6 for n in ("VmRSS", "RssAnon", "VmHWM"))


@contextmanager
def serving(workspace: Path) -> Iterator[Server]:
    """`lrpseg app` on a free port, as anybody starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "lrpseg.cli", "app", "--port", str(port)]
    command += ["--workspace", str(workspace), "--device", "cpu"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    server = Server(f"http://127.0.0.1:{port}", process)
    try:
        while process.poll() is None:
            with suppress(httpx.HTTPError):
                httpx.get(server.url, timeout=60)
                break
            time.sleep(0.2)
        yield server
    finally:
        process.terminate()
        process.wait()


def drop(page: Page, server: Server, files: list[Path]) -> None:
    """Drop pictures on the page, and tell when the first can be edited and when all are done."""
    uploaded: list[float] = []
    page.on(
        "requestfinished",
        lambda request: uploaded.append(time.monotonic()) if "/upload?" in request.url else None,
    )
    began = time.monotonic()
    do.upload(page, *files)
    page.wait_for_function(f"{OPENED} && {OPENED}.name === '{FIRST}'")
    seen = time.monotonic()
    page.wait_for_function(f"{OPENED}.levels")
    now = time.monotonic()
    server.say(
        f"first of {len(files)} pictures: sent {uploaded[0] - began:.1f} s after the drop, "
        f"seen {seen - uploaded[0]:.1f} s and editable {now - uploaded[0]:.1f} s after that"
    )
    waiting, last = len(files), time.monotonic()
    while waiting:
        page.wait_for_timeout(500)
        badges = "[...document.querySelectorAll('.lrpseg .badge')].map(b => b.textContent)"
        found = page.evaluate(badges)
        waiting = len(files) - sum(b.endswith(("to do", "empty")) for b in found)
        if time.monotonic() - last > 20:
            server.say(f"{waiting} wait")
            last = time.monotonic()
    server.say("all pictures are analysed")


def askers(server: Server, token: str, pictures: list[Path]) -> list[Callable[[int], object]]:
    """What is asked in turn, each of the picture with some number."""
    web = httpx.Client(base_url=server.url, headers={TOKEN: token}, timeout=600)
    ids = [item["id"] for item in web.get("/lrpseg/items").json()["items"]]
    clients: SimpleQueue[Client] = SimpleQueue()
    for _ in range(AT_ONCE):  # one for each request under way
        clients.put(Client(server.url, verbose=False))

    def route(path: str) -> Callable[[int], object]:
        return lambda n: web.get(f"/lrpseg/items/{ids[n % len(ids)]}{path}").raise_for_status()

    def call(name: str, *more: Callable[[int], object]) -> Callable[[int], object]:
        def ask(n: int) -> object:
            client = clients.get()
            try:
                return client.predict(*[one(n) for one in more], api_name=f"/{name}")
            finally:
                clients.put(client)

        return ask

    def mine(n: int) -> str:
        return token

    def id(n: int) -> str:
        return str(ids[n % len(ids)])

    def picture(n: int) -> object:
        return handle_file(pictures[n % len(pictures)])

    segment = call("segment", picture, lambda n: "magnetic-tile")
    other = call("segment", picture, lambda n: "concrete-crack")
    return [
        call("list_images", mine), route(""), route("/levels"), route("/heatmap"), route("/view"),
        call("get_mask", mine, id), segment, other, route("/thumbnail"),
        lambda n: call("export", mine)(n) if n % 100 == 9 else call("list_images", mine)(n),
    ]  # fmt: skip


def ask(server: Server, token: str, pictures: list[Path], requests: int) -> None:
    """Ask so many times, and tell what memory is held meanwhile."""
    asked = askers(server, token, pictures)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = pool.map(lambda n: asked[n % len(asked)](n), range(requests))
        for number, _ in enumerate(answers, 1):
            if number % 50 == 0:
                server.say(f"{number} requests are answered")


def main(pictures: int, requests: int) -> None:
    """Draw, start, drop, ask."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # the server is not left behind
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_tiles.main(folder / "tiles", pictures // 2, pictures - pictures // 2)
        files = []
        for number, path in enumerate(sorted((folder / "tiles").rglob("*.png"))):
            files.append(path.rename(folder / f"{number:04}.png"))
        with serving(folder / "workspace") as server:
            server.say("the page answers")
            with chromium() as browser, do.opened(browser, server.url) as page:
                server.say("the page is open")
                drop(page, server, files)
                token = page.evaluate("localStorage.getItem('lrpseg-workspace')")
                ask(server, token, files, requests)
            time.sleep(5)
            server.say("5 s later, with no page open")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.measure_server", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--requests", type=int, default=500)
    args = parser.parse_args()
    main(args.pictures, args.requests)
