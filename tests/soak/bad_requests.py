"""Requests that are wrong in themselves: bodies, numbers, logins, sites, tokens, and too many."""

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from tests.soak.visitor import RefusedError
from tests.soak.world import LOGIN, SECRET, World, refused, says
from tests.workspace_support import picture

ROUTES = (
    ("GET", ""), ("GET", "/view"), ("GET", "/thumbnail"), ("GET", "/heatmap"), ("GET", "/levels"),
    ("GET", "/corrections"), ("GET", "/truth"), ("GET", "/reason"),
    ("POST", "/corrections?x=0&y=0&w=1&h=1"), ("POST", "/settings"), ("POST", "/choice"),
    ("POST", "/anyway"), ("DELETE", ""),
)  # fmt: skip
NUMBERS = ("1e30", "-1e30", "NaN", "Infinity", '"0.5"', "true", "[]", "9" * 5000)
DEEP = ("[" * 90_000, '{"a":' * 15_000, "[" * 45_000 + "]" * 45_000)
HALF = "\\ud800"
"""A lone surrogate, as JSON can write it."""

TICK = 0.3
"""Seconds between two looks for workspaces that are too old, and between two at the clock."""


def large_bodies(world: World) -> int:
    """Bodies that are larger than they may be, whether they say so or not."""
    tried = 0
    place = {"x": 0, "y": 0, "w": world.shape[1], "h": world.shape[0]}
    for what, size in (("settings", 200_000), ("choice", 200_000), ("corrections", 2_000_000)):
        for counted in (False, True):
            body = _parts(size) if counted else bytes(size)
            params = place if what == "corrections" else {}
            path = f"items/{world.id}/{what}"
            refused(world.visitor.ask("POST", path, params=params, content=body), 413)
            tried += 1
    for path in ("gradio_api/queue/join", "gradio_api/call/add_image", "login"):
        told = {"Content-Length": str(10**10)}
        assert _raw(world, path, told, b"").startswith(b"HTTP/1.1 413"), path
        tried += 1
    return tried


def _parts(size: int) -> Iterator[bytes]:
    for _ in range(0, size, 10_000):
        yield bytes(10_000)


def _raw(world: World, path: str, headers: dict[str, str], body: bytes) -> bytes:
    """The first bytes of the answer to a POST that httpx would not send like that."""
    parts = urlsplit(world.url)
    cookies = "; ".join(f"{k}={v}" for k, v in world.visitor.http.cookies.items())
    given = {"Host": parts.netloc, "Cookie": cookies, "X-Lrpseg-Workspace": world.visitor.token}
    lines = [f"POST /{path} HTTP/1.1", *(f"{k}: {v}" for k, v in (given | headers).items())]
    with socket.create_connection((str(parts.hostname), parts.port), 300) as sent:
        sent.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        return sent.recv(1000)


def slow_bodies(world: World) -> int:
    """Bodies that do not come: nobody waits for them for ever."""

    def send(_: int) -> None:
        path = f"lrpseg/items/{world.id}/settings"
        answer = _raw(world, path, {"Content-Length": "100"}, b"{")
        assert answer.startswith(b"HTTP/1.1 408"), answer

    with ThreadPoolExecutor(8) as pool:
        return len(list(pool.map(send, range(8))))


def packed_bodies(world: World) -> int:
    """Deflate that is damaged, or that unpacks to more than there is room for."""
    whole = gzip.compress(bytes(9))
    packed = [
        b"no gzip", whole[:-6], whole[:-8] + b"\xff" * 8, whole * 2, whole[:12] + b"\xff" * 40,
        gzip.compress(bytes(30_000_000)),
    ]  # fmt: skip
    for body in packed:
        for what in ("settings", "corrections?x=0&y=0&w=9&h=1"):
            path, headers = f"items/{world.id}/{what}", {"Content-Encoding": "gzip"}
            answer = world.visitor.ask("POST", path, content=body, headers=headers)
            refused(answer, 400, 413)
    other = {"Content-Encoding": "br"}
    refused(world.visitor.ask("POST", f"items/{world.id}/settings", content=b"{}", headers=other))
    return 2 * len(packed) + 1


def deep_json(world: World) -> int:
    """Brackets in brackets in brackets."""
    for body in DEEP:
        refused(world.visitor.ask("POST", f"items/{world.id}/settings", content=body), 400)
        refused(world.visitor.ask("POST", f"items/{world.id}/choice", content=body), 400)
        for path in ("call/list_images", "queue/join", "call/add_image"):
            sent = {"content": body, "headers": {"Content-Type": "application/json"}}
            answer = world.visitor.http.post(f"gradio_api/{path}", **sent)
            assert 400 <= answer.status_code < 500, f"{path}: {answer.status_code} {body[:9]}"
    return 5 * len(DEEP)


def many_large(world: World) -> int:
    """Eight at once that store 1.7 MB each, and eight that send as much JSON."""
    height, width = world.shape
    place = {"x": 0, "y": 0, "w": width, "h": height}
    path = f"items/{world.id}/corrections"

    def draw(number: int) -> None:
        body = bytes([number % 3]) * (height * width)
        answer = world.visitor.ask("POST", path, params=place, content=body)
        assert answer.status_code == 200, answer.text

    def call(number: int) -> None:
        says(world.visitor, "add_image", world.visitor.token, SECRET, "A" * 1_700_000, "", "", "",
             "", "")  # fmt: skip

    for work in (draw, call):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
    return 16


def logged_out(world: World) -> int:
    """Without the login, with a wrong one, and with cookies of nobody."""
    tried = 0
    with world.outsider() as client:
        for cookie in ("", "access-token=x", "access-token-unsecure=x; session=y"):
            headers = {"X-Lrpseg-Workspace": world.visitor.token, "Cookie": cookie}
            for method, path in world.some(ROUTES):
                answer = client.request(method, f"lrpseg/items/{world.id}{path}", headers=headers)
                refused(answer, 401)
                tried += 1
            for path in ("config", "gradio_api/info", "gradio_api/queue/data?session_hash=x"):
                assert client.get(path, headers=headers).status_code == 401, path
        told = {"X-Forwarded-For": "203.0.113.7"}  # so that nobody else has to wait
        for _ in range(8):
            wrong = LOGIN | {"password": "wrong"}
            refused(client.post("login", data=wrong, headers=told), 400)
        refused(client.post("login", data=LOGIN | {"password": "x" * 100_000}), 400, 413)
    return tried + 3 * 3 + 9


def foreign(world: World) -> int:
    """Tokens of nobody, ids of somebody else, and paths for ids."""
    tried, visitor = 0, world.visitor
    ids = ("..", "../../etc/passwd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "\0", "a" * 5000, "' OR 1=1")
    for method, path in world.some(ROUTES):
        sent: dict[str, Any] = {"content": b"{}"} if method == "POST" else {}
        refused(visitor.ask(method, f"items/{world.foreign}{path}", **sent), 404)
        for token in ("", "x", world.foreign, visitor.token[:-1], visitor.token.lower()):
            refused(visitor.ask(method, f"items/{world.id}{path}", token=token, **sent), 401)
            tried += 1
    for id in ids:
        try:
            answer = visitor.ask("GET", f"items/{id}/view".replace("\0", "%00"))
        except Exception as error:  # httpx refuses it itself
            raise AssertionError(f"{id}: {error}") from error
        assert 400 <= answer.status_code < 500, f"{id}: {answer.status_code}"
        assert "root:" not in answer.text
    for endpoint, more in (("get_mask", ("",)), ("delete_image", ()), ("set_status", ("todo",))):
        for id in (world.foreign, *world.some(ids)):
            says(visitor, endpoint, visitor.token, id, *more)
            tried += 1
    for path in ("/etc/passwd", "../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "."):
        answer = visitor.http.get(f"gradio_api/file={path}")
        assert 400 <= answer.status_code < 500, f"{path}: {answer.status_code}"
    return tried + len(world.some(ROUTES)) + len(ids) + 4


def other_sites(world: World) -> int:
    """Names that are not the page's, and pages of other sites that ask."""
    tried = 0
    for headers in (
        {"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example"}, {"Host": ""},
        {"Host": "x" * 3000}, {"Origin": "https://evil.example"}, {"Origin": "null"},
        {"Origin": "http://localhost:1"}, {"Origin": "http://[", "Sec-Fetch-Site": "cross-site"},
    ):  # fmt: skip
        for path in ("lrpseg/items", "config", "gradio_api/info", "login", ""):
            given = {"X-Lrpseg-Workspace": world.visitor.token} | headers
            answer = world.visitor.http.get(path, headers=given)
            assert answer.status_code in (400, 403), f"{headers}: {answer.status_code}"
            tried += 1
    return tried


def numbers(world: World) -> int:
    """1e30, NaN, Infinity, text, yes and lists where a number is asked for."""
    tried, token, id = 0, world.visitor.token, world.id
    for value in world.some(NUMBERS):
        for name in ("level", "min_area", "max_hole", "seconds"):
            body = f'{{"{name}": {value}}}'
            path = f"items/{id}/settings"
            if (name, value) != ("seconds", '"0.5"'):  # that is how an address says it
                refused(world.visitor.ask("POST", path, content=body), 400, 409)
        for name in ("x", "y", "w", "h", "seconds"):
            place = {"x": 0, "y": 0, "w": 1, "h": 1} | {name: value}
            path = f"items/{id}/corrections"
            refused(world.visitor.ask("POST", path, params=place, content=b"\1"), 400)
        for endpoint, rest in (
            ("set_threshold", f'{value}, ""'), ("set_cleaning", f'{value}, 0, ""'),
            ("set_cleaning", f'0, {value}, ""'),
        ):  # fmt: skip
            body = f'{{"data": ["{token}", "{id}", {rest}]}}'
            says(world.visitor, endpoint, body=body)
        tried += 12
    return tried


def half_characters(world: World) -> int:
    """Lone surrogates in names, tokens, ids and settings."""
    token, id = world.visitor.token, world.id
    bodies = {
        "open_workspace": None,
        "add_image": f'["{token}", "{HALF}.png", "iVBO", "magnetic-tile", "", "", "", ""]',
        "list_images": f'["{HALF}"]',
        "get_mask": f'["{token}", "{HALF}", ""]',
        "set_status": f'["{token}", "{id}", "{HALF}"]',
        "set_settings": f'["{token}", "{id}", "{HALF}", "", "", "", ""]',
        "export": f'["{token}", "{HALF}"]',
        "import_mask_file": f'["{token}", "{HALF}", "iVBO", "", "", "", false]',
    }
    for endpoint, data in bodies.items():
        if data is not None:
            says(world.visitor, endpoint, body=f'{{"data": {data}}}')
    for body in (f'{{"status": "{HALF}"}}', f'{{"{HALF}": 1}}'):
        refused(world.visitor.ask("POST", f"items/{id}/settings", content=body), 400)
    return len(bodies) + 1


def full_queue(world: World) -> int:
    """258 calls of one visitor who does not wait for any: two more than the queue holds."""
    visitor, calls = world.visitor, 8 if world.plan.short else 258
    given = visitor.uploaded(picture(0, (224, 224)))
    body = json.dumps(
        {"data": [given, "magnetic-tile", "one-fc", "", "simple", None, True, "none"]}
    )
    begun: list[str] = []
    for _ in range(calls):
        try:
            begun.append(visitor.begin("segment", body))
        except RefusedError as error:
            if error.status not in (429, 503):
                raise
    for event in begun:
        visitor.answer("segment", event)
    return calls


def many_workspaces(world: World) -> int:
    """500 workspaces that one visitor opens, and leaves empty."""
    calls = 6 if world.plan.short else 500
    for _ in range(calls):
        assert world.visitor.call("open_workspace", "")
    assert world.visitor.ask("GET", "items").status_code == 200
    return calls


def jumping_clock(world: World) -> int:
    """The system's clock goes 30 years ahead, then back behind today: no workspace is too old."""
    jumps = (1e9, -1e9, 0.0)
    for ahead in jumps:
        (world.plan.folder / "ahead").write_text(str(ahead))
        time.sleep(3 * TICK)
        for visitor, id in ((world.visitor, world.id), (world.stranger, world.foreign)):
            assert visitor.ask("GET", f"items/{id}").status_code == 200, f"gone after {ahead:+} s"
    return len(jumps)


CASES: dict[str, Callable[[World], int]] = {
    "large bodies": large_bodies,
    "slow bodies": slow_bodies,
    "packed bodies": packed_bodies,
    "deep JSON": deep_json,
    "eight at once of 1.7 MB": many_large,
    "no login, or a wrong one": logged_out,
    "foreign ids, tokens and paths": foreign,
    "other names and sites": other_sites,
    "what is no number": numbers,
    "half characters": half_characters,
    "a full queue": full_queue,
    "many workspaces": many_workspaces,
    "a clock that jumps": jumping_clock,
}
