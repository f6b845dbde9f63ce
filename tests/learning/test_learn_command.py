"""The command `lrpseg learn`, and mistakes in using it."""

from pathlib import Path
from typing import Any

import pytest

from lrpseg.cli.main import main
from lrpseg.core.errors import CheckpointError, LrpsegError
from lrpseg.domains import learned_domains, list_domains
from lrpseg.learning import (
    corrected_items,
    learn,
)
from lrpseg.workspace import Workspace
from tests.learning.support import QUICK, add_drawn, add_intact, drawn, encoded, save
from tests.workspace_support import SETTINGS


def test_command_lists_and_forgets(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["learn", "--list"]) == 0
    assert "Nothing was learned yet" in capsys.readouterr().out
    save()
    save()
    (home / "toy-v2" / "domain.json").write_text("{")
    assert main(["learn", "--list"]) == 0
    listed = capsys.readouterr().out
    assert "toy-v1: Learned v1\n" in listed
    assert "toy-v2: cannot be used" in listed
    assert main(["learn", "--forget", "toy-v2", "--force"]) == 0
    assert learned_domains() == ["toy-v1"]


def test_a_version_that_pictures_need_is_not_forgotten_by_mistake(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save()
    workspace = Workspace(tmp_path / "w")
    settings = SETTINGS.__class__(**{**SETTINGS.__dict__, "domain": "toy-v1"})
    workspace.add("a.png", encoded(drawn(0)[0]), settings)
    words = ["learn", "--forget", "toy-v1", "--workspace", str(tmp_path / "w")]
    assert main(words) == 2
    assert "1 pictures" in capsys.readouterr().err
    assert main([*words, "--force"]) == 0
    assert list_domains() == ["toy"]


def test_the_command_learns(home: Path, filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["learn", "--workspace", str(filled), "--steps", "1", "--device", "cpu"]
    assert main([*words, "--hold-out", "0"]) == 0
    said = capsys.readouterr().out
    assert "--forget toy-v1" in said
    assert list_domains() == ["toy", "toy-v1"]


def test_a_damaged_picture_is_left_out_and_named(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace(tmp_path / "w")
    first, _ = (add_drawn(workspace, seed) for seed in range(2))
    (workspace.folder / "items" / first.id / "original").unlink()
    other = add_intact(workspace, 5, accept=False)
    (workspace.folder / "items" / other.id / "original").write_bytes(b"")
    words = ["learn", "--workspace", str(tmp_path / "w"), "--steps", "1", "--device", "cpu"]
    assert main([*words, "--hold-out", "0"]) == 0
    said = capsys.readouterr().out
    assert "0.png is left out: " in said
    assert "1 corrected pictures" in said
    assert list_domains() == ["toy", "toy-v1"]


@pytest.mark.parametrize(
    ("fill", "words", "says"),
    [
        (lambda w: None, [], "There is no corrected picture in"),
        (lambda w: add_intact(w, 0), [], "All corrected masks are empty"),
        (lambda w: add_intact(w, 0, accept=False), [], "Accept or correct some"),
        (lambda w: add_drawn(w, 0), ["--domain", "moon"], "no corrected picture of moon"),
        (lambda w: add_drawn(w, 0), ["--hold-out", "1"], "every 2nd"),
        (lambda w: add_drawn(w, 0), ["--steps", "-3"], "at least one step"),
        (lambda w: add_drawn(w, 0), ["--device", "abacus"], "abacus"),
    ],
)  # fmt: skip
def test_mistakes_are_one_clear_line(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    fill: Any, words: list[str], says: str,
) -> None:  # fmt: skip
    fill(Workspace(tmp_path / "w"))
    assert main(["learn", "--workspace", str(tmp_path / "w"), *words]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert not home.exists()


def test_a_workspace_that_is_missing(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["learn", "--workspace", str(tmp_path / "none")]) == 2
    assert "no workspace" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert main(["learn"]) == 2
    assert "--workspace" in capsys.readouterr().err


def test_a_domain_without_a_self_trained_network(
    toy_assets: Path, home: Path, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRPSEG_ASSETS", str(toy_assets))
    with pytest.raises(CheckpointError, match="no checkpoint of the network 'self-trained'"):
        learn(Workspace(filled), recipe=QUICK, device="cpu")


def test_pictures_of_two_domains_ask_for_one(
    shipped: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    for name in ("toy", "other"):
        (assets / name).symlink_to(shipped / "toy")
    monkeypatch.setenv("LRPSEG_ASSETS", str(assets))
    workspace = Workspace(tmp_path / "w")
    add_drawn(workspace, 0)
    item = add_drawn(workspace, 1)
    other = SETTINGS.__class__(**{**SETTINGS.__dict__, "domain": "other"})
    workspace.set_settings(item.id, other)
    with pytest.raises(LrpsegError, match=r"1 of toy, 1 of other.*--domain"):
        corrected_items(workspace)
    assert [i.id for i in corrected_items(workspace, "other")[1]] == [item.id]


def test_no_place_for_what_is_learned(
    home: Path, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRPSEG_DOMAINS", "")
    assert list_domains() == ["toy"]
    with pytest.raises(LrpsegError, match="LRPSEG_DOMAINS"):
        save()
