"""The editor's JavaScript: its unit tests in Node, the linter, and how a browser gets it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from lrpseg.ui.editor import STATIC, editor_route, editor_script
from lrpseg.web.static import fingerprint, read_scripts, script_route
from tests.js.check_types import find_node

ROOT = Path(__file__).parents[2]
SCRIPTS = read_scripts(STATIC)
IMPORT = re.compile(
    r'^(?:import|export) .*?from "(.+?)";$|^import "(.+?)";$|new URL\("(.+?)", import\.meta\.url\)',
    re.M,
)
"""What a script imports, or starts as a worker."""


def test_scripts_pass_their_unit_tests() -> None:
    tests = [str(p) for p in sorted((ROOT / "tests" / "js").glob("*.test.js"))]
    assert len(tests) >= 4
    done = subprocess.run([find_node(), "--test", *tests], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-5000:]
    assert "pass 0" not in done.stdout


def test_scripts_are_lint_free() -> None:
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "oxlint"),
            "--deny-warnings",
            "lrpseg/ui/static",
            "tests/js",
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_small_and_their_types_are_checked(name: str) -> None:
    lines = SCRIPTS[name].decode().splitlines()
    assert lines[0] == "// @ts-check"
    assert lines[1].startswith("// ")  # what it is for
    assert len(lines) <= 300
    assert max(map(len, lines)) <= 100


def test_every_script_is_loaded_by_the_first() -> None:
    """By `app.js` and what that imports, unless it holds types alone."""
    seen, todo = set(), ["app.js"]
    while todo:
        name = todo.pop()
        seen.add(name)
        for groups in IMPORT.findall(SCRIPTS[name].decode()):
            found = (STATIC / name).parent / next(filter(None, groups))
            path = found.resolve().relative_to(STATIC.resolve()).as_posix()
            assert path in SCRIPTS, f"{name} imports {path}"
            if path not in seen:
                todo.append(path)
    assert set(SCRIPTS) - seen == {"types.js"}


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=[editor_route()]))


def test_the_page_loads_scripts_that_its_route_serves(client: TestClient) -> None:
    script = editor_script()
    assert '"select"' in script  # Gradio finds the component's events by it
    (path,) = re.findall(r'new URL\("(.+?)", document\.baseURI\)', script)
    assert not path.startswith("/")  # below whatever root the page has
    for name, content in SCRIPTS.items():
        assert f'"{name}"' in script
        answer = client.get(f"/{path}{name}")
        assert answer.status_code == 200
        assert answer.content == content
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "address",
    [
        "{print}/editor.html", "{print}/../editor.py", "{print}/..%2feditor.py", "{print}/",
        "{print}/tools", "{print}/tools/../app.js.map", "0123456789abcdef/app.js", "app.js",
    ],
)  # fmt: skip
def test_nothing_else_is_served(client: TestClient, address: str) -> None:
    path = address.replace("{print}", fingerprint(SCRIPTS))
    answer = client.get(f"/lrpseg/static/{path}")
    assert answer.status_code == 404
    assert "immutable" not in answer.headers.get("cache-control", "")


def test_the_address_changes_with_every_name_and_byte() -> None:
    versions: list[dict[str, bytes]] = [
        {"a.js": b"1"}, {"a.js": b"2"}, {"b.js": b"1"}, {"a.js": b"1", "b.js": b""},
        {"a.js": b"", "b.js": b"1"}, {},
    ]  # fmt: skip
    assert len({fingerprint(scripts) for scripts in versions}) == len(versions)
    assert fingerprint({"b": b"1", "a": b"2"}) == fingerprint({"a": b"2", "b": b"1"})
    first = TestClient(Starlette(routes=[script_route({"a.js": b"1"})]))
    assert first.get(f"/lrpseg/static/{fingerprint({'a.js': b'1'})}/a.js").content == b"1"
    assert first.get(f"/lrpseg/static/{fingerprint({'a.js': b'2'})}/a.js").status_code == 404
