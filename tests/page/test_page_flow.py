"""The page in a real browser: what a person does, compared with NumPy to the pixel."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import lrpseg
from lrpseg.app.commands import settings_of
from lrpseg.masks.corrections import apply, clean
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.results import Result
from lrpseg.ui.launch import Page as RunningPage
from tests import page_support as do
from tests.page_support import DAMAGED, INTACT, SAMPLES

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def alone() -> Result:
    """What the core says of the damaged sample."""
    return lrpseg.load("magnetic-tile", device="cpu")(DAMAGED)


def test_upload_threshold_export(page: Page, alone: Result, tmp_path: Path) -> None:
    do.upload(page, DAMAGED)
    do.show(page, DAMAGED.name)
    expect(page.get_by_test_id("verdict")).to_contain_text("Damaged, p")
    assert np.array_equal(do.mask(page), alone.mask)
    levels = do.item(page)["levels"]
    for level in (3, len(levels) // 2, len(levels) - 1):
        do.slide(page, "threshold", level)
        assert np.array_equal(do.mask(page), alone.at(levels[level]))
    do.slide(page, "threshold", 9)
    do.slide(page, "min-area", 60)
    do.slide(page, "max-hole", 60)
    do.saved(page)
    path = do.download(page, "#mask-file", tmp_path)
    with Image.open(path) as image:
        assert (image.format, image.mode) == ("PNG", "L")
        values = np.asarray(image)
    assert set(np.unique(values)) <= {0, 255}
    info = do.item(page)
    min_area, max_hole = page.evaluate(
        "['min-area', 'max-hole'].map(n => parseInt(document.querySelector("
        "`[data-testid=${n}-value]`).textContent))"
    )
    assert np.array_equal(values > 0, clean(alone.at(info["levels"][9]), min_area, max_hole))
    assert np.array_equal(values > 0, do.mask(page))


@pytest.mark.parametrize("ratio", [1, 2])
def test_draw_undo_threshold_again_and_reload(
    browser: Browser, running: RunningPage, alone: Result, ratio: int
) -> None:
    with do.opened(browser, running.url, ratio) as page:
        do.upload(page, DAMAGED)
        do.show(page, DAMAGED.name)
        page.keyboard.press("b")
        do.stroke(page, (40, 200), (90, 200))
        added = do.corrections(page)
        assert (added[200, 40:91] == 1).all()
        assert not (added == 2).any()
        page.keyboard.press("e")
        do.stroke(page, (60, 190), (60, 210))
        both = do.corrections(page)
        assert both[200, 60] == 2
        page.keyboard.press("Control+z")
        assert np.array_equal(do.corrections(page), added)
        page.keyboard.press("Control+Shift+z")
        assert np.array_equal(do.corrections(page), both)
        do.slide(page, "threshold", 20)
        value = do.item(page)["levels"][20]
        assert np.array_equal(do.mask(page), apply(alone.at(value), both))
        page.get_by_test_id("tool-add").click()
        for corner in ((150, 20), (190, 20), (190, 40), (150, 40)):
            page.mouse.click(*do.at(page, *corner))
        page.keyboard.press("Enter")
        drawn = do.corrections(page)
        assert (drawn[22:38, 152:188] == 1).all()
        do.saved(page)
        page.reload()
        do.show(page, DAMAGED.name)
        assert np.array_equal(do.corrections(page), drawn)
        assert np.array_equal(do.mask(page), apply(alone.at(value), drawn))
        expect(page.get_by_test_id(f"thumb-{DAMAGED.name}").locator(".badge")).to_contain_text(
            "edited"
        )


def test_strokes_stay_when_thresholder_or_rules_change(
    page: Page, running: RunningPage, alone: Result, runs: list[object]
) -> None:
    running.samples.wait()  # they would be counted too
    do.upload(page, DAMAGED)
    do.show(page, DAMAGED.name)
    do.stroke(page, (40, 200), (60, 200))
    drawn, before = do.corrections(page), len(runs)
    thresholder = do.choose_another_thresholder(page)
    assert np.array_equal(do.mask(page), apply(alone.using(thresholder).mask, drawn))
    assert len(runs) == before  # no LRP for another thresholder
    shown = do.item(page)["analysis"]
    page.locator("#rule-set input").click()
    page.get_by_role("option", name="LRP Montavon").click()
    page.wait_for_function(
        "was => { const i = document.querySelector('.lrpseg').lrpseg.item;"
        " return i.analysis !== was && i.levels && i.status === 'edited' }",
        arg=shown,
    )
    kept = {"network": alone.settings.network, "refiner": alone.settings.refiner}
    other = lrpseg.load(
        "magnetic-tile", rule_set="montavon", thresholder=thresholder, device="cpu", **kept
    )
    assert np.array_equal(do.mask(page), apply(other(DAMAGED).mask, drawn))


def test_precision_and_recall_sliders_move_the_threshold(page: Page) -> None:
    do.upload(page, DAMAGED)
    do.show(page, DAMAGED.name)
    points = lrpseg.load_operating_points("magnetic-tile")
    for name, least, point in (
        ("recall", 90, points.at_recall(0.9)), ("precision", 55, points.at_precision(0.55)),
    ):  # fmt: skip
        do.slide(page, name, least)
        levels = np.array(do.item(page)["levels"])
        chosen = levels[int(page.get_by_test_id("threshold").input_value())]
        assert abs(chosen - point.threshold) == np.abs(levels - point.threshold).min()
    expect(page.get_by_test_id("expect")).to_contain_text("33 validation crops of 6 regions")
    do.slide(page, "precision", 99)
    expect(page.get_by_test_id("expect")).to_contain_text("No threshold reaches a precision of 99")
    assert page.locator("[data-testid=curve] circle.chosen").count() == 1


def test_an_intact_picture_keeps_its_mask_empty_until_asked(page: Page) -> None:
    do.upload(page, INTACT)
    do.show(page, INTACT.name)
    expect(page.get_by_test_id("verdict")).to_contain_text("mask left empty")
    assert not do.mask(page).any()
    page.get_by_test_id("anyway").click()
    expect(page.get_by_test_id("verdict")).to_contain_text("nearest to damage")
    assert do.mask(page).any()


def test_many_pictures_in_a_zip_with_one_that_cannot_be_read(page: Page, tmp_path: Path) -> None:
    archive = tmp_path / "batch.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in (DAMAGED, INTACT):
            file.write(path, f"belt 3/{path.name}")
        file.writestr("belt 3/broken.png", b"no picture")
        Image.new("L", (60, 40), 90).save(tmp_path / "small.png")  # another size
        file.write(tmp_path / "small.png", "small.png")
    do.upload(page, archive)
    do.ready(page, "belt 3/broken.png", "failed")
    do.ready(page, "small.png")
    do.show(page, f"belt 3/{DAMAGED.name}")
    big = do.mask(page).shape
    page.keyboard.press("d")
    page.wait_for_function(
        "was => document.querySelector('.lrpseg').lrpseg.item.name !== was",
        arg=f"belt 3/{DAMAGED.name}",
    )
    do.show(page, "small.png")
    assert do.mask(page).shape == (40, 60) != big
    do.stroke(page, (5, 5), (20, 20))
    assert (do.corrections(page)[5:20, 5:20].diagonal() == 1).all()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("count")).to_have_text("1 of 4 accepted")
    page.get_by_test_id("thumb-belt 3/broken.png").click()
    expect(page.get_by_test_id("verdict")).to_contain_text("not an image")


def test_truth_gives_the_pictures_own_figures(page: Page, alone: Result) -> None:
    do.upload(page, DAMAGED)
    do.show(page, DAMAGED.name)
    page.locator("#more button").first.click()
    truth = SAMPLES / "truth" / DAMAGED.name
    page.set_input_files("#more input[type=file] >> nth=0", str(truth))
    expect(page.get_by_test_id("own-figures")).to_contain_text("This picture: precision")
    with Image.open(truth) as image:
        true = np.asarray(image.convert("L")) > 0
    iou = (true & alone.mask).sum() / (true | alone.mask).sum()
    expect(page.get_by_test_id("own-figures")).to_contain_text(f"IoU {iou:.2f}")
    assert page.locator("[data-testid=curve] polyline.own-curve").count() == 1


def test_a_sample_brings_its_domain(page: Page) -> None:
    page.locator("#samples").get_by_text("concrete crack").click()
    do.show(page, "samples/7-concrete-crack.png")
    expect(page.get_by_test_id("verdict")).to_contain_text("Damaged")
    expect(page.locator("#domain input")).to_have_value("Concrete: surface cracks")
    best = settings_of("concrete-crack").network
    expect(page.locator("#network input")).to_have_value(NETWORKS[best].title)


def test_everything_in_one_zip_with_provenance(page: Page, tmp_path: Path) -> None:
    do.upload(page, DAMAGED, INTACT)
    do.ready(page, INTACT.name)
    do.show(page, DAMAGED.name)
    do.stroke(page, (40, 200), (60, 200))
    do.saved(page)
    final = do.mask(page)
    with zipfile.ZipFile(do.download(page, "#export", tmp_path)) as archive:
        names = set(archive.namelist())
        with archive.open("masks/3-several.png") as file, Image.open(file) as image:
            assert np.array_equal(np.asarray(image) > 0, final)
        told = json.loads(archive.read("provenance/3-several.json"))
    assert names == {
        f"{folder}/{p.stem}.{suffix}"
        for folder, suffix in (("masks", "png"), ("overlays", "png"), ("provenance", "json"))
        for p in (DAMAGED, INTACT)
    }
    assert told["final_pixels"] == final.sum()
    assert told["added_pixels"] + told["automatic_pixels"] - told["removed_pixels"] == final.sum()
    assert 0 < told["iou"] < 1
    assert len(told["image_sha256"]) == len(told["weights_sha256"]) == 64


def test_compare_two_settings_side_by_side(page: Page) -> None:
    do.upload(page, DAMAGED)
    do.show(page, DAMAGED.name)
    page.get_by_role("tab", name="Compare").click()
    page.locator("#compare").click()
    expect(page.locator("#compare-line")).to_contain_text("IoU of the two masks")
    expect(page.locator("[id^=compare-right] img, [id^=compare-left] img")).to_have_count(4)


def test_keys_are_silent_while_typing(page: Page) -> None:
    do.upload(page, DAMAGED)
    do.show(page, DAMAGED.name)
    page.keyboard.press("e")
    page.locator("#network input").click()
    page.keyboard.press("b")
    expect(page.get_by_test_id("tool-eraser")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    page.get_by_test_id("canvas").focus()
    page.keyboard.press("?")
    expect(page.get_by_test_id("keys")).to_be_visible()


def test_no_scrolling_at_1440x900(page: Page) -> None:
    do.upload(page, DAMAGED)
    do.show(page, DAMAGED.name)
    height, width = page.evaluate(
        "[document.documentElement.scrollHeight, document.documentElement.scrollWidth]"
    )
    assert height <= 900
    assert width <= 1440
    box = page.get_by_test_id(f"thumb-{DAMAGED.name}").bounding_box()
    assert box is not None and box["y"] + box["height"] <= 900  # noqa: PT018
