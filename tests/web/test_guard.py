"""What a request passes before the page: with logins, below a path, and from other sites."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from lrpseg.core.errors import OptionError
from lrpseg.ui import launch
from lrpseg.ui.launch import Page, make_address
from lrpseg.ui.tools import let_tools_in
from lrpseg.web.guard import Guard, below, clean_root
from lrpseg.web.sites import Sites
from tests.narrow import narrow_tiles
from tests.page_support import DAMAGED
from tests.workspace_support import SETTINGS, picture


@pytest.fixture(scope="module", autouse=True)
def _narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with narrow_tiles(tmp_path_factory.mktemp("assets")):
        yield


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page with a login."""
    page = launch(
        block=False, device="cpu", workspace=tmp_path_factory.mktemp("ws"), auth=["anna:secret"],
        host="127.0.0.1",
    )  # fmt: skip
    yield page
    page.stop()


@pytest.fixture(scope="module")
def below_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page that is offered at /lrpseg, the name that its own routes begin with."""
    page = launch(
        block=False, device="cpu", workspace=tmp_path_factory.mktemp("ws"), root_path="/lrpseg/"
    )
    yield page
    page.stop()


def visitor(page: Page, **headers: str) -> httpx.Client:
    return httpx.Client(base_url=page.url, timeout=180, headers=headers)


def log_in(client: httpx.Client, password: str = "secret") -> httpx.Response:
    return client.post("login", data={"username": "anna", "password": password})


# ----------------------------------------------------------------------------------------- logins


def test_a_token_alone_opens_nothing(locked: Page) -> None:
    token, workspace = locked.service.sessions.open()
    id = workspace.add("a.png", picture(), replace(SETTINGS, domain="magnetic-tile")).id
    with visitor(locked, **{"X-Lrpseg-Workspace": token}) as client:
        for method, path in (("GET", "items"), ("GET", f"items/{id}"), ("DELETE", f"items/{id}")):
            answer = client.request(method, f"lrpseg/{path}")
            assert answer.status_code == 401
            assert "Reload the page" in answer.json()["error"]
        assert client.get("lrpseg/items", cookies={"access-token": "x"}).status_code == 401
        assert log_in(client).status_code == 200
        assert client.get("lrpseg/items").json()["items"][0]["id"] == id
        assert client.get("lrpseg/items", headers={"X-Lrpseg-Workspace": ""}).status_code == 401
        client.get("logout", follow_redirects=False)
        assert client.get("lrpseg/items").status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "gradio_api/mcp/schema"), ("POST", "gradio_api/mcp/"), ("GET", "gradio_api/mcp"),
        ("POST", "gradio_api/cancel"), ("POST", "gradio_api/reset"), ("GET", "gradio_api/info"),
        ("POST", "gradio_api/queue/join"), ("POST", "gradio_api/upload"),
        ("POST", "gradio_api/call/open_workspace"), ("GET", "gradio_api/heartbeat/x"),
        ("GET", "gradio_api/startup-events/../info"), ("GET", "config"),
    ],
)  # fmt: skip
def test_without_a_login_nothing_of_the_page_is_reached(
    locked: Page, method: str, path: str
) -> None:
    with visitor(locked) as client:
        content = b"[" * 1000 if method == "POST" else None  # a body that nobody could read
        answer = client.request(method, path, content=content)
        assert answer.status_code == 401
        assert locked.service.sessions.open()[0] not in answer.text


def test_programs_log_in_too(locked: Page) -> None:
    client = Client(locked.url, auth=("anna", "secret"), verbose=False)
    token = client.predict("", api_name="/open_workspace")
    assert token == locked.service.sessions.open()[0]
    assert isinstance(client.predict(token, api_name="/list_images"), list)


def test_tools_of_mcp_ask_the_page_in_their_own_name(locked: Page) -> None:
    demo = locked.demo
    server = SimpleNamespace(_client_instance=None)
    asking = SimpleNamespace(mcp_server_obj=server, app=demo.app, local_url=demo.local_url)
    let_tools_in(asking)  # type: ignore[arg-type]
    token = locked.service.sessions.open()[0]
    assert server._client_instance.predict("", api_name="/open_workspace") == token


def test_mcp_clients_log_in_by_http_basic(locked: Page) -> None:
    with visitor(locked) as client:

        def asked(path: str, password: str) -> int:
            return client.post(path, json={}, auth=("anna", password)).status_code

        refused = client.post("gradio_api/mcp/", json={})
        assert refused.headers["www-authenticate"].startswith("Basic")
        assert asked("gradio_api/mcp/", "wrong") == 401
        assert asked("gradio_api/mcp/", "secret") != 401
        assert asked("gradio_api/mcps", "secret") == 401
        assert asked("gradio_api/queue/join", "secret") == 401  # a browser would send it by itself


def test_wrong_logins_are_slowed_down(locked: Page) -> None:
    headers = {"X-Forwarded-For": "203.0.113.9"}  # as a proxy on this computer tells it
    with visitor(locked, **headers) as client:
        told = [log_in(client, "wrong").json()["detail"] for _ in range(7)]
        assert told[:5] == ["Incorrect credentials."] * 5
        assert re.match(r"Too many wrong logins. Try again in \d+ s.", told[5])
        assert log_in(client).status_code == 400
    with visitor(locked) as elsewhere:
        assert log_in(elsewhere).status_code == 200


def test_a_login_is_short(locked: Page) -> None:
    with visitor(locked) as client:
        assert log_in(client, "x" * 1_000_000).status_code in (400, 413)


def test_logins_that_change_close_the_workspace_for_who_knew_its_token(tmp_path: Path) -> None:
    tokens = []
    for auth in (["anna:secret", "bob:pass"], ["anna:secret"]):
        page = launch(block=False, device="cpu", workspace=tmp_path, auth=auth)
        tokens.append(page.service.sessions.open()[0])
        page.stop()
    assert tokens[0] != tokens[1]


# ------------------------------------------------------------------------------------ other sites


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
    ],
    ids=str,
)
def test_other_sites_reach_neither_routes_nor_gradio(
    below_path: Page, headers: dict[str, str]
) -> None:
    token = below_path.service.sessions.open()[0]
    with visitor(below_path, **headers, **{"X-Lrpseg-Workspace": token}) as client:
        for path in ("", "config", "lrpseg/items", "gradio_api/info", "gradio_api/mcp/schema"):
            answer = client.get(path)
            assert answer.status_code == 403, path
            assert answer.json()["error"].strip()
        joined = client.post("gradio_api/call/open_workspace", json={"data": [""]})
        assert joined.status_code == 403
    with visitor(below_path) as client:
        assert client.get("gradio_api/info").status_code == 200


# ------------------------------------------------------------------------------------ below a path


@pytest.mark.parametrize("front", ["", "lrpseg/"], ids=["stripped", "as it came"])
def test_everything_works_below_a_path(below_path: Page, front: str) -> None:
    """nginx may take the path off or not; the page's own routes begin with its very name."""
    token = below_path.service.sessions.open()[0]
    given = {"X-Lrpseg-Workspace": token, "Host": "localhost:8443", "X-Forwarded-Proto": "https"}
    with visitor(below_path, **given) as client:
        page = client.get(front)
        assert page.status_code == 200
        config = client.get(f"{front}config").json()
        assert config["root"] == "https://localhost:8443/lrpseg"
        script = re.search(r"lrpseg/static/[0-9a-f]{16}/", str(config["components"]))
        assert script is not None
        found = client.get(f"{front}{script.group()}app.js")
        assert found.headers["content-type"].startswith("text/javascript")
        assert "items" in client.get(f"{front}lrpseg/items").json()
        assert client.get(f"{front}theme.css").status_code == 200
        for asset in set(re.findall(r'(?:src|href)="\./(assets/[^"]+)"', page.text)):
            assert client.get(front + asset).status_code == 200
        with DAMAGED.open("rb") as file:
            (path,) = client.post(f"{front}gradio_api/upload", files={"files": file}).json()
        assert client.get(f"{front}gradio_api/file={path}").content == DAMAGED.read_bytes()
        joined = client.post(f"{front}gradio_api/call/open_workspace", json={"data": [""]})
        event = joined.json()["event_id"]
        assert token in client.get(f"{front}gradio_api/call/open_workspace/{event}").text


def test_programs_work_below_a_path(below_path: Page) -> None:
    client = Client(below_path.url, verbose=False)
    token = client.predict("", api_name="/open_workspace")
    assert client.predict(token, api_name="/list_images") == []
    probability, _, mask = client.predict(handle_file(DAMAGED), api_name="/segment")
    assert probability > 0.5
    assert Path(mask).is_file()


def test_the_path_without_its_slash_leads_to_the_page(below_path: Page) -> None:
    with visitor(below_path) as client:
        answer = client.get("lrpseg", follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (307, "/lrpseg/")


def test_the_environment_names_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_ROOT_PATH", "https://a.example/masks/")
    address = make_address(None, None, hosted=False)
    assert (address.root_path, address.root) == ("https://a.example/masks", "/masks")
    assert address.sites.refusal("GET", {"host": "a.example"}) is None
    assert make_address(None, None, False, root_path="x").root == "/x"
    assert make_address(None, None, False, root_path="/").root_path == ""


@pytest.mark.parametrize(
    "path",
    ["ftp://x/y", "/a?b", "/a#b", "/a b", "http://[x", "https://", "/gradio_api", "/a\\b", "/?"],
)
def test_paths_that_are_none(path: str) -> None:
    with pytest.raises(OptionError, match="--root-path takes"):
        clean_root(path)


def test_paths_inside_of_the_page() -> None:
    for path, root, inside in (
        ("/masks/config", "/masks", "/config"), ("/config", "/masks", "/config"),
        ("/maskster", "/masks", "/maskster"), ("/lrpseg/items", "/lrpseg", "/lrpseg/items"),
        ("/lrpseg/lrpseg/items", "/lrpseg", "/lrpseg/items"), ("/a", "", "/a"),
        ("/lrpseg/static/img/a.svg", "/lrpseg", "/static/img/a.svg"),
    ):  # fmt: skip
        assert below(path, root) == inside


def test_no_body_is_read_of_who_is_logged_out() -> None:
    async def inner(*_: Any) -> None:
        raise AssertionError("the page was asked")

    async def receive() -> Any:
        raise AssertionError("the body was read")

    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    def nobody(_: HTTPConnection) -> bool:
        return False

    guard = Guard(inner, Sites(), nobody, "", 100)
    scope = {"type": "http", "method": "POST", "path": "/lrpseg/items/a/settings", "headers": []}
    asyncio.run(guard(scope, receive, send))
    assert said[0]["status"] == 401


@pytest.mark.parametrize("told", [True, False], ids=["told", "counted"])
@pytest.mark.parametrize(
    ("path", "most"), [("/gradio_api/queue/join", 50_000), ("/login", 20_000), ("/", 50_000)]
)
def test_no_body_is_read_to_its_end_that_is_too_large(path: str, most: int, told: bool) -> None:
    read: list[int] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        while True:
            read.append(len((await receive())["body"]))

    async def receive() -> Any:
        return {"type": "http.request", "body": bytes(10_000), "more_body": True}

    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    guard = Guard(inner, Sites(), lambda _: True, "", 50_000)
    headers = [(b"content-length", str(most + 1).encode())] if told else []
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
    if told:
        asyncio.run(guard(scope, receive, send))
        assert said[0]["status"] == 413
    else:
        with pytest.raises(HTTPException, match="too large"):
            asyncio.run(guard(scope, receive, send))
    assert sum(read) == (0 if told else most)


def test_uploads_have_a_limit_of_their_own() -> None:
    passed: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        passed.append(receive)

    async def nothing(*_: Any) -> Any:
        raise AssertionError

    guard = Guard(inner, Sites(), lambda _: True, "", 10)
    headers = [(b"content-length", b"1000000000")]
    scope = {"type": "http", "method": "POST", "path": "/gradio_api/upload", "headers": headers}
    asyncio.run(guard(scope, nothing, nothing))
    assert passed == [nothing]
