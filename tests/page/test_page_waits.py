"""What a person can do, and is told, while a picture waits for its analysis or has none."""

import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from lrpseg.app import commands
from lrpseg.app.analyser import Segmenters
from lrpseg.app.commands import pictures
from lrpseg.pipeline.segmenter import Steps
from lrpseg.ui.launch import Page as RunningPage
from lrpseg.workspace import Upload
from tests import page_support as do
from tests.core.test_depth import png
from tests.page_support import DAMAGED, INTACT

pytestmark = pytest.mark.browser


@pytest.fixture
def gate(
    running: RunningPage, segmenters: Segmenters, monkeypatch: pytest.MonkeyPatch
) -> Iterator[threading.Event]:
    """The networks wait until it is set."""
    running.samples.wait()
    opened, inner = threading.Event(), segmenters.steps

    def steps(*args: object) -> Steps:
        opened.wait()
        return (yield from inner(*args))  # type: ignore[arg-type]

    monkeypatch.setattr(segmenters, "steps", steps)
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


def test_a_picture_is_accepted_only_after_its_analysis_and_says_so(
    page: Page, gate: threading.Event
) -> None:
    running_picture(page)
    page.get_by_test_id("canvas").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Wait for its analysis.")
    gate.set()
    do.show(page, DAMAGED.name)
    expect(page.get_by_test_id("verdict")).to_contain_text("Damaged")
    page.get_by_test_id("canvas").focus()
    page.keyboard.press("Enter")
    do.ready(page, DAMAGED.name, "accepted")


def test_a_file_that_is_no_picture_shows_no_figures_and_says_why(
    damaged: Page, tmp_path: Path
) -> None:
    page = damaged
    (tmp_path / "empty.png").write_bytes(b"")
    do.stroke(page, (40, 200), (90, 200))
    do.upload(page, tmp_path / "empty.png")
    do.ready(page, "empty.png", "failed")
    expect(page.get_by_test_id("name")).to_have_text("empty.png")
    for name in ("threshold-value", "precision-value", "expect", "points-note", "own-figures"):
        expect(page.get_by_test_id(name)).to_have_text("")
    for name in ("undo", "redo", "clear", "accept", "threshold"):
        expect(page.get_by_test_id(name)).to_be_disabled()
    reason = page.get_by_test_id("verdict").text_content()
    assert reason
    page.get_by_test_id("canvas").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").first).to_contain_text(reason)
    page.locator("#mask-file").click()
    expect(page.get_by_text("This file is no picture: it has no mask.")).to_be_visible()
    do.show(page, DAMAGED.name)
    expect(page.get_by_test_id("accept")).to_be_enabled()
    expect(page.get_by_test_id("undo")).to_be_enabled()


def test_it_is_shown_how_an_unusual_picture_was_read(
    damaged: Page, gate: threading.Event, tmp_path: Path
) -> None:
    page, said = damaged, damaged.get_by_test_id("read")
    expect(said).to_have_text("")
    (tmp_path / "camera.png").write_bytes(png(np.full((40, 50), 3900, np.uint16)))
    do.upload(page, tmp_path / "camera.png")
    told = "read as 12 bits (by its values, of which the highest is 3900)"
    expect(said).to_have_text(f"This picture was {told}.")
    expect(page.get_by_test_id("thumb-camera.png")).to_have_attribute(
        "title", f"camera.png\n{told}"
    )
    page.get_by_test_id(f"thumb-{DAMAGED.name}").click()
    expect(said).to_have_text("")


def test_the_first_of_many_opens_before_the_others_are_there(
    damaged: Page, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page, opened, inner = damaged, threading.Event(), pictures.read_uploads

    def slowly(*args: object) -> Iterator[Upload]:
        for file in inner(*args):  # type: ignore[arg-type]
            yield file
            opened.wait()

    monkeypatch.setattr(pictures, "read_uploads", slowly)
    (tmp_path / "late.png").write_bytes(INTACT.read_bytes())
    do.upload(page, INTACT, tmp_path / "late.png")
    expect(page.get_by_test_id("name")).to_have_text(INTACT.name)
    page.get_by_test_id(f"thumb-{DAMAGED.name}").click()
    expect(page.get_by_test_id("name")).to_have_text(DAMAGED.name)
    opened.set()
    do.ready(page, "late.png")
    page.wait_for_function("!document.querySelector('#upload').textContent.includes('late')")
    expect(page.get_by_test_id("name")).to_have_text(DAMAGED.name)  # nor does the end take it away


def test_an_export_says_what_it_leaves_out(
    damaged: Page, gate: threading.Event, tmp_path: Path
) -> None:
    page = damaged
    (tmp_path / "empty.png").write_bytes(b"")
    do.upload(page, INTACT, tmp_path / "empty.png")
    do.ready(page, "empty.png", "failed")
    do.ready(page, INTACT.name, "running")
    path = do.download(page, "#export", tmp_path)
    with zipfile.ZipFile(path) as archive:
        told = archive.read("left-out.txt").decode()
        assert f"masks/{DAMAGED.stem}.png" in archive.namelist()
    assert f"{INTACT.name}: still being analysed" in told
    assert len(told.splitlines()) == 2
    expect(page.get_by_text("1 still being analysed, 1 cannot be read")).to_be_visible()
    expect(page.locator("#export")).to_have_text("All (zip)")
    gate.set()
    do.ready(page, INTACT.name)
    with zipfile.ZipFile(do.download(page, "#export", tmp_path)) as archive:
        assert INTACT.name not in archive.read("left-out.txt").decode()


def test_a_button_that_exports_waits_for_its_file(
    damaged: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, opened, inner = damaged, threading.Event(), commands.export_zip_file

    def export(*args: object) -> object:
        opened.wait()
        return inner(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(commands, "export_zip_file", export)
    with page.expect_download():
        page.locator("#export").click()
        expect(page.locator("#export")).to_have_text("Exporting …")
        expect(page.locator("#export")).to_be_disabled()
        opened.set()
    expect(page.locator("#export")).to_have_text("All (zip)")
    expect(page.locator("#export")).to_be_enabled()
