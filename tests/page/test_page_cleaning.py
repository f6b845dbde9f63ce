"""The threshold of pictures that are cleaned in a worker: no mask is out of date, nothing is lost.

They are just so large that the page does not clean them by itself; the worker waits until a test
lets it go.
"""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from lrpseg.app import commands
from lrpseg.pipeline.results import Found, Result
from lrpseg.ui.launch import Page as RunningPage
from lrpseg.workspace import Workspace
from tests import page_support as do

pytestmark = pytest.mark.browser

SHAPE = (450, 600)
HIGH = 200  # a level at which specks are apart
HOLD = """(() => {
  window.held = [];
  window.Worker = class extends Worker {
    postMessage(message) {
      const go = () => super.postMessage(message);
      if (window.held) window.held.push(go);
      else go();
    }
  };
})()"""


def add(workspace: Workspace, name: str, seed: int) -> str:
    """A picture whose result is made up: thousands of specks, and one large part with holes."""
    random = np.random.default_rng(seed)
    relevance = (random.random(SHAPE, np.float32) ** 4).astype(np.float32)
    relevance[100:200, 100:300] = 0.6 + 0.4 * random.random((100, 200), np.float32) ** 0.2
    relevance[120:124, 120:124] = 0
    file = io.BytesIO()
    image = np.full((*SHAPE, 3), 128, np.uint8)
    image[:8, :8] = seed  # pictures that are equal would be one
    Image.fromarray(image).save(file, "PNG")
    settings = commands.settings_of("magnetic-tile", thresholder="fraction", refiner="none")
    found = [Found("damaged", 0.98, True, True, relevance)]
    result = Result.of(image, settings, found)
    return workspace.add(name, file.getvalue(), settings, result=result).id


@pytest.fixture
def workspace(home: RunningPage) -> Workspace:
    return home.service.sessions.open()[1]


@pytest.fixture
def page(browser: Browser, home: RunningPage, workspace: Workspace) -> Iterator[Page]:
    """The page with a.png open, whose workers wait, over reloads too."""
    add(workspace, "a.png", 0)
    with do.opened(browser, home.url) as window:
        window.add_init_script(HOLD)
        window.evaluate(HOLD)
        do.show(window, "a.png")
        yield window


def settle(page: Page) -> None:
    """Wait until the worker has done what it was asked."""
    page.wait_for_function("document.querySelector('.lrpseg').lrpseg.settled()")


def let_go(page: Page) -> None:
    """Let the workers work, now and later, and wait for what they find."""
    page.evaluate("{ const { held } = window; window.held = null; for (const go of held) go(); }")
    settle(page)


def waits(page: Page) -> bool:
    return not page.evaluate("document.querySelector('.lrpseg').lrpseg.exact()")


def check(page: Page, workspace: Workspace) -> np.ndarray:
    """The page's mask is the server's, from which files are made; returns it."""
    do.saved(page)
    mask = do.mask(page)
    assert np.array_equal(mask, workspace.mask(do.item(page)["id"]))
    return mask


def drag(page: Page, *levels: int) -> None:
    """Many moves of the threshold within one frame."""
    page.evaluate(
        """levels => {
          const slider = document.querySelector("[data-testid=threshold]");
          for (const level of levels) {
            slider.value = level;
            slider.dispatchEvent(new Event("input", { bubbles: true }));
          }
          slider.dispatchEvent(new Event("change", { bubbles: true }));
        }""",
        list(levels),
    )


def test_fast_drags_end_with_the_exact_mask(page: Page, workspace: Workspace) -> None:
    do.slide(page, "min-area", 33)
    drag(page, *range(100, 200))
    assert waits(page)
    expect(page.get_by_test_id("min-area-value")).to_contain_text("…")
    waiting = check(page, workspace)
    let_go(page)
    expect(page.get_by_test_id("min-area-value")).not_to_contain_text("…")
    assert np.array_equal(check(page, workspace), waiting)
    drag(page, *range(200, 150, -1))
    assert not waits(page)  # it holds at all thresholds
    moved = check(page, workspace)
    assert moved.any()
    assert (moved != waiting).any()
    do.slide(page, "max-hole", 33)
    settle(page)
    filled = check(page, workspace)
    assert filled[120:124, 120:124].all()
    assert not moved[120:124, 120:124].any()
    page.keyboard.press("Control+z")
    settle(page)
    assert np.array_equal(check(page, workspace), moved)


def test_what_is_drawn_while_the_worker_works_stays(page: Page, workspace: Workspace) -> None:
    drag(page, HIGH)
    do.slide(page, "min-area", 33)
    assert waits(page)
    do.stroke(page, (400, 300), (500, 300))
    page.keyboard.press("x")
    page.mouse.click(*do.at(page, 200, 150))  # deletes the large part, as it is when it is cleaned
    drawn = check(page, workspace)
    assert drawn[300, 400:501].all()
    assert not drawn[150, 200]
    let_go(page)
    assert np.array_equal(check(page, workspace), drawn)
    page.keyboard.press("Control+z")
    assert check(page, workspace)[150, 200]


def test_a_result_never_lands_on_another_picture(page: Page, workspace: Workspace) -> None:
    add(workspace, "b.png", 1)
    do.slide(page, "min-area", 33)
    assert waits(page)
    do.show(page, "b.png")
    assert not waits(page)
    plain = check(page, workspace)
    let_go(page)
    assert np.array_equal(check(page, workspace), plain)
    do.show(page, "a.png")
    settle(page)
    cleaned = check(page, workspace)
    assert cleaned.sum() < plain.sum() - 1000  # specks are gone


def test_a_reload_brings_the_threshold_and_cleaning_back(page: Page, workspace: Workspace) -> None:
    do.slide(page, "min-area", 33)
    drag(page, HIGH)
    before = check(page, workspace)
    page.reload()
    do.show(page, "a.png")
    assert waits(page)
    assert np.array_equal(check(page, workspace), before)
    let_go(page)
    assert np.array_equal(check(page, workspace), before)


def test_what_is_seen_is_the_mask(page: Page, workspace: Workspace) -> None:
    page.get_by_test_id("mode").select_option("mask")
    drag(page, 20, 250, HIGH)
    compare(page, check(page, workspace))
    do.slide(page, "min-area", 33)
    let_go(page)
    compare(page, check(page, workspace))
    drag(page, HIGH - 20)
    compare(page, check(page, workspace))


def compare(page: Page, mask: np.ndarray) -> None:
    """Some pixels of the canvas, white in the mask and black outside of it."""
    shown = page.evaluate(
        """() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => {
          const canvas = document.querySelector("[data-testid=canvas]");
          const { toScreen } = document.querySelector(".lrpseg").lrpseg;
          const box = canvas.getBoundingClientRect(), ratio = canvas.width / box.width;
          const image = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const points = [];
          for (let y = 3; y < 447; y += 7) for (let x = 3; x < 597; x += 7) {
            const at = toScreen(x, y);
            const i = Math.floor((at.y - box.top) * ratio) * canvas.width
              + Math.floor((at.x - box.left) * ratio);
            points.push([x, y, image.data[4 * i]]);
          }
          done(points);
        })))"""
    )
    # Where neighbours differ the pixel of the screen may belong to either.
    alike = 0
    for x, y, red in shown:
        near = mask[y - 1 : y + 2, x - 1 : x + 2]
        if near.all() or not near.any():
            assert red == (255 if near.all() else 0)
            alike += 1
    assert alike > len(shown) / 5
