"""Versions on disk: numbered, whole or not there, forgotten on request."""

import os
import shutil
from pathlib import Path

import pytest

from lrpseg.cli.main import main
from lrpseg.core.errors import OptionError
from lrpseg.domains import learned_domains, list_domains, load_domain
from lrpseg.learning import (
    forget_version,
)
from tests.learning.support import save


def test_versions_count_up_and_are_never_used_twice(home: Path) -> None:
    assert [save(), save()] == ["toy-v1", "toy-v2"]
    assert load_domain("toy-v2").title == "Learned v2"
    forget_version("toy-v2")
    assert not (home / "toy-v2").exists()
    assert list_domains() == ["toy", "toy-v1"]
    assert save() == "toy-v3"
    for number in range(4, 11):
        shutil.copytree(home / "toy-v3", home / f"toy-v{number}")
    assert learned_domains() == ["toy-v1", *(f"toy-v{n}" for n in range(3, 11))]
    assert save() == "toy-v11"
    with pytest.raises(OptionError, match="no domain 'toy-v2'"):
        load_domain("toy-v2")


def test_forgetting_touches_nothing_else(home: Path) -> None:
    save()
    for name in ("toy", "toy-v2", "../assets", ""):
        with pytest.raises(OptionError, match="toy-v1"):
            forget_version(name)
    assert list_domains() == ["toy", "toy-v1"]


def test_a_domain_that_is_no_shipped_one_can_be_a_base(home: Path, tmp_path: Path) -> None:
    shutil.copytree(load_domain("toy").folder, tmp_path / "mine")
    assert save(str(tmp_path / "mine")) == "mine-v1"
    assert load_domain("mine-v1").checkpoints["one-fc"] == tmp_path / "mine" / "one-fc.safetensors"
    shutil.rmtree(tmp_path / "mine")
    assert list_domains() == ["toy"]  # nothing to stand on: not offered
    with pytest.raises(OptionError, match="cannot be used"):
        load_domain("mine-v1")


@pytest.mark.parametrize("where", ["rename", "chmod", "replace"])
def test_interrupted_saving_leaves_no_version(
    home: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, where, stop)
        with pytest.raises(KeyboardInterrupt):
            save()
    assert list(home.iterdir()) == []
    assert save() == "toy-v1"


def test_a_killed_writer_leaves_no_version(home: Path) -> None:
    shutil.copytree(load_domain("toy").folder, home / ".toy-killed")
    assert list_domains() == ["toy"]
    assert save() == "toy-v1"


def test_interrupted_learning_leaves_no_version(
    home: Path, filled: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lrpseg.learning.run.fine_tune", stop)
    assert main(["learn", "--workspace", str(filled), "--device", "cpu"]) == 130
    assert not home.exists()
    assert "stopped" in capsys.readouterr().err


def test_visitors_see_no_learned_domain(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lrpseg.app.analyser import Segmenters
    from lrpseg.ui.launch import make_service

    segmenters = Segmenters("cpu")
    save()
    make_service(segmenters, False, tmp_path / "own").analyser.stop()
    assert list_domains() == ["toy", "toy-v1"]
    make_service(segmenters, True, tmp_path / "visitors").analyser.stop()
    assert list_domains() == ["toy"]
    with pytest.raises(OptionError):
        load_domain("toy-v1")
