"""Domains that come and go while the page runs: `lrpseg learn` makes and removes them."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from lrpseg.domains import list_domains
from lrpseg.ui import choices
from lrpseg.ui.launch import Page as RunningPage
from tests import page_support as do
from tests.page_support import DAMAGED

TITLE = "Tiles, learned"


@pytest.fixture
def learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of learned domains, empty."""
    monkeypatch.setenv("LRPSEG_DOMAINS", str(tmp_path / "domains"))
    return tmp_path / "domains"


def add_version(learned: Path) -> Path:
    folder = learned / "magnetic-tile-v1"
    folder.mkdir(parents=True)
    entry = {"based_on": "magnetic-tile", "title": TITLE}
    (folder / "domain.json").write_text(json.dumps(entry))
    return folder


def test_choices_are_those_of_now(learned: Path) -> None:
    before = list_domains()
    assert [name for _, name in choices.domains()["choices"]] == before
    folder = add_version(learned)
    assert (TITLE, "magnetic-tile-v1") in choices.domains()["choices"]
    base = choices.networks("magnetic-tile")
    assert choices.networks("magnetic-tile-v1", "one-fc") == base | {"value": "one-fc"}
    assert choices.networks("magnetic-tile-v1", "no such") == base
    shutil.rmtree(folder)
    told = choices.domains("magnetic-tile-v1")
    assert told["value"] == "magnetic-tile-v1"
    assert told["choices"][-1] == ("magnetic-tile-v1 (no longer here)", "magnetic-tile-v1")
    assert [name for _, name in told["choices"][:-1]] == before
    assert choices.networks("magnetic-tile-v1", "128n")["choices"] == [("VGG-A 128N", "128n")]


def choose_domain(page: Page, title: str) -> None:
    page.locator("#domain input").click()
    page.get_by_role("option", name=title, exact=True).click()


@pytest.mark.browser
def test_a_picture_outlives_the_domain_that_it_was_made_with(
    browser: Browser, home: RunningPage, learned: Path, tmp_path: Path
) -> None:
    with do.opened(browser, home.url) as page:
        do.upload(page, DAMAGED)
        do.show(page, DAMAGED.name)
        folder = add_version(learned)
        page.reload()
        do.show(page, DAMAGED.name)
        choose_domain(page, TITLE)
        page.wait_for_function(
            "() => { const i = document.querySelector('.lrpseg').lrpseg.item;"
            " return i.choice.domain === 'magnetic-tile-v1' && i.levels"
            " && !['waiting', 'running'].includes(i.status) }"
        )
        do.stroke(page, (40, 200), (90, 200))
        do.saved(page)
        mask = do.mask(page)
        assert mask.any()

        shutil.rmtree(folder)
        page.reload()
        do.show(page, DAMAGED.name)
        expect(page.locator(".lrpseg")).to_contain_text("magnetic-tile-v1 is no longer here")
        expect(page.locator("#domain input")).to_have_value("magnetic-tile-v1 (no longer here)")
        assert np.array_equal(do.mask(page), mask)
        path = do.download(page, "#export", tmp_path)
        with zipfile.ZipFile(path) as held:
            (name,) = [n for n in held.namelist() if n.startswith("masks/")]
            with held.open(name) as file, Image.open(file) as image:
                assert np.array_equal(np.asarray(image) > 0, mask)

        shipped = page.evaluate("document.querySelector('.lrpseg').lrpseg.corrections()")
        choose_domain(page, choices.domains()["choices"][list_domains().index("magnetic-tile")][0])
        page.wait_for_function(
            "() => { const i = document.querySelector('.lrpseg').lrpseg.item;"
            " return i.choice.domain === 'magnetic-tile' && i.levels }"
        )
        after = page.evaluate("document.querySelector('.lrpseg').lrpseg.corrections()")
        assert after == shipped  # what was drawn stays
