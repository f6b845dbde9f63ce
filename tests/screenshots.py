"""Takes the README's pictures of the page: `python -m tests.screenshots`."""

from pathlib import Path

from lrpseg.domains import assets_folder
from lrpseg.ui import launch
from tests.browser_support import chromium

OUT = Path(__file__).parent.parent / "docs" / "images"
SAMPLE = "3-several.png"


def main() -> None:
    """Start the page, upload a sample as a visitor would, and save what is seen."""
    OUT.mkdir(parents=True, exist_ok=True)
    demo = launch(block=False)
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(demo.local_url)
        page.wait_for_selector("#upload input[type=file]", state="attached")
        page.set_input_files("#upload input[type=file]", str(assets_folder() / "samples" / SAMPLE))
        page.wait_for_selector("#verdict h3:has-text('probability')", timeout=120_000)
        page.wait_for_selector("#mask img")
        page.wait_for_timeout(1000)  # the last fade-in
        page.screenshot(path=OUT / "page.png")
    demo.close()
    print(f"written: {OUT / 'page.png'}")


if __name__ == "__main__":
    main()
