"""What the page keeps: over restarts, lost connections, several tabs, and at any size."""

import io
import json
import socket
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from lrpseg.app import commands
from lrpseg.app.analyser import Segmenters
from lrpseg.app.views import VIEW_PIXELS
from lrpseg.masks.corrections import apply
from lrpseg.pipeline.results import Found, Result
from lrpseg.ui.launch import Page as RunningPage
from tests import page_support as do
from tests.page_support import DAMAGED, INTACT

pytestmark = pytest.mark.browser


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_a_restart_of_the_server_loses_nothing(
    browser: Browser, segmenters: Segmenters, tmp_path: Path
) -> None:
    port, workspace = free_port(), tmp_path / "ws"
    with (
        do.running(workspace, segmenters, port=port) as first,
        do.opened(browser, first.url) as page,
    ):
        do.upload(page, DAMAGED)
        do.show(page, DAMAGED.name)
        do.stroke(page, (40, 200), (90, 200))
        do.saved(page)
        first.stop()
        do.stroke(page, (40, 220), (90, 220))  # while nobody listens
        drawn = do.corrections(page)
        expect(page.get_by_test_id("saved")).to_contain_text("nothing is lost")
        with do.running(workspace, segmenters, port=port):
            do.saved(page)
            page.reload()
            do.show(page, DAMAGED.name)
            assert np.array_equal(do.corrections(page), drawn)
            assert (drawn[[200, 220], 40:91] == 1).all()


def test_strokes_made_offline_survive_a_reload(browser: Browser, home: RunningPage) -> None:
    with do.opened(browser, home.url) as page:
        do.upload(page, DAMAGED)
        do.show(page, DAMAGED.name)
        page.route("**/lrpseg/**/corrections*", lambda route: route.abort())
        do.stroke(page, (40, 200), (90, 200))
        drawn = do.corrections(page)
        expect(page.get_by_test_id("saved")).to_contain_text("nothing is lost")
        page.unroute("**/lrpseg/**/corrections*")
        page.reload()
        do.show(page, DAMAGED.name)
        assert np.array_equal(do.corrections(page), drawn)
        do.saved(page)
        workspace = home.service.sessions.open()[1]
        (item,) = workspace.items()
        assert np.array_equal(workspace.corrections(item.id), drawn)


def test_two_tabs_work_on_one_workspace(browser: Browser, home: RunningPage) -> None:
    with do.opened(browser, home.url) as first, do.opened(browser, home.url) as second:
        do.upload(first, DAMAGED)
        do.show(first, DAMAGED.name)
        do.visit(second, home.url)
        do.show(second, DAMAGED.name)
        do.stroke(first, (40, 200), (90, 200))
        do.saved(first)
        do.stroke(second, (150, 40), (190, 40))
        do.saved(second)
        do.visit(first, home.url)
        do.show(first, DAMAGED.name)
        both = do.corrections(first)
        assert (both[200, 40:91] == 1).all()
        assert (both[40, 150:191] == 1).all()


def test_visitors_of_a_hosted_page_do_not_see_each_other(
    browser: Browser, running: RunningPage
) -> None:
    with (
        do.opened(browser, running.url) as first,
        do.opened(browser, running.url) as second,
    ):
        do.upload(first, DAMAGED)
        do.show(first, DAMAGED.name)
        do.visit(second, running.url)
        assert second.locator(".thumb").count() == 0
        tokens = [p.evaluate("localStorage.getItem('lrpseg-workspace')") for p in (first, second)]
        assert tokens[0] != tokens[1]
        first.reload()
        do.show(first, DAMAGED.name)


@pytest.mark.parametrize(
    ("height", "width", "ratio"),
    [
        (2000, 3600, 1),  # just more than the browser looks at
        pytest.param(4000, 6000, 1, marks=pytest.mark.slow),
        pytest.param(4000, 6000, 2, marks=pytest.mark.slow),
    ],
)
def test_large_pictures(
    browser: Browser, home: RunningPage, tmp_path: Path, height: int, width: int, ratio: int
) -> None:
    """A downscaled view, a full-resolution mask; the relevance is made up to save minutes."""
    assert height * width > VIEW_PIXELS
    image = np.full((height, width, 3), 128, np.uint8)
    image[1000:1100, 2000:2600] = 20
    relevance = np.zeros((height, width), np.float32)
    relevance[1000:1100, 2000:2600] = 1
    relevance[1800, 100 : width - 100] = 1  # a crack of one pixel
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=1)
    settings = commands.settings_of("magnetic-tile")
    found = [Found("damaged", 0.98, True, True, relevance)]
    result = Result.of(image, settings, found)
    workspace = home.service.sessions.open()[1]
    item = workspace.add("big.png", file.getvalue(), settings, result=result)
    with do.opened(browser, home.url, ratio) as page:
        do.show(page, "big.png")
        assert page.evaluate("document.querySelector('.lrpseg').lrpseg.width") == width
        do.stroke(page, (500, 500), (3500, 500))
        do.slide(page, "threshold", 20)
        do.saved(page)
        count = page.evaluate(
            "document.querySelector('.lrpseg').lrpseg.mask().reduce((a, b) => a + b, 0)"
        )
        path = do.download(page, "#mask-file", tmp_path)
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(path) as saved:
        mask = np.asarray(saved) > 0
    assert mask.shape == (height, width)
    assert mask.sum() == count
    assert mask[500, 500:3501].all()
    expected = apply(
        workspace.likelihood(item.id) >= np.float32(workspace.item(item.id).used_threshold),
        workspace.corrections(item.id),
    )
    assert np.array_equal(mask, expected)


def test_pictures_of_many_sizes_one_after_the_other(
    browser: Browser, home: RunningPage, tmp_path: Path
) -> None:
    shapes = {"a.png": (1, 1), "b.png": (3, 20), "c.png": (90, 30), "d.png": (224, 224)}
    for name, shape in shapes.items():
        noise = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / name)
    with do.opened(browser, home.url) as page:
        do.upload(page, *(tmp_path / name for name in shapes))
        for name in [*shapes, *reversed(shapes)]:
            do.show(page, name)
            assert do.mask(page).shape == shapes[name]
        do.show(page, "a.png")
        do.stroke(page, (0, 0), (0, 0))
        assert do.corrections(page).tolist() == [[1]]


def test_a_finger_draws(browser: Browser, home: RunningPage) -> None:
    with do.opened(browser, home.url, has_touch=True) as page:
        do.upload(page, DAMAGED)
        do.show(page, DAMAGED.name)
        page.touchscreen.tap(*do.at(page, 60, 200))
        assert do.corrections(page)[200, 60] == 1
        page.get_by_test_id("tool-eraser").tap()
        page.touchscreen.tap(*do.at(page, 60, 200))
        assert do.corrections(page)[200, 60] == 2


def test_samples_open_from_stored_results(
    browser: Browser, home: RunningPage, runs: list[object]
) -> None:
    home.samples.wait()
    runs.clear()
    with do.opened(browser, home.url) as page:
        for name, words in (("crack", "Damaged"), ("intact", "Intact")):
            page.locator("#samples").get_by_text(name, exact=True).first.click()
            expect(page.get_by_test_id("verdict")).to_contain_text(words)
    assert not runs
    assert len(home.samples.all) >= 6


def test_the_zip_holds_the_formats_that_were_chosen(
    browser: Browser, home: RunningPage, tmp_path: Path
) -> None:
    with do.opened(browser, home.url) as page:
        do.upload(page, DAMAGED, INTACT)
        do.ready(page, INTACT.name)
        do.show(page, DAMAGED.name)
        do.stroke(page, (40, 200), (90, 200))
        do.saved(page)
        area = int(do.mask(page).sum())
        for title in ("COCO JSON", "YOLO segmentation"):
            page.locator("#formats input").click()
            page.get_by_role("option", name=title).click()
        page.keyboard.press("Escape")
        path = do.download(page, "#export", tmp_path)
    with zipfile.ZipFile(path) as archive:
        coco = json.loads(archive.read("coco/annotations.json"))
        told = json.loads(archive.read("formats.json"))
        assert f"yolo/labels/{DAMAGED.stem}.txt" in archive.namelist()
    assert [i["file_name"] for i in coco["images"]] == [DAMAGED.name, INTACT.name]
    assert [a["area"] for a in coco["annotations"]] == [area]
    assert set(told) == {"coco", "yolo"}
    assert told["coco"]["lowest_iou_kept"] == 1


def bring(page: Page, path: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.locator("#bring-masks").click()
    chooser.value.set_files(str(path))


def test_masks_made_elsewhere_come_in(browser: Browser, home: RunningPage, tmp_path: Path) -> None:
    with Image.open(DAMAGED) as image:
        wanted = np.zeros(image.size[::-1], bool)
    wanted[20:60, 30:90] = True
    (tmp_path / "masks").mkdir()
    mine = tmp_path / "masks" / DAMAGED.name
    Image.fromarray(wanted).save(mine)
    with do.opened(browser, home.url) as page:
        do.upload(page, DAMAGED)
        do.show(page, DAMAGED.name)
        page.locator("#more button").first.click()
        bring(page, mine)
        page.wait_for_function(
            "document.querySelector('.lrpseg').lrpseg.corrections().some(c => c)"
        )
        assert np.array_equal(do.mask(page), wanted)
        do.slide(page, "threshold", 3)
        assert np.array_equal(do.mask(page), wanted)  # every pixel counts as drawn
        # What is drawn is replaced when that is asked for, once.
        other = ~wanted
        Image.fromarray(other).save(mine)
        bring(page, mine)
        expect(page.get_by_text("would replace what is drawn")).to_be_visible()
        assert np.array_equal(do.mask(page), wanted)
        page.locator("#bring-replace input").check()
        bring(page, mine)
        page.wait_for_function("document.querySelector('.lrpseg').lrpseg.mask()[0] === 1")
        assert np.array_equal(do.mask(page), other)
        expect(page.locator("#bring-replace input")).not_to_be_checked()
