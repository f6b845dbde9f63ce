"""A browser, a hosted page where each test is a visitor with a workspace of its own, and one's own
page, where all tabs see one workspace. All start once; the networks' results are remembered.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from lrpseg.app.analyser import Segmenters
from lrpseg.ui.launch import Page as RunningPage
from lrpseg.workspace import reading
from tests import page_support as do
from tests.browser_support import chromium
from tests.page_support import DAMAGED


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="package", autouse=True)
def _few_in_memory() -> Iterator[None]:
    """Servers keep little of what was looked at last: they live as long as all of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_CACHE_BYTES", 40_000_000)
        yield


@pytest.fixture(scope="package")
def running(
    segmenters: Segmenters, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningPage]:
    """A hosted page."""
    with do.running(tmp_path_factory.mktemp("visitors"), segmenters, hosted=True) as page:
        yield page


@pytest.fixture(scope="package")
def running_at_home(
    segmenters: Segmenters, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningPage]:
    with do.running(tmp_path_factory.mktemp("ws"), segmenters) as page:
        yield page


@pytest.fixture
def home(running_at_home: RunningPage) -> RunningPage:
    """One's own page, whose workspace is empty."""
    workspace = running_at_home.service.sessions.open()[1]
    for item in workspace.items():
        workspace.delete(item.id)
    return running_at_home


@pytest.fixture
def runs(segmenters: Segmenters, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The pictures that results were asked for, from now on."""
    asked: list[object] = []
    inner = segmenters.steps
    monkeypatch.setattr(segmenters, "steps", lambda *a: (asked.append(a[0]), inner(*a))[1])
    return asked


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
