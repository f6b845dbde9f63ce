"""A running page and a browser for tests, and what a person does on it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, expect

from lrpseg.app.analyser import Segmenters
from lrpseg.domains import assets_folder
from lrpseg.ui import launch
from lrpseg.ui.launch import Page as RunningPage

SAMPLES = assets_folder() / "samples"
PATIENCE = 180_000
"""Milliseconds that anything may take: a busy machine is no failure."""
expect.set_options(timeout=PATIENCE)
DAMAGED, INTACT = SAMPLES / "3-several.png", SAMPLES / "4-intact.png"


@contextmanager
def running(
    workspace: Path,
    segmenters: Segmenters | None = None,
    hosted: bool = False,
    port: int | None = None,
) -> Iterator[RunningPage]:
    """The page on a free port (or on `port`); without `segmenters` it runs networks on the CPU."""
    page = launch(
        block=False, device="cpu", workspace=workspace, hosted=hosted, port=port,
        segmenters=segmenters,
    )  # fmt: skip
    try:
        yield page
    finally:
        page.stop()


@contextmanager
def opened(browser: Browser, url: str, ratio: float = 1, **options: object) -> Iterator[Page]:
    """A visitor's browser window at 1440x900; the test fails on any error in the page."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, device_scale_factor=ratio,
        accept_downloads=True, **options,  # type: ignore[arg-type]
    )  # fmt: skip
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(PATIENCE)
    visit(page, url)
    try:
        yield page
    finally:
        context.close()
    assert not errors


def visit(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_test_id("canvas").wait_for()
    page.wait_for_function("document.querySelector('#upload input[type=file]')")
    page.wait_for_function("localStorage.getItem('lrpseg-workspace')")
    page.wait_for_function("document.querySelector('.lrpseg').lrpseg")


def upload(page: Page, *paths: Path) -> None:
    page.set_input_files("#upload input[type=file]", [str(p) for p in paths])


def ready(page: Page, name: str, status: str = "to do|empty|edited|accepted|doubtful") -> None:
    """Wait until a picture is analysed."""
    badge = page.get_by_test_id(f"thumb-{name}").locator(".badge")
    expect(badge).to_have_text(re.compile(status))


def show(page: Page, name: str) -> None:
    """Open a picture and wait until its mask is there."""
    ready(page, name)
    page.get_by_test_id(f"thumb-{name}").click()
    page.wait_for_function(
        "name => { const l = document.querySelector('.lrpseg').lrpseg;"
        " return l.item && l.item.name === name && l.item.levels }",
        arg=name,
    )


def mask(page: Page) -> np.ndarray:
    """The mask that the browser holds, (H, W) bool."""
    return _map(page, "mask") > 0


def corrections(page: Page) -> np.ndarray:
    return _map(page, "corrections")


def _map(page: Page, what: str) -> np.ndarray:
    script = (
        "what => { const l = document.querySelector('.lrpseg').lrpseg;"
        " return [l.height, l.width, Array.from(l[what]()).join('')] }"
    )
    height, width, digits = page.evaluate(script, what)
    return np.frombuffer(digits.encode(), np.uint8).reshape(height, width) - ord("0")


def item(page: Page) -> dict:
    """What the browser knows about the open picture."""
    return page.evaluate("document.querySelector('.lrpseg').lrpseg.item")


def saved(page: Page) -> None:
    """Wait until the server has confirmed everything."""
    page.wait_for_function("document.querySelector('.lrpseg').lrpseg.saved()")


def choose_another_thresholder(page: Page) -> str:
    """Choose Simple, or the Beta mixture where Simple is chosen; returns its name when its mask is
    there."""
    now = item(page)
    name, title = ("bmm", "Beta mixture") if now["choice"]["thresholder"] == "simple" else (
        "simple", "Simple")  # fmt: skip
    page.locator("#thresholder input").click()
    page.get_by_role("option", name=title, exact=True).click()
    page.wait_for_function(
        "was => document.querySelector('.lrpseg').lrpseg.item.analysis !== was", arg=now["analysis"]
    )
    return name


def slide(page: Page, name: str, value: float) -> None:
    """Move one of the editor's sliders."""
    page.get_by_test_id(name).evaluate(
        "(e, v) => { e.value = v; for (const n of ['input', 'change'])"
        " e.dispatchEvent(new Event(n, { bubbles: true })) }",
        value,
    )


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where the centre of a mask pixel is on the screen."""
    place = page.evaluate(
        "([x, y]) => document.querySelector('.lrpseg').lrpseg.toScreen(x, y)", [x, y]
    )
    return place["x"], place["y"]


def stroke(page: Page, *points: tuple[float, float]) -> None:
    """Press at the first mask pixel, move over the others, release."""
    page.mouse.move(*at(page, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*at(page, *point), steps=4)
    page.mouse.up()


def download(page: Page, button: str, folder: Path) -> Path:
    """Click a button that gives a file, and save that."""
    with page.expect_download() as started:
        page.locator(button).click()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path
