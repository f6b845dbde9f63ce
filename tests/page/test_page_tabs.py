"""Several tabs on one workspace: each shows what others did, and confirms only what it showed."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from lrpseg.ui.launch import Page as RunningPage
from tests import page_support as do
from tests.page_support import DAMAGED

pytestmark = pytest.mark.browser
LOOKS = re.compile(r"/lrpseg/items\?since=\d")


@pytest.fixture
def tabs(browser: Browser, home: RunningPage) -> Iterator[tuple[Page, Page]]:
    """Two tabs that show the same new picture."""
    with do.opened(browser, home.url) as first, do.opened(browser, home.url) as second:
        do.upload(first, DAMAGED)
        do.show(first, DAMAGED.name)
        do.visit(second, home.url)
        do.show(second, DAMAGED.name)
        yield first, second


def badge(page: Page, words: str) -> None:
    expect(page.get_by_test_id(f"thumb-{DAMAGED.name}").locator(".badge")).to_contain_text(words)


def wait_for_drawing(page: Page) -> None:
    page.wait_for_function("document.querySelector('.lrpseg').lrpseg.corrections().some(c => c)")


def test_a_tab_shows_what_another_one_did(tabs: tuple[Page, Page]) -> None:
    first, second = tabs
    do.stroke(first, (40, 200), (90, 200))
    do.slide(first, "threshold", 12)
    do.slide(first, "min-area", 40)
    wanted = do.mask(first)
    wait_for_drawing(second)
    expect(second.get_by_test_id("threshold")).to_have_value("12")
    expect(second.get_by_test_id("min-area-value")).to_have_text(
        first.get_by_test_id("min-area-value").text_content() or ""
    )
    assert np.array_equal(do.mask(second), wanted)
    badge(second, "edited")


def test_a_mask_that_was_never_shown_is_not_accepted(
    tabs: tuple[Page, Page], home: RunningPage
) -> None:
    first, second = tabs
    second.route(LOOKS, lambda route: route.abort())  # it has not looked yet
    do.stroke(first, (40, 200), (90, 200))
    do.saved(first)
    assert not do.corrections(second).any()
    second.keyboard.press("Enter")
    expect(second.get_by_role("alert")).to_contain_text("changed elsewhere meanwhile")
    wait_for_drawing(second)
    assert np.array_equal(do.mask(second), do.mask(first))
    badge(second, "edited")
    second.keyboard.press("Enter")  # now it was seen
    badge(second, "accepted")
    do.saved(second)
    (item,) = home.service.sessions.open()[1].items()
    assert item.status == "accepted"


def test_ones_own_changes_do_not_stand_in_the_way_of_accepting(
    tabs: tuple[Page, Page], home: RunningPage
) -> None:
    page, _ = tabs
    do.stroke(page, (40, 200), (90, 200))
    do.slide(page, "threshold", 12)
    do.slide(page, "max-hole", 40)
    do.stroke(page, (40, 180), (90, 180))
    page.get_by_test_id("canvas").focus()
    page.keyboard.press("Enter")
    do.saved(page)
    expect(page.get_by_test_id("saved")).to_contain_text("saved")
    (item,) = home.service.sessions.open()[1].items()
    assert item.status == "accepted"
