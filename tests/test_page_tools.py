"""The editor's tools in a real browser: what each does to the mask, and that all can be undone."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from scipy import ndimage

from lrpseg.ui.launch import Page as RunningPage
from tests import page_support as do
from tests.browser_support import chromium
from tests.page_support import DAMAGED, INTACT

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    with do.running(tmp_path_factory.mktemp("visitors"), hosted=True) as page:
        yield page


@pytest.fixture
def page(browser: Browser, running: RunningPage) -> Iterator[Page]:
    """With the damaged sample open."""
    with do.opened(browser, running.url) as window:
        do.upload(window, DAMAGED)
        do.show(window, DAMAGED.name)
        yield window


def polygon(page: Page, key: str, *corners: tuple[float, float]) -> None:
    page.keyboard.press(key)
    for corner in corners:
        page.mouse.click(*do.at(page, *corner))
    page.keyboard.press("Enter")


def square(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def test_polygons_add_and_cut_a_hole_is_filled_a_spot_deleted(page: Page) -> None:
    polygon(page, "p", *square(30, 180, 70, 220))
    polygon(page, "c", *square(40, 190, 60, 210))
    ring = do.mask(page)
    assert ring[185, 32:68].all()
    assert not ring[192:208, 42:58].any()
    assert (do.corrections(page)[192:208, 42:58] == 2).all()
    page.keyboard.press("f")
    page.mouse.click(*do.at(page, 50, 200))
    holes, _ = ndimage.label(~ring)
    assert np.array_equal(do.mask(page), ring | (holes == holes[200, 50]))
    page.mouse.click(*do.at(page, 5, 150))
    expect(page.get_by_role("alert")).to_contain_text("no closed hole")
    before = do.mask(page)
    page.keyboard.press("x")
    page.mouse.click(*do.at(page, 50, 200))
    spots, _ = ndimage.label(before, np.ones((3, 3)))
    assert np.array_equal(do.mask(page), before & (spots != spots[200, 50]))


def test_a_polygon_can_be_shortened_and_dropped(page: Page) -> None:
    before = do.mask(page)
    page.keyboard.press("p")
    for corner in square(30, 180, 70, 220):
        page.mouse.click(*do.at(page, *corner))
    page.keyboard.press("Escape")
    assert np.array_equal(do.mask(page), before)
    for corner in [*square(30, 180, 70, 220), (200, 100)]:
        page.mouse.click(*do.at(page, *corner))
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    added = do.corrections(page) == 1
    assert added[182:218, 32:68].all()
    assert not added[:170].any()
    expect(page.get_by_test_id(f"thumb-{DAMAGED.name}").locator(".badge")).to_contain_text("edited")


def test_every_action_is_undone_and_done_again(page: Page) -> None:
    def state() -> tuple[bytes, str, str]:
        """Mask, thresholder on the left, and status."""
        badge = page.get_by_test_id(f"thumb-{DAMAGED.name}").locator(".badge")
        shown = page.locator("#thresholder input").input_value()
        return do.mask(page).tobytes(), shown, (badge.text_content() or "").split(" ", 1)[1]

    def wait(wanted: tuple[bytes, str, str]) -> None:
        expect(page.locator("#thresholder input")).to_have_value(wanted[1])
        do.saved(page)
        assert state()[:2] == wanted[:2]
        if wanted[2] == "accepted":
            assert state()[2] == "accepted"

    actions = [
        lambda: do.stroke(page, (40, 200), (90, 200)),
        lambda: do.slide(page, "threshold", 12),
        lambda: do.slide(page, "min-area", 40),
        lambda: do.choose_another_thresholder(page),
        lambda: do.slide(page, "recall", 90),
        lambda: polygon(page, "c", *square(30, 180, 70, 220)),
        lambda: page.get_by_test_id("clear").click(),
        lambda: page.get_by_test_id("own").click(),
        lambda: page.get_by_test_id("accept").click(),
    ]
    states = [state()]
    for act in actions:
        act()
        states.append(state())
    page.get_by_test_id("canvas").focus()
    for wanted in reversed(states[:-1]):
        page.keyboard.press("Control+z")
        wait(wanted)
    expect(page.get_by_test_id("undo")).to_be_disabled()
    for wanted in states[1:]:
        page.keyboard.press("Control+Shift+z")
        wait(wanted)
    expect(page.get_by_test_id("redo")).to_be_disabled()


def test_undo_waits_for_the_return_to_a_picture(page: Page) -> None:
    do.upload(page, INTACT)
    do.ready(page, INTACT.name)
    do.show(page, DAMAGED.name)
    before = do.corrections(page)
    do.stroke(page, (40, 200), (90, 200))
    page.keyboard.press("Enter")  # accepts, and goes on to the other picture
    page.wait_for_function(
        "name => document.querySelector('.lrpseg').lrpseg.item.name === name", arg=INTACT.name
    )
    expect(page.get_by_test_id("undo")).to_be_disabled()
    page.keyboard.press("a")
    do.show(page, DAMAGED.name)
    badge = page.get_by_test_id(f"thumb-{DAMAGED.name}").locator(".badge")
    expect(badge).to_contain_text("accepted")
    page.keyboard.press("Control+z")
    expect(badge).to_contain_text("edited")
    page.keyboard.press("Control+z")
    assert np.array_equal(do.corrections(page), before)


def test_accepting_goes_on_to_what_is_not_accepted(page: Page, tmp_path: Path) -> None:
    """Also while others are analysed, and from the strip's end to its start."""
    names = ["a.png", "b.png", "z.png"]
    for name in names:
        (tmp_path / name).write_bytes(INTACT.read_bytes())
    do.upload(page, *(tmp_path / name for name in reversed(names)))
    page.wait_for_function("document.querySelector('.lrpseg').lrpseg.item.name === 'z.png'")
    visited: list[str] = []
    for _ in range(4):
        page.wait_for_function(
            "seen => { const i = document.querySelector('.lrpseg').lrpseg.item;"
            " return i && !seen.includes(i.name) && i.levels"
            " && !['waiting', 'running'].includes(i.status) }",
            arg=visited,
        )
        visited.append(do.item(page)["name"])
        page.get_by_test_id("canvas").focus()
        page.keyboard.press("Enter")
    assert sorted(visited) == sorted([*names, DAMAGED.name])
    expect(page.get_by_role("alert")).to_contain_text("All pictures are accepted")
    expect(page.get_by_test_id("count")).to_have_text("4 of 4 accepted")


def test_strokes_land_where_they_are_seen_after_zoom_and_pan(page: Page) -> None:
    x, y = do.at(page, 60, 200)
    page.mouse.move(x, y)
    for _ in range(4):
        page.mouse.wheel(0, -200)
    x, y = do.at(page, 60, 200)
    page.mouse.move(x, y)
    page.keyboard.down(" ")
    page.mouse.down()
    page.mouse.move(x + 60, y - 40, steps=3)
    page.mouse.up()
    page.keyboard.up(" ")
    assert not do.corrections(page).any()
    assert do.at(page, 60, 200) == pytest.approx((x + 60, y - 40), abs=1)
    do.stroke(page, (55, 200), (65, 200))
    ys, xs = np.nonzero(do.corrections(page))
    # A brush of radius 8; the mouse stands on whole pixels of the screen.
    assert (xs.min(), xs.max()) == pytest.approx((47, 73), abs=1)
    assert (ys.min(), ys.max()) == pytest.approx((192, 208), abs=1)
    page.keyboard.press("0")
    do.stroke(page, (150, 30), (150, 30))
    assert do.corrections(page)[30, 150] == 1


def test_views_by_key(page: Page) -> None:
    def picture() -> NDArray[np.int16]:
        page.evaluate(
            "() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))"
        )
        shot = page.get_by_test_id("canvas").screenshot()
        return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(np.int16)

    def becomes(like: NDArray[np.int16], same: bool) -> None:
        """The canvas is drawn when the browser gets to it: looked at again until it is right. Its
        rounded corners are not compared, which a browser blends as it likes."""
        for _ in range(200):
            inside = np.abs(picture() - like)[10:-10, 10:-10]
            if (inside.max() == 0) == same:
                return
            page.wait_for_timeout(50)
        raise AssertionError("the picture never became what it should")

    page.mouse.move(5, 5)
    page.get_by_test_id("canvas").focus()
    with_mask = picture()
    page.keyboard.press("h")
    becomes(with_mask, same=False)
    page.keyboard.press("h")
    becomes(with_mask, same=True)
    page.get_by_test_id("contour").check()
    becomes(with_mask, same=False)
    page.get_by_test_id("contour").uncheck()
    page.get_by_test_id("canvas").focus()
    for mode in ("heatmap", "mask", "picture"):
        page.keyboard.press("v")
        expect(page.get_by_test_id("mode")).to_have_value(mode)
        expect(page.locator(".colourbar")).to_be_visible(visible=mode == "heatmap")
    becomes(with_mask, same=True)
    page.keyboard.press("v")
    page.get_by_test_id("colormap").select_option("positive")
    expect(page.locator(".colourbar")).to_contain_text("no relevance")


def test_sliders_of_precision_and_recall_follow_the_threshold(page: Page) -> None:
    def told(name: str) -> float:
        return float((page.get_by_test_id(f"{name}-value").text_content() or "").rstrip(" %"))

    curve = do.item(page)["points"]["curve"]
    for index in (2, len(curve) // 2, len(curve) - 3):
        point = curve[index]
        levels = np.array(do.item(page)["levels"])
        level = int(np.abs(levels - point["threshold"]).argmin())
        do.slide(page, "threshold", level)
        near = min(curve, key=lambda p: abs(p["threshold"] - levels[level]))
        for name in ("precision", "recall"):
            assert told(name) == round(100 * near[name])
            assert int(page.get_by_test_id(name).input_value()) == round(100 * near[name])


def test_each_control_says_what_it_is_for(page: Page) -> None:
    """By a title, or by the sentence that a drop-down shows while it is pointed at."""
    silent = page.evaluate(
        """() => {
          const found = [];
          const seen = e => e.getClientRects().length > 0;
          for (const e of document.querySelectorAll('button, input, select, canvas')) {
            if (!seen(e) || e.closest('.thumb, .gallery-item, dialog')) continue;
            if (e.closest('[tabindex="-1"], [role=tab]') === e) continue;
            if (e.matches('.label-wrap')) continue; // an accordion: its words are its content
            const info = e.closest('.block') && e.closest('.block').querySelector('.info-text');
            if (e.closest('[title]') || (info && info.textContent.length > 15)) continue;
            if (e.matches('canvas') && e.getAttribute('aria-label')) continue;
            found.push(e.outerHTML.slice(0, 160));
          }
          return found;
        }"""
    )
    assert not silent
    page.get_by_role("tab", name="Compare").click()
    page.locator("#compare").wait_for()
    for box in page.locator("[id^=other-]").all():
        expect(box.locator(".info-text")).to_have_text(re.compile(".{15,}"))


@pytest.mark.parametrize(
    ("width", "height", "touch"),
    [(1440, 900, False), (1024, 768, False), (1180, 820, True), (820, 1180, True)],
)
def test_everything_is_in_reach(
    browser: Browser, running: RunningPage, width: int, height: int, touch: bool
) -> None:
    """Nothing lies beside the page; picture, tools and strip are seen without scrolling."""
    with do.opened(browser, running.url, has_touch=touch) as page:
        page.set_viewport_size({"width": width, "height": height})
        do.upload(page, DAMAGED)
        do.show(page, DAMAGED.name)
        page.locator("#more button").first.click()
        page.locator("#truth").wait_for()
        outside = page.evaluate(
            """() => [...document.querySelectorAll('button, input, select, canvas')].filter(e => {
              const box = e.getBoundingClientRect();
              return box.width && !e.closest('.thumbs') && (box.left < 0 || box.right > innerWidth);
            }).map(e => e.outerHTML.slice(0, 120))"""
        )
        assert not outside
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.locator("#more button").first.click()
        page.locator("#truth").wait_for(state="hidden")
        for name in ("tool-brush", "canvas", "accept", f"thumb-{DAMAGED.name}"):
            box = page.get_by_test_id(name).bounding_box()
            assert box is not None
            assert box["y"] >= 0, name
            assert box["y"] + box["height"] <= height, name
        if height <= 900:
            assert page.evaluate("document.documentElement.scrollHeight") <= height
        for button in ("#export", "#save-session"):  # within the side, which may scroll
            side = page.locator(button)
            assert side.count() == 1
        page.locator("#export").scroll_into_view_if_needed()
        expect(page.locator("#export")).to_be_in_viewport()


def test_files_may_be_dropped_anywhere(page: Page, tmp_path: Path) -> None:
    page.evaluate(
        """async bytes => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], 'dropped.png'));
          const canvas = document.querySelector('.lrpseg canvas');
          for (const name of ['dragover', 'drop']) canvas.dispatchEvent(
            new DragEvent(name, { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }""",
        list(INTACT.read_bytes()),
    )
    do.ready(page, "dropped.png")
