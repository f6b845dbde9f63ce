"""The routes that the editor talks to, without a browser: what is answered to odd requests."""

import gzip
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from lrpseg.app.service import Service
from lrpseg.app.views import LevelCache, analysis_name
from lrpseg.web import routes
from lrpseg.workspace import Limits, Sessions, Workspace
from tests.workspace_support import analysed


class Sleeping:
    """An analyser that never does anything."""

    def wake(self, workspace: Workspace) -> None:
        pass


@dataclass
class Browser:
    """Asks about one analysed picture."""

    client: TestClient
    workspace: Workspace
    id: str
    headers: dict[str, str]

    def post(self, what: str, **given: object):  # type: ignore[no-untyped-def]
        headers = {**self.headers, **given.pop("headers", {})}  # type: ignore[dict-item]
        return self.client.post(f"/lrpseg/items/{self.id}/{what}", headers=headers, **given)


@pytest.fixture
def browser(tmp_path: Path, only_toy: None) -> Iterator[Browser]:
    sessions = Sessions(tmp_path)
    token, workspace = sessions.open()
    service = Service(sessions, Sleeping(), Limits(), LevelCache())  # type: ignore[arg-type]
    with TestClient(Starlette(routes=routes.make_routes(service))) as client:
        yield Browser(client, workspace, analysed(workspace).id, {routes.TOKEN: token})


STROKE = {"x": 1, "y": 1, "w": 2, "h": 1}


def test_bodies_are_unpacked_beside_the_loop_that_answers_everybody(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack, answer = routes._unpacked, routes._body
    threads: dict[str, int] = {}

    def watched(body: bytes) -> bytes:
        threads["unpacks"] = threading.get_ident()
        return unpack(body)

    async def read(request: object) -> bytes:
        threads["loop"] = threading.get_ident()
        return await answer(request)  # type: ignore[arg-type]

    monkeypatch.setattr(routes, "_unpacked", watched)
    monkeypatch.setattr(routes, "_body", read)
    packed = gzip.compress(bytes([1, 2]))
    headers = {"content-encoding": "gzip"}
    found = browser.post("corrections", params=STROKE, content=packed, headers=headers)
    assert found.status_code == 200, found.text
    assert browser.workspace.corrections(browser.id)[1, 1:3].tolist() == [1, 2]
    assert threads["unpacks"] != threads["loop"]


@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(b"\1\2")[:-6], gzip.compress(b"\1" * 100)[:20] + b"\xff" * 9],
    ids=["plain", "cut", "damaged"],
)
def test_a_damaged_body_is_told(browser: Browser, body: bytes) -> None:
    headers = {"content-encoding": "gzip"}
    found = browser.post("corrections", params=STROKE, content=body, headers=headers)
    assert found.status_code == 400
    assert "damaged" in found.json()["error"]
    assert not browser.workspace.corrections(browser.id).any()


@pytest.mark.parametrize("body", ["[1]", "no json", "[" * 100_000])
def test_settings_are_a_json_object(browser: Browser, body: str) -> None:
    found = browser.post("settings", content=body)
    assert found.status_code == 400
    assert "JSON object" in found.json()["error"]


@pytest.mark.parametrize("level", [-1, 10_000, "3", 1.5, True, None])
def test_a_level_is_one_of_those_that_there_are(browser: Browser, level: object) -> None:
    analysis = analysis_name(browser.workspace.item(browser.id))
    found = browser.post("settings", json={"level": level, "analysis": analysis})
    assert found.status_code == 400
    assert browser.workspace.item(browser.id).threshold is None


def test_a_level_of_another_map_is_refused(browser: Browser) -> None:
    found = browser.post("settings", json={"level": 1, "analysis": "of before"})
    assert found.status_code == 409
    assert "changed meanwhile" in found.json()["error"]


def test_what_nobody_saw_is_not_accepted(browser: Browser) -> None:
    revision = browser.workspace.item(browser.id).revision
    accepted = {"status": "accepted", "shown": {"revision": revision - 1}}
    assert browser.post("settings", json=accepted).status_code == 409
    assert browser.workspace.item(browser.id).status == "todo"
    accepted["shown"] = {"revision": revision}
    answer = browser.post("settings", json=accepted).json()
    assert (answer["status"], answer["writes"]) == ("accepted", 1)


def test_without_the_token_nothing_is_told(browser: Browser) -> None:
    for headers in ({}, {routes.TOKEN: "x"}):
        found = browser.client.get(f"/lrpseg/items/{browser.id}", headers=headers)
        assert found.status_code == 401
