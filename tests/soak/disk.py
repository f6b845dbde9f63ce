"""A disk that fills: commands and the page say so in a sentence, lose nothing, and go on later."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lrpseg.workspace import Workspace
from tests.soak import children
from tests.soak.jobs import JOBS, fill
from tests.soak.kills import differences
from tests.soak.rows import Plan, Row, counted
from tests.soak.visitor import RefusedError, Visitor
from tests.soak.world import says
from tests.workspace_support import picture

COMMANDS = ("annotate", "export", "import")
SIZE = 200_000_000
PAGE = "full disk: page"


def run(plan: Plan) -> list[Row]:
    """A row for each command and one for the page, on a small disk of their own."""
    disk = plan.folder / "disk"
    with small_disk(disk) as refused:
        if refused:
            return [Row("full disk", f"skipped: {refused}")]
        seconds = plan.seconds / (len(COMMANDS) + 1)
        rows = [_command(plan, disk, name, seconds) for name in COMMANDS]
        return [*rows, _page(plan, disk, seconds)]


@contextmanager
def small_disk(place: Path) -> Iterator[str]:
    """A file system of its own at `place`, or why there is none; only root may make one."""
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "lrpseg-soak", str(place)]
    try:
        made = subprocess.run(words, capture_output=True, text=True, check=False)
        refused = (made.stderr.strip() or "mount fails") if made.returncode else ""
    except OSError as error:
        refused = str(error)
    try:
        yield refused
    finally:
        if not refused:
            subprocess.run(["umount", "--lazy", str(place)], check=False)


def leave(disk: Path, free: int) -> None:
    """Fill the disk with one file, `ballast`, until `free` bytes are left."""
    with (disk / "ballast").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, shutil.disk_usage(disk).free - free))


def _command(plan: Plan, disk: Path, name: str, seconds: float) -> Row:
    job, ready, log = JOBS[name], plan.folder / f"ready-{name}", plan.folder / f"disk-{name}.txt"
    job.prepare(ready, 4 if plan.short else 16)
    here = disk / name
    shutil.copytree(ready, here)
    before = shutil.disk_usage(disk).free
    children.run(plan, log, job.work, here)
    needed, wanted = before - shutil.disk_usage(disk).free, job.outcome(here)
    row, chance = Row(f"full disk: {name}", ""), plan.random("disk", name)
    rounds = told = 0
    end = time.monotonic() + seconds
    while not row.failures and (not rounds or time.monotonic() < end):
        shutil.rmtree(here)
        shutil.copytree(ready, here)
        log.unlink()
        leave(disk, chance.randrange(needed))
        code = children.run(plan, log, job.work, here)
        said = log.read_text("utf-8", "replace")
        (disk / "ballast").unlink()
        if code and f"The disk {disk} (" in said and "Traceback" not in said:
            told += 1
        elif code:
            row.failures.append(f"round {rounds} does not say so: {plan.keep(log.name, log)}")
        children.run(plan, log, job.work, here)
        if differing := differences(wanted, job.outcome(here)):
            kept = plan.keep(f"disk-{name}-{rounds}", here)
            row.failures.append(f"round {rounds}: {differing} differ: {kept}")
        rounds += 1
    shutil.rmtree(here)
    row.tried = counted(rounds, "run") + " without enough room"
    row.held = f"{told} ended with a sentence; with room again, all left what one with room leaves"
    return row


def _page(plan: Plan, disk: Path, seconds: float) -> Row:
    ready, log = plan.folder / "ready-page", plan.folder / "disk-page.txt"
    fill(ready, 3)
    row, chance = Row(PAGE, ""), plan.random("disk", "page")
    rounds = strokes = 0
    end = time.monotonic() + seconds
    while not row.failures and (not rounds or time.monotonic() < end):
        here = disk / "page"
        shutil.copytree(ready, here)
        with children.serving(plan, log, children.serve, here / "ws") as url:
            visitor = Visitor(url)
            leave(disk, chance.randrange(20_000, 400_000))
            drawn: list[int] = []
            first, last = (i["id"] for i in visitor.call("list_images", visitor.token)[:2])
            try:
                drawn = _draw_until_full(visitor, disk, first)
                visitor.ask("DELETE", f"items/{last}").raise_for_status()
                again = visitor.stroke(first, len(drawn))
                assert again.status_code == 200, f"no stroke after deleting: {again.text}"
            except (AssertionError, RefusedError) as error:
                row.failures.append(f"round {rounds}: {error}: {plan.keep(log.name, log)}")
            (disk / "ballast").unlink()
        stored = Workspace(here / "ws").corrections(first)[: len(drawn) + 1, :8]
        wanted = [*drawn, 1]
        if stored.tolist() != [[value] * 8 for value in wanted]:
            row.failures.append(f"round {rounds}: strokes are lost: {plan.keep('page', here)}")
        rounds, strokes = rounds + 1, strokes + len(wanted)
        shutil.rmtree(here)
    row.tried = counted(rounds, "disk") + " filled while strokes come"
    row.held = f"{strokes:,} strokes confirmed, all stored; deleting a picture made room each time"
    return row


def _draw_until_full(visitor: Visitor, disk: Path, id: str) -> list[int]:
    """Draw line by line; returns what was confirmed when there is no more room. Then nothing can be
    added, and what is there is still shown."""
    drawn: list[int] = []
    while (answer := visitor.stroke(id, len(drawn), 1 + len(drawn) % 2)).status_code == 200:
        drawn.append(1 + len(drawn) % 2)
        assert len(drawn) < 200, "the disk is never full"
    assert answer.status_code == 507, answer.text
    assert f"The disk {disk} (" in answer.json()["error"], answer.text
    said = says(visitor, "add_image", *visitor.adding("more.png", picture()))
    assert f"The disk {disk} (" in said, said
    assert visitor.mask(id).shape == (224, 224)
    assert visitor.ask("GET", "items").status_code == 200
    return drawn
