"""Processes that may be killed: forked from one that has imported everything, so that each starts
in an instant."""

import multiprocessing
import multiprocessing.forkserver
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import httpx

from tests.soak.rows import Plan

PATIENCE = 300.0
"""Seconds after which what does not come is a failure: a busy machine is none."""

PRELOADED = ["lrpseg.ui", "lrpseg.cli.main", "tests.narrow"]


def start(
    plan: Plan, log: Path, work: Callable[..., None], *args: Any, env: Mapping[str, str] = {}
) -> ForkServerProcess:
    """A process that does `work(*args)`; what it says goes to the end of the file `log`."""
    held = {k: v for k, v in os.environ.items() if k.startswith("LRPSEG_")} | dict(env)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=_child, args=(plan.short, log, held, work, args), daemon=True)
    process.start()
    return process


def end() -> None:
    """End the process that the others are forked from, which holds all that it has imported."""
    multiprocessing.forkserver._forkserver._stop()  # type: ignore[attr-defined]


def run(plan: Plan, log: Path, work: Callable[..., None], *args: Any, **more: Any) -> int:
    """Do `work(*args)` to its end in a process; returns its exit code."""
    process = start(plan, log, work, *args, **more)
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError(f"{work.__name__} hangs, see {log}")
    return process.exitcode


def _child(
    short: bool, log: Path, env: dict[str, str], work: Callable[..., None], args: Any
) -> None:
    os.environ.update(env)
    told = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(told, 1)
    os.dup2(told, 2)
    if short:
        from lrpseg.models.networks import NETWORKS
        from tests.narrow import ALL

        NETWORKS._things.update(ALL)
    work(*args)


def command(*words: str) -> None:
    """`lrpseg WORDS`, with blocks of two pictures: each is a place to go on from."""
    from lrpseg.cli.main import main
    from lrpseg.folders import annotate

    annotate.__kwdefaults__["block"] = 2
    sys.exit(main(words))


def serve(folder: Path, port: int, patience: float | None = None, **options: Any) -> None:
    """The page, until it is killed. patience: seconds that it waits for a body, instead of 20."""
    from lrpseg.web import bodies

    if patience is not None:
        bodies.PART_SECONDS = patience
    page = launch(folder, port, **options)
    page.demo.block_thread()


def launch(folder: Path, port: int, **options: Any) -> Any:
    """The page in this process, without samples to prepare, which would share the cores."""
    module = import_module("lrpseg.ui.launch")
    module.sample_pictures = lambda domains: []
    return module.launch(
        host="127.0.0.1", port=port, block=False, device="cpu", workspace=folder, **options
    )


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def serving(plan: Plan, log: Path, work: Callable[..., None], *args: Any) -> Iterator[str]:
    """The address of a server in a process of its own: `work(*args, port)`; it is killed at the
    end, and has to be alive until then."""
    port = free_port()
    process = start(plan, log, work, *args, port)
    url = f"http://127.0.0.1:{port}/"
    try:
        until(lambda: _answers(url) or not process.is_alive(), f"no server starts, see {log}")
        assert process.is_alive(), f"the server does not start, see {log}"
        yield url
        assert process.is_alive(), f"the server has ended, see {log}"
    finally:
        process.kill()
        process.join()


def until(done: Callable[[], Any], why: str, pause: float = 0.05) -> Any:
    """Wait until `done()`, asked every `pause` seconds, gives something true, which is returned."""
    end = time.monotonic() + PATIENCE
    while not (found := done()):
        assert time.monotonic() < end, why
        time.sleep(pause)
    return found


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=PATIENCE).status_code < 500
    except httpx.TransportError:
        return False
