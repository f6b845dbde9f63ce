"""The load of the soak suite in its short form: clients beside two tabs that draw."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests import page_support as do
from tests.narrow import narrow_tiles
from tests.soak import load
from tests.soak.rows import Plan

pytestmark = pytest.mark.browser


def test_maps_are_those_of_one_user_and_no_stroke_is_lost(browser: Browser, tmp_path: Path) -> None:
    plan, ws = Plan(seed=0, seconds=0, short=True, folder=tmp_path), tmp_path / "ws"
    with narrow_tiles(tmp_path / "assets"), do.running(ws) as page:
        rows = load.use(plan, browser, page.url, ws)
    assert not [failure for row in rows for failure in row.failures]
