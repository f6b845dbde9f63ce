"""Large pictures on the page: what is seen while their many tiles run."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from lrpseg.app.analyser import Segmenters
from lrpseg.pipeline.jobs import Step
from lrpseg.pipeline.segmenter import Steps
from tests import page_support as do
from tests.workspace_support import result

pytestmark = pytest.mark.browser

SHAPE = (400, 600)
TILES = 100


@pytest.fixture
def halves(
    segmenters: Segmenters, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[threading.Event]]:
    """An analysis that stops after half of the tiles until the first event is set, and whose result
    comes after the second one."""
    events = [threading.Event(), threading.Event()]
    found = np.zeros(SHAPE, np.float32)
    found[50:150, 100:300] = 1

    def steps(*args: object) -> Steps:
        for done in range(1, TILES + 1):
            if done == TILES // 2:
                events[0].wait()
            yield Step(done, TILES, lambda size: found)
        events[1].wait()
        return result(shape=SHAPE)

    monkeypatch.setattr(segmenters, "steps", steps)
    yield events
    for event in events:
        event.set()


def test_a_heatmap_grows_and_the_time_left_is_told(
    page: Page, halves: list[threading.Event], tmp_path: Path
) -> None:
    Image.fromarray(np.full((*SHAPE, 3), 120, np.uint8)).save(tmp_path / "wall.png")
    do.upload(page, tmp_path / "wall.png")
    do.ready(page, "wall.png", "running")
    expect(page.get_by_test_id("verdict")).to_contain_text(f"{TILES // 2 - 1}/{TILES}")
    # What was found is seen on the canvas, in the place where it is.
    page.wait_for_function(
        """() => {
          const canvas = document.querySelector('[data-testid=canvas]');
          const { x, y } = document.querySelector('.lrpseg').lrpseg.toScreen(200, 100);
          const box = canvas.getBoundingClientRect(), ratio = canvas.width / box.width;
          const [r, g, b] = canvas.getContext('2d').getImageData(
            (x - box.left) * ratio, (y - box.top) * ratio, 1, 1).data;
          return Math.max(r, g, b) - Math.min(r, g, b) > 40;
        }"""
    )
    halves[0].set()
    halves[1].set()
    do.ready(page, "wall.png", "to do")
    expect(page.get_by_test_id("verdict")).to_contain_text("Damaged")
