"""Folders on the page: pictures of the same name in two of them are told apart."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.page_support import DAMAGED


@pytest.mark.browser
def test_pictures_of_a_chosen_folder_keep_its_folders(page: Page, tmp_path: Path) -> None:
    for place in ("east", "west"):
        (tmp_path / "photos" / place).mkdir(parents=True)
        (tmp_path / "photos" / place / "1.png").write_bytes(DAMAGED.read_bytes())
    page.set_input_files("input[type=file][webkitdirectory]", str(tmp_path / "photos"))
    for place in ("east", "west"):
        name = f"thumb-photos/{place}/1.png"
        expect(page.get_by_test_id(name)).to_be_attached()
    expect(page.locator(".thumb")).to_have_count(2)


DROP = """async (names) => {
  const data = new DataTransfer();
  const entry = (path) => ({
    isFile: true, isDirectory: false, fullPath: path,
    file: (done) => done(new File([new Uint8Array(8)], path.split("/").pop())),
  });
  const event = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data });
  Object.defineProperty(event, "dataTransfer", { value: {
    types: ["Files"], files: [],
    items: names.map((name) => ({ webkitGetAsEntry: () => entry(name) })),
  } });
  document.body.dispatchEvent(event);
}"""


@pytest.mark.browser
def test_dropped_files_keep_their_folders(page: Page) -> None:
    page.evaluate(DROP, ["/belt/a/x.png", "/belt/b/x.png"])
    for place in ("a", "b"):
        expect(page.get_by_test_id(f"thumb-belt/{place}/x.png")).to_be_attached()
