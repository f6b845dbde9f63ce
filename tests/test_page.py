"""The page in a real browser, and its API by gradio_client."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import lrpseg
from lrpseg.domains import assets_folder
from lrpseg.segmenter import Segmenter
from lrpseg.ui import actions, launch
from tests.browser_support import chromium

SAMPLES = assets_folder() / "samples"
DAMAGED, INTACT = SAMPLES / "3-several.png", SAMPLES / "4-intact.png"

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    demo = launch(block=False, device="cpu")
    yield demo.local_url
    demo.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(address)
    page.wait_for_selector("#upload input[type=file]", state="attached")
    yield page
    context.close()


def upload(page: Page, path: Path) -> None:
    page.set_input_files("#upload input[type=file]", str(path))


def expect_verdict(page: Page, word: str) -> None:
    expect(page.locator("#verdict h3")).to_contain_text(f"{word}, probability", timeout=60_000)


def covered_pixels(page: Page) -> int:
    text = page.locator("#covered").inner_text()
    return (
        0 if "empty" in text else int(text.split("covers ")[1].split(" pixels")[0].replace(",", ""))
    )


def set_threshold(page: Page, value: str) -> None:
    field = page.locator("#threshold input[type=number]")
    field.fill(value)
    field.press("Enter")
    field.blur()


def downloaded(page: Page, folder: Path) -> np.ndarray:
    with page.expect_download() as download:
        page.locator("#download").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    with Image.open(path) as image:
        assert (image.format, image.mode) == ("PNG", "L")
        return np.asarray(image)


def test_upload_threshold_download(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    inner = Segmenter._run
    monkeypatch.setattr(Segmenter, "_run", lambda *a: (runs.append(1), inner(*a))[1])
    upload(page, DAMAGED)
    expect_verdict(page, "Damaged")
    expect(page.locator("#heatmap img")).to_be_visible()
    expect(page.locator("#mask img")).to_be_visible()
    result = lrpseg.load("magnetic-tile", device="cpu")(DAMAGED)
    before = len(runs)
    expect(page.locator("#covered")).to_contain_text("covers")
    assert np.array_equal(downloaded(page, tmp_path) > 0, result.mask)

    shown = page.locator("#mask img").get_attribute("src")
    set_threshold(page, "0.05")
    expect(page.locator("#mask img")).not_to_have_attribute("src", shown or "")
    expected = result.at(0.05)
    expect(page.locator("#covered")).to_contain_text(f"{np.count_nonzero(expected):,} pixels")
    values = downloaded(page, tmp_path)
    assert set(np.unique(values)) <= {0, 255}
    assert np.array_equal(values > 0, expected)

    page.locator("#thresholder input").click()
    page.get_by_role("option", name="Beta mixture", exact=True).click()
    bmm = np.count_nonzero(result.using("bmm").mask)
    expect(page.locator("#covered")).to_contain_text(f"{bmm:,} pixels")
    assert len(runs) == before  # LRP ran for the upload (and for this test's own result) alone


def test_another_rule_set_changes_the_heatmap(page: Page) -> None:
    upload(page, DAMAGED)
    expect_verdict(page, "Damaged")
    shown = page.locator("#heatmap img").get_attribute("src") or ""
    page.locator("#rule-set").get_by_text("LRP Montavon").click()
    expect(page.locator("#heatmap img")).not_to_have_attribute("src", shown, timeout=60_000)
    shown = page.locator("#heatmap img").get_attribute("src") or ""
    page.locator("#colormap").get_by_text("Positive", exact=True).click()
    expect(page.locator("#heatmap img")).not_to_have_attribute("src", shown, timeout=60_000)


def test_a_sample_is_one_click(page: Page) -> None:
    page.locator("#samples button.thumbnail-item, #samples .thumbnail-lg").first.click()
    expect_verdict(page, "Damaged")
    assert covered_pixels(page) > 0


def test_a_sample_brings_its_domain(page: Page) -> None:
    page.locator("#samples").get_by_text("concrete crack").click()
    expect_verdict(page, "Damaged")
    expect(page.locator("#domain input")).to_have_value("Concrete: surface cracks")
    expect(page.locator("#network input")).to_have_value("VGG-A one FC")
    page.locator("#network input").click()
    page.get_by_role("option", name="VGG-A 128N").click()
    expect(page.locator("#network input")).to_have_value("VGG-A 128N")
    expect_verdict(page, "Damaged")


def test_an_intact_picture_keeps_its_mask_empty_until_asked(page: Page) -> None:
    upload(page, INTACT)
    expect_verdict(page, "Intact")
    expect(page.locator("#verdict")).to_contain_text("left empty")
    assert covered_pixels(page) == 0
    page.locator("#anyway").click()
    expect(page.locator("#verdict")).to_contain_text("comes nearest to damage", timeout=60_000)
    expect(page.locator("#covered")).to_contain_text("covers")


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n broken"])
def test_a_file_that_is_no_picture_says_so(page: Page, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    upload(page, path)
    toast = page.locator(".toast-body")
    expect(toast).to_be_visible(timeout=30_000)
    text = toast.inner_text()
    assert "Traceback" not in text
    assert "empty" in text or "not an image" in text or "damaged" in text


def test_the_api_gives_what_the_core_gives(address: str) -> None:
    client = Client(address, verbose=False)
    probability, hot, mask = client.predict(
        handle_file(str(DAMAGED)), "magnetic-tile", "one-fc", "montavon", "simple", None, False,
        api_name="/segment",
    )  # fmt: skip
    result = lrpseg.load("magnetic-tile", rule_set="montavon", thresholder="simple", device="cpu")(
        DAMAGED
    )
    assert probability == pytest.approx(result.probability, abs=1e-5)
    assert Image.open(hot).size == Image.open(DAMAGED).size
    values = np.asarray(Image.open(mask).convert("L"))
    assert set(np.unique(values)) <= {0, 255}
    same = ((values > 0) & result.mask).sum() / ((values > 0) | result.mask).sum()
    assert same > 0.99


def test_api_errors_say_what_to_do(address: str) -> None:
    client = Client(address, verbose=False)
    with pytest.raises(AppError, match="Choose one of"):
        client.predict(handle_file(str(DAMAGED)), "moon", api_name="/segment")


def test_visitors_at_once_get_their_own_results(address: str) -> None:
    """Eight visitors with mixed settings, each compared with a run of its own."""
    jobs = [
        (path, rule_set, thresholder)
        for path in (DAMAGED, SAMPLES / "1-blowhole.png")
        for rule_set in ("ours", "montavon")
        for thresholder in ("simple", "bmm")
    ]

    def visit(job: tuple[Path, str, str]) -> np.ndarray:
        path, rule_set, thresholder = job
        answer = Client(address, verbose=False).predict(
            handle_file(str(path)), "magnetic-tile", "one-fc", rule_set, thresholder, None, False,
            api_name="/segment",
        )  # fmt: skip
        return np.asarray(Image.open(answer[2]).convert("L")) > 0

    with ThreadPoolExecutor(len(jobs)) as pool:
        found = list(pool.map(visit, jobs))
    for (path, rule_set, thresholder), mask in zip(jobs, found, strict=True):
        alone = lrpseg.load(
            "magnetic-tile", rule_set=rule_set, thresholder=thresholder, device="cpu"
        )(path).mask
        assert (mask & alone).sum() / (mask | alone).sum() > 0.99, (
            path.name,
            rule_set,
            thresholder,
        )


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a/b/tile 1.jpg", "tile_1"),
        ("..\\..\\evil.png", "evil"),
        ("../../etc/passwd", "passwd"),
        ("Größe.tif", "Größe"),
        ("...", "mask"),
        ("<script>.png", "script"),
        ("x" * 300 + ".png", "x" * 100),
    ],
)
def test_names_of_downloads_are_safe(name: str, stem: str) -> None:
    assert actions.safe_stem(name) == stem
