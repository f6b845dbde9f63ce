"""A domain that can learn, a workspace with corrections, and what was learned from it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lrpseg.learning import (
    Learned,
    learn,
)
from lrpseg.workspace import Workspace
from tests.conftest import add_self_trained
from tests.learning.support import QUICK, add_drawn, add_intact


@pytest.fixture(scope="package")
def shipped(toy_assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Assets with the domain `toy`, which has a self-trained network that knows nothing."""
    assets = tmp_path_factory.mktemp("learning") / "assets"
    shutil.copytree(toy_assets, assets)
    add_self_trained(assets / "toy", seed=1)
    return assets


@pytest.fixture
def home(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of learned domains, empty."""
    monkeypatch.setenv("LRPSEG_ASSETS", str(shipped))
    monkeypatch.setenv("LRPSEG_DOMAINS", str(tmp_path / "domains"))
    return tmp_path / "domains"


@pytest.fixture(scope="package")
def filled(shipped: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace's folder: eight corrected pictures, an accepted intact one, one to do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LRPSEG_ASSETS", str(shipped))
        folder = tmp_path_factory.mktemp("workspace")
        workspace = Workspace(folder)
        for seed in range(8):
            add_drawn(workspace, seed)
        add_intact(workspace, 20)
        add_intact(workspace, 21, accept=False)
        yield folder


@pytest.fixture(scope="package")
def made(shipped: Path, filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """(what `learn` gave, its folder of domains, what it said)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LRPSEG_ASSETS", str(shipped))
        folder = tmp_path_factory.mktemp("domains")
        patch.setenv("LRPSEG_DOMAINS", str(folder))
        said: list[str] = []
        steps: list[tuple[int, int]] = []
        learned = learn(
            Workspace(filled), recipe=QUICK, device="cpu", say=said.append,
            progress=lambda *done: steps.append(done),
        )  # fmt: skip
        total = 12 + QUICK.steps  # batches of crops first
        assert steps == [(i + 1, total) for i in range(total)] * 2
        yield learned, folder, "\n".join(said)


@pytest.fixture
def learned(
    made: tuple[Learned, Path, str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> Learned:
    monkeypatch.setenv("LRPSEG_DOMAINS", str(made[1]))
    return made[0]
