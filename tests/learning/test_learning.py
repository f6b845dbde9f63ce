"""Learning from corrections: which pictures, and what it brings."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lrpseg
from lrpseg.core.errors import OptionError
from lrpseg.domains import Normalisation, list_domains, load_domain
from lrpseg.domains.weights import load_decider
from lrpseg.learning import (
    Learned,
    Recipe,
    corrected_items,
    figures_of,
    fine_tune,
    learn,
    predict,
    read_report,
    weighted_loss,
)
from lrpseg.learning.crops import Patch
from lrpseg.learning.run import _held_out
from lrpseg.learning.tuning import _forgetting
from lrpseg.masks.corrections import ADDED, REMOVED
from lrpseg.pipeline.defaults import default_settings
from lrpseg.workspace import Workspace
from tests.learning.support import CPU, QUICK, add_drawn, add_intact, drawn, encoded
from tests.workspace_support import SETTINGS


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
    choice = default_settings(load_domain("toy-v1"))
    assert (choice.network, choice.thresholder) == ("self-trained", "fraction")
    assert default_settings(load_domain("toy-v1"), network="one-fc").network == "one-fc"
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


def test_blend_is_the_weighted_mean_of_the_weights_before_and_after(shipped: Path) -> None:
    model = load_decider(load_domain(shipped / "toy"), "self-trained")
    image, mask = drawn(5)
    cut = [[Patch(image, mask, mask)]]
    made = [
        fine_tune(model, cut, [], Recipe(steps=3, batch=2, size=32, blend=b), Normalisation(), CPU)
        for b in (1, 0.25)
    ]
    weights = zip(*(m.own.parameters() for m in (model, *made)), strict=True)
    for former, whole, part in weights:
        torch.testing.assert_close(part, 0.75 * former + 0.25 * whole)
    assert any(
        not torch.equal(a, b) for a, b in zip(*(m.own.parameters() for m in made), strict=True)
    )


def test_other_pictures_stay_intact(learned: Learned) -> None:
    """Told that a bare surface is damage, the network believes it less of other bare surfaces."""
    model = load_decider(load_domain("toy-v1"), "self-trained")

    def bare(seed: int, mask: bool) -> Patch:
        values = np.random.default_rng(seed).normal(150, 6, (80, 80, 1)).clip(0, 255)
        part = np.repeat(values.astype(np.uint8), 3, axis=2)
        return Patch(part, np.full((80, 80), mask), np.zeros((80, 80), bool))

    wrong, others = [[bare(6, True)]], [[bare(7, False)], [bare(8, False)]]
    x = Normalisation()(torch.from_numpy(np.stack([p.image for (p,) in others])))
    with torch.inference_mode():
        assert model.likelihood(x).median() < 0.1
    rises = []
    for kept in (0, 6):
        recipe = Recipe(steps=10, batch=1, keep=kept, size=48, lr=1e-3)
        tuned = fine_tune(model, wrong, others, recipe, Normalisation(), CPU)
        with torch.inference_mode():
            rises.append(float((tuned.likelihood(x) - model.likelihood(x)).mean()))
    assert rises[1] < 0.7 * rises[0]


def test_where_other_pictures_may_be_damaged_nothing_is_kept() -> None:
    before = torch.logit(torch.tensor([0.02, 0.05, 0.2, 0.9]))
    before = torch.stack([torch.zeros(4), before]).view(1, 2, 2, 2)
    same = torch.tensor([0.02, 0.05])
    entropy = -(same * same.log() + (1 - same) * (1 - same).log()).mean()
    assert float(_forgetting(before, before)) == pytest.approx(float(entropy), rel=1e-5)
    changed = before.clone()
    changed[0, 1, 1] += 3  # the two likely ones
    assert torch.equal(_forgetting(changed, before), _forgetting(before, before))
    assert float(_forgetting(before[:, :, 1:], before[:, :, 1:])) == 0


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
        {"pool": 7},
        {"blend": 0},
        {"blend": 1.1},
        {"seed": -1},
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
