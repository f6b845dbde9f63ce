"""Learning from corrections: drawn pictures, versions on disk, and what may go wrong."""

import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import lrpseg
from lrpseg.checkpoints import load_decider
from lrpseg.cli import main
from lrpseg.corrections import ADDED, REMOVED
from lrpseg.domains import Normalisation, learned_domains, list_domains, load_domain
from lrpseg.errors import CheckpointError, LrpsegError, OptionError
from lrpseg.formats.reading import ReadMask
from lrpseg.learning import (
    Learned,
    Recipe,
    corrected_items,
    figures_of,
    fine_tune,
    forget_version,
    learn,
    predict,
    read_report,
    weighted_loss,
)
from lrpseg.learning.crops import Patch
from lrpseg.learning.run import _held_out
from lrpseg.learning.versions import save_version
from lrpseg.operating_points import default_choice
from lrpseg.results import Result
from lrpseg.workspace import Item, Workspace, import_masks
from tests.conftest import add_self_trained
from tests.workspace_support import SETTINGS
from training.drawn_damage import Drawing, draw_damage

CPU = torch.device("cpu")
QUICK = Recipe(steps=40, batch=4, keep=0, size=64, lr=2e-3)
DRAWING = Drawing(1.0, (14, 22), (2, 4), (20, 40), 0, (0.7, 0.8))


@pytest.fixture(scope="module")
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


def drawn(seed: int, shape: tuple[int, int] = (224, 224)) -> tuple[np.ndarray, np.ndarray]:
    """A grey surface with a large dark hole, and its mask."""
    random = np.random.default_rng(seed)
    surface = random.normal(150, 6, (*shape, 1)).clip(0, 255).astype(np.uint8)
    return draw_damage(np.repeat(surface, 3, axis=2), random, DRAWING)


def encoded(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def add_drawn(workspace: Workspace, seed: int, name: str | None = None) -> Item:
    """A picture whose mask was imported before it was analysed."""
    image, mask = drawn(seed)
    item = workspace.add(name or f"{seed}.png", encoded(image), SETTINGS)
    done = import_masks(workspace, [ReadMask(item.name, mask)])
    assert done.names == [item.name]
    return workspace.item(item.id)


def add_intact(workspace: Workspace, seed: int, accept: bool = True) -> Item:
    """A picture that was classified intact, and perhaps accepted as such."""
    values = np.random.default_rng(seed).normal(150, 6, (224, 224, 1)).clip(0, 255)
    image = np.repeat(values.astype(np.uint8), 3, axis=2)
    item = workspace.add(f"intact-{seed}.png", encoded(image), SETTINGS)
    nothing = np.zeros(image.shape[:2], np.float32)
    result = Result(image, 0.1, False, False, nothing, SETTINGS)
    workspace.finish(item.id, item.analysis_key, result)
    if accept:
        workspace.set_status(item.id, "accepted")
    return workspace.item(item.id)


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
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
        assert steps == [(i + 1, QUICK.steps) for i in range(QUICK.steps)] * 2
        yield learned, folder, "\n".join(said)


@pytest.fixture
def learned(
    made: tuple[Learned, Path, str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> Learned:
    monkeypatch.setenv("LRPSEG_DOMAINS", str(made[1]))
    return made[0]


# -------------------------------------------------------------------------------------- learning


def test_learning_betters_pictures_that_were_held_out(
    learned: Learned, made: tuple[Learned, Path, str]
) -> None:
    assert (learned.pictures, learned.held_out) == (9, 2)
    assert learned.before is not None
    assert learned.after is not None
    assert learned.after.iou > learned.before.iou + 0.2
    assert f"IoU {learned.after.iou:.3f}" in made[2]
    assert "9 corrected pictures of toy, 8 of them with damage" in made[2]
    assert "1 other pictures" in made[2]


def test_a_version_stands_beside_its_base(learned: Learned, shipped: Path) -> None:
    assert list_domains() == ["toy", "toy-v1"]
    domain, toy = load_domain("toy-v1"), load_domain("toy")
    assert domain.base == toy
    assert domain.title.startswith("Toy surfaces (learned v1, from 9 corrected pictures, 20")
    assert domain.normalisation == toy.normalisation
    assert domain.checkpoints["one-fc"] == toy.checkpoints["one-fc"]
    assert domain.learned("self-trained")
    assert not domain.learned("one-fc")
    assert not toy.learned("self-trained")
    before, after = (load_decider(d, "self-trained") for d in (toy, domain))
    image, mask = drawn(100)
    found = [predict(m, image, domain.normalisation, CPU) for m in (before, after)]
    ious = [figures_of([(f, mask)]).iou for f in found]
    assert ious[1] > ious[0] + 0.2


def test_a_version_loads_like_any_domain(learned: Learned) -> None:
    choice = default_choice(load_domain("toy-v1"))
    assert (choice.network, choice.thresholder) == ("self-trained", "fraction")
    assert default_choice(load_domain("toy-v1"), network="one-fc").network == "one-fc"
    segmenter = lrpseg.load("toy-v1", device="cpu")
    assert segmenter.settings.network == "self-trained"
    image, mask = drawn(101)
    result = segmenter(image)
    assert result.damaged
    assert figures_of([(result.mask, mask)]).iou > 0.4
    assert np.any(result.relevance)  # LRP of the base's classifier says why
    with pytest.raises(OptionError, match="Nothing was measured"):
        lrpseg.load_operating_points("toy-v1")


def test_a_version_says_where_it_comes_from(learned: Learned) -> None:
    report = read_report("toy-v1")
    assert report["base"] == report["start"] == "toy"
    assert len(report["pictures"]) == 9
    assert sum(p["held_out"] for p in report["pictures"]) == 2
    assert all(len(p["sha256"]) == 64 for p in report["pictures"])
    assert learned.after is not None
    assert report["held_out"]["after"]["iou"] == learned.after.iou
    assert report["recipe"]["steps"] == QUICK.steps
    card = (learned.domain.folder / "self-trained.md").read_text()
    assert "# Model card: toy-v1" in card
    assert f"IoU {learned.after.iou:.3f}" in card
    assert "{" not in card


def test_learning_can_go_on_from_a_version(
    learned: Learned, home: Path, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(learned.domain.folder, home / "toy-v1")
    monkeypatch.setenv("LRPSEG_DOMAINS", str(home))
    recipe = Recipe(steps=1, batch=1, size=16, lr=1e-6)
    again = learn(Workspace(filled), "toy-v1", recipe, hold_out=0, device="cpu")
    assert again.domain.name == "toy-v2"
    assert again.before is None
    assert load_domain("toy-v2").base == load_domain("toy")
    image, mask = drawn(102)
    model = load_decider(again.domain, "self-trained")
    assert figures_of([(predict(model, image, Normalisation(), CPU), mask)]).iou > 0.4


def test_one_step_changes_weights_alone(shipped: Path) -> None:
    model = load_decider(load_domain(shipped / "toy"), "self-trained")
    model.own.slope.fill_(1.5)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    image, mask = drawn(5)
    cut = [[Patch(image, mask, mask)]]
    recipe = Recipe(steps=2, batch=2, size=32, keep=1)
    tuned = fine_tune(model, cut, cut, recipe, Normalisation(), CPU)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    names = {k for k, v in tuned.state_dict().items() if not torch.equal(v, before[k])}
    assert names
    assert all(n.startswith(("own.narrow", "own.merge", "own.head")) for n in names)
    assert not any("running" in n for n in names)
    assert not any(p.requires_grad for p in tuned.parameters())
    again = fine_tune(model, cut, cut, recipe, Normalisation(), CPU)
    for a, b in zip(tuned.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_other_pictures_keep_what_was_said_of_them(learned: Learned) -> None:
    """Told that damage is none, the network changes its mind less where it sees other pictures."""
    model = load_decider(load_domain("toy-v1"), "self-trained")

    def hole(seed: int) -> Patch:
        image, mask = drawn(seed)
        y, x = np.argwhere(mask).mean(axis=0).astype(int).clip(40, 224 - 40)
        part = image[y - 40 : y + 40, x - 40 : x + 40]
        nothing = np.zeros(part.shape[:2], bool)
        return Patch(part, nothing, nothing)

    wrong, others = [[hole(6)]], [[hole(7)], [hole(8)]]
    x = Normalisation()(torch.from_numpy(np.stack([p.image for (p,) in others])))
    changes = []
    for kept in (0, 6):
        recipe = Recipe(steps=10, batch=1, keep=kept, size=48, lr=1e-3)
        tuned = fine_tune(model, wrong, others, recipe, Normalisation(), CPU)
        with torch.inference_mode():
            changes.append(float((tuned.likelihood(x) - model.likelihood(x)).abs().mean()))
    assert changes[1] < 0.7 * changes[0]


def test_pixels_without_weight_have_no_part_in_the_loss() -> None:
    logits = torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    masks = torch.rand(2, 8, 8, generator=torch.Generator().manual_seed(1)) > 0.5
    weights = torch.ones(2, 8, 8)
    weights[:, :4] = 0
    changed = logits.clone()
    changed[:, :, :4] += 5
    assert torch.equal(
        weighted_loss(logits, masks, weights), weighted_loss(changed, masks, weights)
    )
    sure = torch.stack([-20.0 * masks, 20.0 * masks - 10], dim=1)
    assert weighted_loss(sure, masks, torch.ones(2, 8, 8)) < 0.05
    # A mask may also be a likelihood.
    assert torch.equal(
        weighted_loss(logits, masks, weights), weighted_loss(logits, masks.float(), weights)
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"batch": 0},
        {"size": 100},
        {"size": 320},
        {"lr": 0},
        {"keep": -1},
    ],
)
def test_recipes_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        Recipe(**wrong)


# ----------------------------------------------------------------------------- which pictures


@pytest.mark.parametrize(
    ("damaged", "every", "held"),
    [
        ([True] * 3, 4, []),  # too few
        ([True] * 10, 0, []),  # not wanted
        ([True] * 10, 4, [3, 7]),
        ([True] * 10, 2, [1, 3, 5, 7, 9]),
        ([True, False] * 4, 4, [6, 7]),  # of each kind
        ([True, True, False, False], 4, [1]),  # one at least
        ([True, False, False, False], 4, []),  # the only damage is not given away
        ([True] + [False] * 8, 4, [4, 8]),
    ],
)
def test_what_is_held_out(damaged: list[bool], every: int, held: list[int]) -> None:
    assert sorted(_held_out(damaged, every)) == held


def test_what_counts_as_corrected(home: Path, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    imported = add_drawn(workspace, 0)
    accepted = add_intact(workspace, 1)
    add_intact(workspace, 2, accept=False)
    touched = add_intact(workspace, 3, accept=False)
    workspace.set_threshold(touched.id, 0.4)
    part = workspace.add("part.png", encoded(drawn(4)[0]), SETTINGS)  # drawn on, not analysed yet
    workspace.patch_corrections(part.id, 0, 0, 2, 1, np.array([ADDED, REMOVED], np.uint8))
    domain, items = corrected_items(workspace)
    assert domain == "toy"
    assert [i.id for i in items] == [imported.id, accepted.id, touched.id]
    again = add_drawn(workspace, 0, "copy.png")  # the same picture: as it was changed last
    _, items = corrected_items(workspace, "toy")
    assert [i.id for i in items] == [again.id, accepted.id, touched.id]


# -------------------------------------------------------------------------------------- versions


def save(base: str = "toy", title: str = "Learned {version}") -> str:
    model = load_decider(load_domain("toy"), "self-trained")
    return save_version(load_domain(base), model.own, title, {"base": base}, "{name}").name


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
    from lrpseg.ui.launch import make_service

    save()
    make_service("cpu", False, tmp_path / "own").analyser.stop()
    assert list_domains() == ["toy", "toy-v1"]
    make_service("cpu", True, tmp_path / "visitors").analyser.stop()
    assert list_domains() == ["toy"]
    with pytest.raises(OptionError):
        load_domain("toy-v1")


# ---------------------------------------------------------------------- the command, and mistakes


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
