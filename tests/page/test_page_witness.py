"""A domain with a witness on the page: what is doubtful comes first, and all stays in reach."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from lrpseg.ui.launch import Page as RunningPage
from lrpseg.witness.verdict import Verdict
from tests import page_support as do
from tests.narrow import narrow_tiles
from tests.page_support import DAMAGED, INTACT
from tests.small_witness import give_witness

AGAINST = Verdict(alone=(1.0, -1000.0), together=(10.0, 0.0, -5.0))
"""The witness calls all intact, and the network decides."""


@pytest.fixture(scope="module")
def witnessed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    assets = tmp_path_factory.mktemp("assets")
    with narrow_tiles(assets):
        give_witness(assets / "magnetic-tile", AGAINST)
        with do.running(tmp_path_factory.mktemp("visitors"), hosted=True) as page:
            yield page


def test_what_is_doubtful_comes_first_and_says_so(browser: Browser, witnessed: RunningPage) -> None:
    with do.opened(browser, witnessed.url) as page:
        do.upload(page, INTACT, DAMAGED)
        do.show(page, DAMAGED.name)
        do.ready(page, INTACT.name)
        thumb = page.get_by_test_id(f"thumb-{DAMAGED.name}")
        expect(thumb).to_contain_text("doubtful")
        expect(page.get_by_test_id(f"thumb-{INTACT.name}")).not_to_contain_text("doubtful")
        page.get_by_test_id("sort").select_option("certainty")
        names = page.locator("[data-testid^=thumb-]").evaluate_all(
            "es => es.map(e => e.dataset.testid)"
        )
        assert names == [f"thumb-{DAMAGED.name}", f"thumb-{INTACT.name}"]
        # Without the witness nothing is doubtful.
        menu = page.locator("#witness input")
        menu.click()
        page.get_by_role("option", name="None").click()
        expect(thumb).not_to_contain_text("doubtful")


def test_what_both_see_can_be_looked_at(browser: Browser, witnessed: RunningPage) -> None:
    with do.opened(browser, witnessed.url) as page:
        do.upload(page, DAMAGED)
        do.show(page, DAMAGED.name)
        assert do.item(page)["evidence"] is True
        canvas = page.get_by_test_id("canvas")
        canvas.focus()
        for mode in ("heatmap", "evidence"):
            with page.expect_response(lambda r: "heatmap?" in r.url) as got:
                page.keyboard.press("v")
            assert ("of=evidence" in got.value.url) == (mode == "evidence")
            expect(page.get_by_test_id("mode")).to_have_value(mode)
            expect(page.locator(".colourbar")).to_be_visible()
        for mode in ("mask", "picture"):
            page.keyboard.press("v")
            expect(page.get_by_test_id("mode")).to_have_value(mode)
        # Without a witness there is no more to see than the heatmap.
        page.get_by_test_id("mode").select_option("evidence")
        page.locator("#witness input").click()
        page.get_by_role("option", name="None").click()
        expect(page.get_by_test_id("mode")).to_have_value("heatmap")
        assert do.item(page)["evidence"] is False


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (820, 1180)])
def test_everything_is_in_reach_beside_one_more_menu(
    browser: Browser, witnessed: RunningPage, width: int, height: int
) -> None:
    with do.opened(browser, witnessed.url) as page:
        page.set_viewport_size({"width": width, "height": height})
        do.upload(page, DAMAGED)
        do.show(page, DAMAGED.name)
        expect(page.locator("#witness")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for name in ("tool-brush", "canvas", "accept", f"thumb-{DAMAGED.name}"):
            box = page.get_by_test_id(name).bounding_box()
            assert box is not None
            assert box["y"] >= 0, name
            assert box["y"] + box["height"] <= height, name
