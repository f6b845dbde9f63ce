"""What a hosted page needs: the Space's files, a lent GPU, logins, and endpoints for MCP."""

import importlib
import runpy
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import torch

import lrpseg.ui
from lrpseg.app import spaces
from lrpseg.app.analyser import Segmenters
from lrpseg.core.errors import OptionError
from lrpseg.models.checkpoints import save_checkpoint
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.results import Result
from lrpseg.ui import launch as start
from lrpseg.ui.launch import default_folder, on_space, parse_auth
from lrpseg.workspace import Workspace
from tests.page_support import DAMAGED, running
from tests.workspace_support import SETTINGS, picture, result

ROOT = Path(__file__).parents[2]


def test_a_space_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert not on_space()
    monkeypatch.setenv("SPACE_ID", "someone/lrpseg")
    assert on_space()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "lrpseg" / "workspace"


def test_app_py_takes_the_options_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, Any]] = []
    monkeypatch.setattr(lrpseg.ui, "launch", lambda **given: started.append(given))
    monkeypatch.setattr(sys, "argv", ["app.py"])
    runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
    assert started == [{}]  # as on a Space, where the environment says where to listen
    given = ["--root-path", "/masks", "--site", "https://a.example", "--site", "b.lan"]
    monkeypatch.setattr(sys, "argv", ["app.py", *given])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
    assert ended.value.code == 0
    assert started[1]["root_path"] == "/masks"
    assert started[1]["sites"] == ["https://a.example", "b.lan"]


@pytest.fixture
def lent_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A ZeroGPU Space, made up: the functions that it was asked to lend a GPU for."""
    asked: list[str] = []
    module = ModuleType("spaces")

    def gpu(fn: Callable) -> Callable:
        asked.append(fn.__name__)
        return fn

    module.GPU = gpu  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "spaces", module)
    monkeypatch.setenv("SPACES_ZERO_GPU", "1")
    yield asked
    monkeypatch.undo()
    importlib.reload(spaces)


def test_a_lent_gpu_is_asked_for(lent_gpu: list[str]) -> None:
    importlib.reload(spaces)
    assert lent_gpu == ["explain"]
    found = spaces.explain({"domain": "magnetic-tile", "network": "one-fc"}, DAMAGED, False)
    assert found.damaged


def test_a_lent_gpu_does_what_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def explain(choices: dict[str, Any], image: object, explain_intact: bool) -> Result:
        asked.append(choices)
        return result()

    monkeypatch.setenv("SPACES_ZERO_GPU", "1")
    monkeypatch.setattr(spaces, "explain", explain)
    chosen = replace(SETTINGS, start="logit", pooling="max")
    Segmenters("cpu").run(b"", chosen)
    wanted = {k: v for k, v in asdict(chosen).items() if k not in ("thresholder", "refiner")}
    assert asked == [wanted]


def test_weights_that_are_replaced_count_at_once(toy_assets: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(toy_assets / "toy", folder)
    settings = replace(SETTINGS, domain=str(folder))
    segmenters = Segmenters("cpu")
    first = segmenters.get(settings)
    assert segmenters.get(replace(settings, thresholder="bmm")) is first
    torch.manual_seed(5)
    save_checkpoint(NETWORKS["one-fc"].build(), folder / "one-fc.safetensors", "one-fc")
    assert segmenters.get(settings) is not first


def test_without_one_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert spaces.gpu(len) is len
    monkeypatch.setenv("SPACES_ZERO_GPU", "1")
    monkeypatch.setitem(sys.modules, "spaces", None)  # not installed
    assert spaces.gpu(len) is len


@pytest.mark.parametrize("pair", ["anna", ":", "anna:", ":secret"])
def test_logins_that_are_none(pair: str) -> None:
    with pytest.raises(OptionError, match="NAME:PASSWORD"):
        parse_auth([pair])


def test_a_login_guards_everything(only_toy: None, tmp_path: Path) -> None:
    assert parse_auth(["anna:a:b"]) == [("anna", "a:b")]
    assert parse_auth(None) is None
    page = start(block=False, device="cpu", workspace=tmp_path, auth=["anna:secret"])
    try:
        token = page.service.sessions.open()[0]
        with httpx.Client(base_url=page.url, timeout=180) as visitor:
            assert visitor.get("config").status_code == 401
            assert token not in visitor.get("").text
            wrong = visitor.post("login", data={"username": "anna", "password": "x"})
            assert wrong.status_code == 400
            right = visitor.post("login", data={"username": "anna", "password": "secret"})
            assert right.status_code == 200
    finally:
        page.stop()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"auth": ["foo"]}, "NAME:PASSWORD"),
        ({"port": 99999}, "1 to 65535"),
        ({"sites": ["ftp://x"]}, "--site takes"),
        ({"root_path": "/a?b"}, "--root-path takes"),
    ],
    ids=str,
)
def test_wrong_options_are_told_before_anything_starts(
    wrong: dict[str, Any], told: str, tmp_path: Path
) -> None:
    before = threading.active_count()
    with pytest.raises(OptionError, match=told):
        start(device="cpu", workspace=tmp_path / "ws", **wrong)
    assert threading.active_count() == before
    assert not (tmp_path / "ws").exists()


def test_a_port_that_is_taken_is_told_and_leaves_no_thread(only_toy: None, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        with pytest.raises(OptionError, match="Choose another --port"):
            start(port=port, device="cpu", workspace=tmp_path, block=False)
    left = set(threading.enumerate()) - before
    assert {"analyser", "samples"}.isdisjoint(t.name for t in left)


def test_waiting_pictures_are_analysed_before_anybody_opens_the_page(
    only_toy: None, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path)  # as `lrpseg annotate` leaves it for the page
    added = workspace.add("a.png", picture(), SETTINGS)
    with running(tmp_path):
        for _ in range(1800):
            if workspace.item(added.id).analysis:
                break
            time.sleep(0.1)
    assert workspace.item(added.id).status == "todo"
