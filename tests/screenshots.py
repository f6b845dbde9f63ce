"""Takes the README's pictures of the page: `python -m tests.screenshots`."""

import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from tests import page_support as do
from tests.browser_support import chromium

OUT = Path(__file__).parent.parent / "docs" / "images"


def save(page: Page, name: str) -> None:
    """The page as it is seen, with a palette: a clone should stay small."""
    page.wait_for_timeout(1000)  # the last fade-in
    with Image.open(io.BytesIO(page.screenshot())) as image:
        image.convert("RGB").quantize(255, dither=Image.Dither.NONE).save(
            OUT / f"{name}.png", optimize=True
        )
    print(f"written: {OUT / name}.png")


def main() -> None:
    """Work on all samples as a person would, and save what is seen."""
    OUT.mkdir(parents=True, exist_ok=True)
    samples = sorted(do.SAMPLES.glob("*.png"))
    with (
        tempfile.TemporaryDirectory() as folder,
        do.running(Path(folder)) as running,
        chromium() as browser,
    ):
        with do.opened(browser, running.url) as page:
            do.upload(page, *(p for p in samples if "concrete" not in p.name))
            for sample in samples:
                if "concrete" not in sample.name:
                    do.ready(page, sample.name)
            do.show(page, "1-blowhole.png")
            page.keyboard.press("Enter")
            do.show(page, "3-several.png")
            page.keyboard.press("b")
            for _ in range(3):
                page.keyboard.press("[")
            do.stroke(page, (238, 205), (236, 214), (236, 222))
            do.saved(page)
            save(page, "page")
            page.get_by_role("tab", name="Compare").click()
            page.locator("#compare").click()
            expect(page.locator("#compare-line")).to_contain_text("IoU")
            page.locator("#compare-right-mask img").wait_for()
            save(page, "compare")
        with do.opened(browser, running.url, color_scheme="dark") as page:
            do.show(page, "3-several.png")
            page.get_by_test_id("mode").select_option("heatmap")
            page.wait_for_function("document.querySelector('.colourbar:not([hidden])')")
            save(page, "page-dark")


if __name__ == "__main__":
    main()
