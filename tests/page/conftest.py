"""A browser, and a hosted page where each test is a visitor with a workspace of its own."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from lrpseg.ui.launch import Page as RunningPage
from tests import page_support as do
from tests.browser_support import chromium
from tests.page_support import DAMAGED


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    with do.running(tmp_path_factory.mktemp("visitors"), hosted=True) as page:
        yield page


@pytest.fixture
def page(browser: Browser, running: RunningPage) -> Iterator[Page]:
    """An empty workspace."""
    with do.opened(browser, running.url) as window:
        yield window


@pytest.fixture
def damaged(page: Page) -> Page:
    """`page` with the damaged sample open."""
    do.upload(page, DAMAGED)
    do.show(page, DAMAGED.name)
    return page
