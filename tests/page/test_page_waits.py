"""What a person can do, and is told, while a picture waits for its analysis or has none."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from lrpseg.segmenter import Segmenter
from lrpseg.ui.launch import Page as RunningPage
from tests import page_support as do
from tests.page_support import DAMAGED

pytestmark = pytest.mark.browser


@pytest.fixture
def gate(running: RunningPage, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The networks wait until it is set."""
    running.samples.wait()
    opened, inner = threading.Event(), Segmenter._run

    def run(*args: object) -> object:
        opened.wait(120)
        return inner(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(Segmenter, "_run", run)
    yield opened
    opened.set()


def running_picture(page: Page) -> None:
    """The damaged sample, open and under analysis."""
    do.upload(page, DAMAGED)
    do.ready(page, DAMAGED.name, "running")
    page.wait_for_function("document.querySelector('.lrpseg').lrpseg.width")


def test_a_picture_drawn_on_while_it_runs_becomes_ready_by_itself(
    page: Page, gate: threading.Event
) -> None:
    running_picture(page)
    do.stroke(page, (40, 200), (90, 200))
    do.saved(page)
    drawn = do.corrections(page)
    expect(page.get_by_test_id("verdict")).to_contain_text("running")
    gate.set()
    do.ready(page, DAMAGED.name, "edited")
    expect(page.get_by_test_id("verdict")).to_contain_text("Damaged")
    expect(page.get_by_test_id("threshold")).to_be_enabled()
    assert (drawn[200, 40:91] == 1).all()
    assert np.array_equal(do.corrections(page), drawn)
    assert do.mask(page).sum() > (drawn == 1).sum()  # what the network found is there too
