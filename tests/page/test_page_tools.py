"""The editor's tools in a real browser: what each does to the mask, and that all can be undone."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from scipy import ndimage

from lrpseg.ui.launch import Page as RunningPage
from tests import page_support as do
from tests.page_support import DAMAGED, INTACT

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("damaged")]


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


def test_undo_takes_an_open_polygons_last_corner_before_any_step(page: Page) -> None:
    do.stroke(page, (100, 100), (140, 100))
    before = do.corrections(page)
    page.keyboard.press("p")
    for corner in [*square(30, 180, 70, 220), (200, 100)]:
        page.mouse.click(*do.at(page, *corner))
    page.keyboard.press("Control+z")
    assert np.array_equal(do.corrections(page), before)
    page.keyboard.press("Enter")
    added = (do.corrections(page) == 1) & (before == 0)
    assert added[182:218, 32:68].all()
    assert not added[:170].any()
    page.mouse.click(*do.at(page, 30, 180))
    page.keyboard.press("Control+z")  # the only corner: nothing is open any more
    page.keyboard.press("Control+z")
    assert np.array_equal(do.corrections(page), before)


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


def test_undo_gives_back_the_status_of_before_the_step(page: Page, running: RunningPage) -> None:
    badge = page.get_by_test_id(f"thumb-{DAMAGED.name}").locator(".badge")
    token = page.evaluate("localStorage.getItem('lrpseg-workspace')")

    def status() -> str:
        do.saved(page)
        (item,) = running.service.sessions.get(token).items()
        return item.status

    do.stroke(page, (40, 200), (90, 200))
    expect(badge).to_contain_text("edited")
    page.keyboard.press("Control+z")
    expect(badge).to_contain_text("to do")
    assert status() == "todo"
    page.keyboard.press("Enter")
    accepted = do.mask(page)
    steps = [
        lambda: do.stroke(page, (40, 200), (90, 200)), lambda: do.slide(page, "threshold", 12),
    ]  # fmt: skip
    for step in steps:
        step()
        expect(badge).to_contain_text("edited")
        page.get_by_test_id("canvas").focus()
        page.keyboard.press("Control+z")
        expect(badge).to_contain_text("accepted")
        assert status() == "accepted"
        assert np.array_equal(do.mask(page), accepted)
    page.keyboard.press("Control+Shift+z")
    expect(badge).to_contain_text("edited")
    assert status() == "edited"


def test_undo_waits_for_the_return_to_a_picture(page: Page) -> None:
    do.upload(page, INTACT)
    do.ready(page, INTACT.name)
    expect(page.get_by_test_id("name")).to_have_text(INTACT.name)  # it opens by itself
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
    for name in names:  # z opens before the others are there
        page.get_by_test_id(f"thumb-{name}").wait_for()
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
