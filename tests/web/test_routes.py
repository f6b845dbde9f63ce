"""The routes that the editor talks to, without a browser: what is answered to odd requests."""

import asyncio
import gzip
import threading
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.testclient import TestClient

from lrpseg.app.service import Service
from lrpseg.app.views import LevelCache, analysis_name
from lrpseg.core.errors import DiskFullError, LrpsegError
from lrpseg.web import bodies, routes
from lrpseg.workspace import Limits, Sessions, UnavailableError, Workspace
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


@pytest.mark.parametrize("error", [DiskFullError, UnavailableError])
def test_a_stroke_that_cannot_be_stored_now_is_to_be_sent_again(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, error: type[LrpsegError]
) -> None:
    """What is refused with 4.. is dropped by the page: nothing that was drawn may be."""

    def full(*args: object) -> None:
        raise error("The disk is full.")

    monkeypatch.setattr(Workspace, "patch_corrections", full)
    answer = browser.post("corrections", params=STROKE, content=b"\x01\x02")
    assert (answer.status_code, answer.json()) == (507, {"error": "The disk is full."})


def test_bodies_are_unpacked_beside_the_loop_that_answers_everybody(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack, read = bodies.unpacked, bodies.read
    threads: dict[str, int] = {}

    def watched(body: bytes, limit: int) -> bytes:
        threads["unpacks"] = threading.get_ident()
        return unpack(body, limit)

    async def reads(request: Request, limit: int) -> bytes:
        threads["loop"] = threading.get_ident()
        return await read(request, limit)

    monkeypatch.setattr(bodies, "unpacked", watched)
    monkeypatch.setattr(bodies, "read", reads)
    packed = gzip.compress(bytes([1, 2]))
    headers = {"content-encoding": "gzip"}
    found = browser.post("corrections", params=STROKE, content=packed, headers=headers)
    assert found.status_code == 200, found.text
    assert browser.workspace.corrections(browser.id)[1, 1:3].tolist() == [1, 2]
    assert threads["unpacks"] != threads["loop"]


def asked(
    browser: Browser, path: str, headers: dict[str, str], receive: Callable[[], Awaitable[Any]]
) -> tuple[int, str]:
    """(status, body) of a POST whose own body is what `receive` gives, part by part."""
    address, _, query = path.partition("?")
    scope = {
        "type": "http", "method": "POST", "path": f"/lrpseg/items/{address}", "root_path": "",
        "query_string": query.encode(),
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }  # fmt: skip
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    asyncio.run(browser.client.app(scope, receive, send))  # type: ignore[arg-type]
    return said[0]["status"], b"".join(m.get("body", b"") for m in said[1:]).decode()


@pytest.mark.parametrize("what", ["corrections?x=1&y=1&w=2&h=1", "settings", "choice", "anyway"])
@pytest.mark.parametrize("case", ["token", "item"])
def test_no_body_is_read_before_token_and_picture_are_known(
    browser: Browser, what: str, case: str
) -> None:
    async def receive() -> Any:
        raise AssertionError("the body was read")

    headers = browser.headers if case == "item" else {routes.TOKEN: "wrong"}
    id = browser.id if case == "token" else "nobody"
    status, said = asked(browser, f"{id}/{what}", headers, receive)
    assert status == {"token": 401, "item": 404}[case], said


@pytest.mark.parametrize(
    "place", ["x=49&y=0&w=2&h=1", "x=0&y=0&w=99999&h=99999", "x=0&y=0&w=0&h=0"]
)
def test_no_body_is_read_for_a_stroke_beside_the_picture(browser: Browser, place: str) -> None:
    async def receive() -> Any:
        raise AssertionError("the body was read")

    status, said = asked(browser, f"{browser.id}/corrections?{place}", browser.headers, receive)
    assert status == 400
    assert "does not fit" in said


@pytest.mark.parametrize("told", [True, False], ids=["told", "counted"])
@pytest.mark.parametrize("what", ["corrections?x=0&y=0&w=50&h=40", "settings", "choice"])
def test_a_body_is_read_no_further_than_it_may_be(browser: Browser, what: str, told: bool) -> None:
    reads: list[int] = []

    async def receive() -> Any:
        reads.append(1)
        return {"type": "http.request", "body": b"\0" * 60_000, "more_body": True}

    headers = browser.headers | ({"content-length": "10000000"} if told else {})
    status, said = asked(browser, f"{browser.id}/{what}", headers, receive)
    assert status == 413
    assert "too large" in said
    assert len(reads) <= (0 if told else 2)


def test_what_is_packed_is_unpacked_no_further_than_the_picture(browser: Browser) -> None:
    headers = {"content-encoding": "gzip"}
    bomb = gzip.compress(bytes(2_000_000))
    for what, place in (("corrections", STROKE), ("settings", {})):
        found = browser.post(what, params=place, content=bomb, headers=headers)
        assert found.status_code == 413
        assert "too large" in found.json()["error"]
    tracemalloc.start()
    with pytest.raises(bodies.BodyError):
        bodies.unpacked(gzip.compress(bytes(20_000_000)), 1000)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    with pytest.raises(bodies.BodyError, match="gzip member"):  # nor many small ones
        bodies.unpacked(gzip.compress(b"") * 3, 1000)
    assert most < 21_000_000  # the zeros to pack, and not once more
    assert not browser.workspace.corrections(browser.id).any()


def test_a_body_that_does_not_come_is_not_waited_for(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def receive() -> Any:
        await asyncio.Event().wait()

    for name in ("PART_SECONDS", "BODY_SECONDS"):
        with monkeypatch.context() as patch:
            patch.setattr(bodies, name, 0.01)
            status, said = asked(browser, f"{browser.id}/settings", browser.headers, receive)
        assert status == 408
        assert "too slowly" in said


def test_who_goes_away_meanwhile_is_no_error_of_ours(
    browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    asked(browser, f"{browser.id}/settings", browser.headers, receive)
    assert not caplog.records


def test_other_packings_are_told(browser: Browser) -> None:
    found = browser.post("settings", content=b"{}", headers={"content-encoding": "br"})
    assert found.status_code == 415
    assert "gzip" in found.json()["error"]


@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(b"\1\2")[:-6], gzip.compress(b"\1\2")[:-8] + b"\xff" * 8],
    ids=["plain", "cut", "damaged"],
)
def test_a_damaged_body_is_told(browser: Browser, body: bytes) -> None:
    headers = {"content-encoding": "gzip"}
    found = browser.post("corrections", params=STROKE, content=body, headers=headers)
    assert found.status_code == 400
    assert "damaged" in found.json()["error"]
    assert not browser.workspace.corrections(browser.id).any()


@pytest.mark.parametrize(
    "body",
    [
        "[1]", "no json", "[" * 99_000, '{"a":' * 10_000 + "1" + "}" * 10_000, '{"level": NaN}',
        '{"seconds": Infinity}', '{"seconds": 1e999}', '{"status": "\\ud800"}', b"\xff\xfe\xfd",
        '{"level": ' + "9" * 5000 + "}",
    ],
    ids=range(10),
)  # fmt: skip
def test_settings_are_a_json_object(browser: Browser, body: str | bytes) -> None:
    found = browser.post("settings", content=body)
    assert found.status_code == 400
    assert "JSON object" in found.json()["error"]


@pytest.mark.parametrize("level", [-1, 10_000, "3", 1.5, True, None])
def test_a_level_is_one_of_those_that_there_are(browser: Browser, level: object) -> None:
    analysis = analysis_name(browser.workspace.item(browser.id))
    found = browser.post("settings", json={"level": level, "analysis": analysis})
    assert found.status_code == 400
    assert browser.workspace.item(browser.id).threshold is None


@pytest.mark.parametrize("value", [1e30, "text", True, -1, 1.5, None, [1]])
@pytest.mark.parametrize("name", ["min_area", "max_hole", "seconds"])
def test_numbers_are_numbers(browser: Browser, name: str, value: object) -> None:
    if name == "seconds" and value in (-1, 1.5):
        value = {}
    before = browser.workspace.item(browser.id)
    found = browser.post("settings", json={name: value})
    assert found.status_code == 400
    assert found.json()["error"].endswith(".")
    assert browser.workspace.item(browser.id) == before


@pytest.mark.parametrize("value", ["1e30", "NaN", "inf", "true", "", "1_0", "١", "-1", "1.5", " 1"])
@pytest.mark.parametrize("name", [*"xywh", "seconds"])
def test_numbers_in_an_address_are_numbers(browser: Browser, name: str, value: str) -> None:
    if name == "seconds" and value in ("-1", "1.5", "1_0", " 1"):
        value = "x"
    found = browser.post("corrections", params=STROKE | {name: value}, content=b"\1\1")
    assert found.status_code == 400
    assert "number" in found.json()["error"]
    assert not browser.workspace.corrections(browser.id).any()


def test_a_choice_is_yes_or_no(browser: Browser) -> None:
    found = browser.post("choice", json={"explain_intact": "false"})
    assert found.status_code == 400
    assert "true or false" in found.json()["error"]


def test_an_error_of_ours_is_logged_without_what_was_sent(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("secret\nERROR forged")

    monkeypatch.setattr(routes.commands, "correct", broken)
    found = browser.post("corrections", params=STROKE, content=b"\1\1")
    assert found.status_code == 500
    assert "Try again" in found.json()["error"]
    assert "in broken" in caplog.text
    assert "ValueError" in caplog.text
    for word in ("secret", "forged", browser.headers[routes.TOKEN]):
        assert word not in caplog.text


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
