"""What the page shows, and where: views, sliders, explanations, windows of any size."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from lrpseg.ui.launch import Page as RunningPage
from tests import page_support as do
from tests.page_support import DAMAGED, INTACT

pytestmark = pytest.mark.browser
with_sample = pytest.mark.usefixtures("damaged")


@with_sample
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


@with_sample
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


@with_sample
def test_sliders_have_a_name_and_say_what_they_show(page: Page) -> None:
    for name, words in (
        ("threshold", "Threshold"), ("precision", "Precision at least"),
        ("recall", "Recall at least"), ("min-area", "Smallest spot"),
        ("max-hole", "Fill holes up to"),
    ):  # fmt: skip
        expect(page.get_by_test_id(name)).to_have_accessible_name(words)
    for name in ("min-area", "max-hole"):
        expect(page.get_by_test_id(name)).to_have_attribute("aria-valuetext", "off")
        do.slide(page, name, 60)
        shown = page.get_by_test_id(f"{name}-value").text_content() or ""
        assert shown.endswith(" px")
        expect(page.get_by_test_id(name)).to_have_attribute("aria-valuetext", shown)


@with_sample
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


@with_sample
def test_a_reload_opens_the_picture_that_was_worked_on(page: Page, tmp_path: Path) -> None:
    (tmp_path / "0-first.png").write_bytes(INTACT.read_bytes())
    do.upload(page, tmp_path / "0-first.png")
    # What was uploaded opens by itself: not after the other was clicked, on a busy machine.
    expect(page.get_by_test_id("name")).to_have_text("0-first.png")
    do.show(page, DAMAGED.name)
    page.reload()
    expect(page.get_by_test_id("name")).to_have_text(DAMAGED.name)
    expect(page.get_by_test_id("threshold")).to_be_enabled()
    assert do.item(page)["name"] == DAMAGED.name


@with_sample
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


@with_sample
def test_explaining_says_what_the_heatmap_points_at_is_worth(page: Page) -> None:
    """Asked for when it is opened, and told anew of another mask."""
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if r.url.endswith("/reason") else None)
    box, told = page.get_by_test_id("reason"), page.get_by_test_id("reason-told")
    expect(box).to_be_visible()
    assert not asked
    box.locator("summary").click()
    expect(told).to_contain_text("conservation error")
    words = told.inner_text()
    found = re.search(r"blurred: ([\d.-]+) where relevance.* ([\d.-]+) at random", words)
    assert found
    assert float(found[1]) < float(found[2]) - 1
    with page.expect_response(lambda r: r.url.endswith("/reason")):
        do.choose_another_thresholder(page)
    expect(told).to_contain_text("conservation error")
    assert len(asked) == 2
    box.locator("summary").click()
    do.upload(page, INTACT)
    do.show(page, INTACT.name)  # no heatmap: nothing to explain
    expect(box).to_be_hidden()
    assert len(asked) == 2
