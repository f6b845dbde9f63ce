"""The keyboard after the mouse: keys act on the picture, whatever was clicked before."""

import pytest
from playwright.sync_api import Page, expect

from tests import page_support as do
from tests.page_support import DAMAGED, INTACT

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("damaged")]


@pytest.mark.parametrize("button", ["tool-eraser", "undo", "next"])
def test_enter_accepts_after_a_click_on_a_button(page: Page, button: str) -> None:
    do.upload(page, INTACT)
    do.show(page, INTACT.name)
    do.show(page, DAMAGED.name)
    do.stroke(page, (40, 200), (90, 200))
    page.get_by_test_id(button).click()
    name = INTACT.name if button == "next" else DAMAGED.name
    page.wait_for_function(
        "name => document.querySelector('.lrpseg').lrpseg.item.name === name", arg=name
    )
    page.keyboard.press("Enter")
    badge = page.get_by_test_id(f"thumb-{name}").locator(".badge")
    expect(badge).to_contain_text("accepted")


def test_who_presses_a_button_by_keyboard_stays_on_it(page: Page) -> None:
    page.get_by_test_id("tool-eraser").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("tool-eraser")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_test_id("tool-eraser")).to_be_focused()
    expect(page.get_by_test_id("count")).to_have_text("0 of 1 accepted")


def test_keys_act_on_the_picture_after_a_choice_of_what_is_shown(page: Page) -> None:
    for name, value in (("mode", "heatmap"), ("colormap", "positive"), ("sort", "certainty")):
        page.get_by_test_id(name).focus()
        page.get_by_test_id(name).select_option(value)
        expect(page.get_by_test_id("canvas")).to_be_focused()
    page.keyboard.press("e")
    expect(page.get_by_test_id("tool-eraser")).to_have_attribute("aria-pressed", "true")


def test_a_hidden_mask_says_so_and_comes_back_when_drawing_starts(page: Page) -> None:
    note = page.get_by_test_id("mask-hidden")
    expect(note).to_be_hidden()
    page.keyboard.press("h")
    expect(note).to_have_text("The mask is hidden: H shows it")
    expect(note).to_be_visible()
    page.keyboard.press("h")
    expect(note).to_be_hidden()
    page.keyboard.press("h")
    do.stroke(page, (40, 200), (90, 200))
    expect(note).to_be_hidden()
