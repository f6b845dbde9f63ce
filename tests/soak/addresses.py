"""Addresses and bodies that nobody should send, while a bystander goes on working.

Each is answered with a 4.. or a sentence; the server lives on; the log holds no secret.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import httpx

from tests.soak import bad_files, bad_requests, children, label_studio
from tests.soak.bad_requests import TICK
from tests.soak.rows import Plan, Row, counted
from tests.soak.visitor import RefusedError
from tests.soak.world import PASSWORD, World

CASES = bad_requests.CASES | bad_files.CASES


def run(plan: Plan) -> list[Row]:
    """A row for each case, one for the bystander, one for the log, and those of Label Studio."""
    ws, log = plan.folder / "visitors", plan.folder / "addresses.txt"
    rows = []
    options = {"hosted": True, "auth": [f"anna:{PASSWORD}"], "sites": ["http://127.0.0.1"]}
    with children.serving(plan, log, _serve, ws, plan.short, options) as url:
        world = World.of(plan, url)
        with bystander(world) as seen:
            for name, case in CASES.items():
                rows.append(_case(world, log, name, case))
        rows.append(seen.row())
    rows.append(_secrets(world, log))
    return [*rows, *label_studio.run(plan)]


def _serve(folder: Path, short: bool, options: dict[str, object], port: int) -> None:
    """The page, with a clock that is ahead by the seconds in the file `ahead`."""
    wall, ahead, told = time.time, [0.0], folder.parent / "ahead"
    time.time = lambda: wall() + ahead[0]

    def look() -> None:
        while True:
            time.sleep(TICK)
            with suppress(OSError, ValueError):
                ahead[0] = float(told.read_text())

    threading.Thread(target=look, daemon=True).start()
    import_module("lrpseg.ui.launch").SWEEP_SECONDS = TICK
    children.serve(folder, port, 3.0 if short else None, **options)


def _case(world: World, log: Path, name: str, case: Callable[[World], int]) -> Row:
    row = Row(f"bad requests: {name}", "")
    try:
        row.tried = f"{case(world):,}"
    except (AssertionError, httpx.HTTPError, RefusedError) as error:
        row.failures.append(f"{error!r:.600}: {world.plan.keep(log.name, log)}")
    row.held = "each answered as it should be, mostly refused in a sentence"
    return row


@dataclass
class Seen:
    """What a bystander saw: how long each of its requests took, and which went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def row(self) -> Row:
        asked = sum(map(len, self.seconds.values()))
        slowest = ", ".join(f"{max(s):.1f} s for {n}" for n, s in self.seconds.items())
        held = f"{asked - len(self.wrong):,} answered; at most {slowest}"
        return Row("a bystander meanwhile", counted(asked, "request"), held, self.wrong)


@contextmanager
def bystander(world: World) -> Iterator[Seen]:
    """Somebody else who looks at the list, draws, and asks the queue, all the time."""
    seen, stop, one = Seen(), threading.Event(), world.stranger
    asks: dict[str, Callable[[], object]] = {
        "the list": lambda: one.ask("GET", "items").raise_for_status(),
        "a stroke": lambda: one.stroke(world.foreign, 3).raise_for_status(),
        "a call": lambda: one.call("list_images", one.token),
    }

    def work() -> None:
        while not stop.is_set():
            for name, ask in asks.items():
                begun = time.monotonic()
                try:
                    ask()
                except Exception as error:
                    seen.wrong.append(f"{name}: {error!r:.300}")
                seen.seconds.setdefault(name, []).append(time.monotonic() - begun)
            stop.wait(0.5 if world.plan.short else 0.05)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _secrets(world: World, log: Path) -> Row:
    """The log has neither tokens, nor the password, nor what was sent, nor a stack of an error."""
    told = log.read_text("utf-8", "replace")
    found = [word for word in (*world.secrets, "Traceback", "failed:\n") if word in told]
    row = Row("the log of all that", f"{len(told.splitlines()):,} lines", "no secret in it")
    if found:
        row.failures.append(f"{found} in the log: {world.plan.keep(log.name, log)}")
    return row
