"""Regions left out in turn: the folds, the figures, the methods, and the report of them all."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.metrics import roc_auc_score

from lrpseg.models.vit import VisionTransformer
from tests.training.left_out_support import draw_pictures, examples, training_words
from tests.training.support import narrow_network
from training.data.datasets import DataError, Example
from training.data.folds import folds_of, leave_out
from training.left_out import classifier
from training.left_out.figures import best_iou, cross_fitted, figures, recall_at
from training.left_out.methods import METHODS, Material, left_out
from training.left_out.tokens import Drawn, Tokens
from training.reports import left_out as report

MANY = {
    **{f"c{i}": ("crack", 3) for i in range(6)},
    **{f"b{i}": ("blowhole", 2) for i in range(12)},
    **{f"i{i}": ("intact", 4) for i in range(18)},
}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_region_is_left_out_once_and_each_kind_evenly(seed: int) -> None:
    every = examples(MANY)
    turns = list(leave_out(every, 6, seed))
    assert sorted(e.name for t in turns for e in t.left_out) == sorted(e.name for e in every)
    for turn in turns:
        assert not {e.region for e in turn.known} & {e.region for e in turn.left_out}
        assert len(turn.known) + len(turn.left_out) == len(every)
        regions = {e.region[0]: set() for e in every}
        for e in turn.left_out:
            regions[e.region[0]].add(e.region)
        assert {k: len(v) for k, v in regions.items()} == {"c": 1, "b": 2, "i": 3}


def test_folds_are_fixed_by_the_seed_and_not_by_the_order() -> None:
    every = examples(MANY)
    of = dict(zip([e.name for e in every], folds_of(every), strict=True))
    back = every[::-1]
    assert dict(zip([e.name for e in back], folds_of(back), strict=True)) == of
    assert folds_of(every, seed=1) != folds_of(every)


def test_a_region_of_two_kinds_stays_together() -> None:
    every = examples({"a": ("crack", 2), "b": ("crack", 2)})
    every += [Example("a/intact.png", Path("x"), False, "a", "intact")]
    of = folds_of(every, 2)
    assert of[0] == of[1] == of[4] != of[2]


@pytest.mark.parametrize("count", [0, 1, 7])
def test_too_few_regions_or_folds_are_told(count: int) -> None:
    with pytest.raises(DataError, match="folds"):
        folds_of(examples({f"c{i}": ("crack", 1) for i in range(6)}), count)


# -------------------------------------------------------------------------------------- figures


def scored(
    separation: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray]:
    """Scores (N, 1), labels, regions and folds of 24 damaged and 48 intact pictures."""
    random = np.random.default_rng(seed)
    labels = np.arange(72) % 3 == 0
    regions = [f"{'d' if y else 'i'}{i // 6}" for i, y in enumerate(labels)]
    scores = random.normal(size=72) + separation * labels
    return scores[:, None], labels, regions, np.arange(72) // 6 % 6


def test_scores_that_tell_all_apart_have_no_fault() -> None:
    found = figures(*scored(20))
    assert found.auroc.value == found.decided.balanced_accuracy.value == 1
    assert found.missed == ()
    assert [r.value for r in found.recall] == [1, 1]
    assert found.calibration_error < 0.02


def test_scores_of_nothing_miss_and_say_how_unsure_that_is() -> None:
    scores, labels, regions, folds = scored(0.3)
    found = figures(scores, labels, regions, folds)
    assert found.auroc.value == pytest.approx(roc_auc_score(labels, scores[:, 0]))
    assert found.auroc.low < found.auroc.value < found.auroc.high
    assert found.auroc.high - found.auroc.low > 0.1
    called = cross_fitted(scores, labels, folds) > 0
    wanted = [r for r in dict.fromkeys(regions) if r[0] == "d"
              and not any(c for c, of in zip(called, regions, strict=True) if of == r)]  # fmt: skip
    assert sorted(found.missed) == sorted(wanted)
    assert found.regions["d0"] == (int(called[0]) + int(called[3]), 2)


def test_a_folds_own_labels_do_not_decide_about_it() -> None:
    scores, labels, _, folds = scored(2)
    turned = np.where(folds == 3, ~labels, labels)
    here = folds == 3
    assert np.array_equal(
        cross_fitted(scores, labels, folds)[here], cross_fitted(scores, turned, folds)[here]
    )


def test_recall_at_a_share_of_false_alarms() -> None:
    labels = np.array([False] * 100 + [True] * 4)
    scores = np.concatenate([np.arange(100.0), [98.4, 99.5, 97.0, 50.0]])
    assert recall_at(scores, labels, 0.01) == 0.5  # the limit is 98.01
    assert recall_at(scores, labels, 0.05) == 0.75


def test_the_best_threshold_of_a_right_map_gives_its_mask() -> None:
    mask = np.zeros((40, 40), bool)
    mask[8:16, 8:24] = True
    right = mask.astype(np.float32)[::4, ::4]
    assert best_iou([right], [mask]) > 0.7
    assert best_iou([1 - right], [mask]) < 0.1


# -------------------------------------------------------------------------------------- methods


def drawn_tokens() -> tuple[Material, list[Example]]:
    """Tokens of 24 pictures of 6x6 patches: a damaged one has six that point elsewhere; of the
    intact ones again with such a patch drawn in."""
    every = examples(
        {**{f"d{i}": ("crack", 2) for i in range(6)}, **{f"i{i}": ("intact", 2) for i in range(6)}}
    )
    torch.manual_seed(0)
    values = torch.randn(len(every), 36, 8)
    for index, e in enumerate(every):
        if e.damaged:
            values[index, :6, 0] += 12
    first = [36 * i for i in range(len(every) + 1)]
    tokens = Tokens(values.reshape(-1, 8).half(), first, [(6, 6)] * len(every), 4)
    owner = [i for i, e in enumerate(every) if not e.damaged]
    again, cover = values[owner].clone(), torch.zeros(len(owner), 36)
    again[:, 3, 0] += 12
    cover[:, 3] = 0.5
    part = Tokens(again.reshape(-1, 8).half(), first[: len(owner) + 1], [(6, 6)] * len(owner), 4)
    return Material(tokens, every, Drawn(part, owner, cover.flatten())), every


@pytest.mark.parametrize("name", list(METHODS))
def test_methods_find_what_is_unlike_the_rest(name: str) -> None:
    material, every = drawn_tokens()
    folds = folds_of(every, 3)
    found = left_out(METHODS[name], material, folds)
    labels = np.array([e.damaged for e in every])
    assert found.scores[labels].min() > found.scores[~labels].max()
    assert found.maps is not None
    for e, shown in zip(every, found.maps, strict=True):
        assert shown.shape == (6, 6)
        if e.damaged:
            assert set(np.argsort(shown.ravel())[-6:].tolist()) == set(range(6))


def test_nearest_never_looks_at_damage() -> None:
    material, every = drawn_tokens()
    tokens, known, fit = material.tokens, range(len(every)), METHODS["nearest"].fit
    before = fit(material, known, 0)(tokens[20])
    for index in (i for i in known if every[i].damaged):
        tokens.values[36 * index : 36 * (index + 1)] = 0
    assert torch.equal(fit(material, known, 0)(tokens[20]), before)


@pytest.mark.parametrize(
    ("name", "cares"), [("logistic", True), ("logistic-own", False), ("logistic-drawn", True)]
)
def test_who_learns_from_other_kinds_of_damage(name: str, cares: bool) -> None:
    material, every = drawn_tokens()
    material = replace(
        material, own=frozenset(["crack"]), examples=[
            replace(e, kind="break") if e.damaged and e.region in ("d0", "d1") else e for e in every
        ],
    )  # fmt: skip
    known, fit = range(len(every)), METHODS[name].fit
    first = fit(material, known, 0).tensors()["weight"]
    for index in (i for i in known if material.examples[i].kind == "break"):
        material.tokens.values[36 * index : 36 * (index + 1), 1] += 9
    assert torch.equal(fit(material, known, 0).tensors()["weight"], first) != cares


def test_drawn_damage_teaches_alone_where_no_picture_shows_any() -> None:
    material, every = drawn_tokens()
    for index, e in enumerate(every):
        if e.damaged:  # labels that say nothing
            rows = slice(36 * index, 36 * (index + 1))
            material.tokens.values[rows, 0] -= 12 * (torch.arange(36) < 6)
    known = range(len(every))
    judge = METHODS["logistic-drawn"].fit(material, known, 0)
    assert material.drawn is not None
    values, cover = judge(material.drawn.tokens[0]), material.drawn.cover[:36]
    assert values[cover > 0].min() > values[cover == 0].max()
    with pytest.raises(DataError, match="drawn damage"):
        METHODS["logistic-drawn"].fit(replace(material, drawn=None), known, 0)


# ---------------------------------------------------------------------------------- the commands


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_pictures(tmp_path_factory.mktemp("data"))


def test_from_pictures_to_a_report(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    encoder = VisionTransformer(9, 64, 1)
    save_file(encoder.state_dict(), tmp_path / "encoder.safetensors")
    with narrow_network():
        from tests.training.support import narrow

        save_file(narrow().state_dict(), tmp_path / "start.safetensors")
        train = training_words(pictures, tmp_path)
        classifier.main(train)
        made = (tmp_path / "folds" / "fold-1" / "best.safetensors").stat().st_mtime_ns
        classifier.main(train)  # done before
        assert (tmp_path / "folds" / "fold-1" / "best.safetensors").stat().st_mtime_ns == made
        classifier.main([*train, "--epochs", "2"])  # with other settings it was not
        assert (tmp_path / "folds" / "fold-1" / "best.safetensors").stat().st_mtime_ns > made
        words = [
            "--data", str(pictures), "--domain", "own", "--folds", "2",
            "--encoder", str(tmp_path / "encoder.safetensors"), "--cache", str(tmp_path / "tokens"),
            "--classifier", f"Narrow={tmp_path / 'folds'}", "--out", str(tmp_path / "out"),
        ]  # fmt: skip
        report.main(words)
        with pytest.raises(DataError, match="other pictures"):
            report.main([*words[:5], "3", *words[8:]])
    text = (tmp_path / "out" / "own-left-out" / "report.md").read_text()
    assert "6 damaged pictures of 6 regions and 6 intact ones" in text
    assert "--data DIR --domain own --folds 2 --encoder encoder.safetensors --cache DIR" in text
    held = json.loads((tmp_path / "out" / "own-left-out" / "results.json").read_text())
    rows = held["damaged"]
    assert list(rows) == [
        *(f"DINOv2, {method.title}" for method in METHODS.values()), "Narrow", "all together",
    ]  # fmt: skip
    for i in range(6):  # each region is a picture: told where some method missed it
        missed = any(row["regions"][f"damaged/{i}.png"][0] == 0 for row in rows.values())
        assert (f"| damaged | damaged/{i}.png | " in text) == missed
    for row in rows.values():
        assert 0 <= row["auroc"]["low"] <= row["auroc"]["value"] <= row["auroc"]["high"] <= 1
    assert rows["Narrow"]["iou"] is None
    assert rows["DINOv2, nearest intact patch"]["iou"] > 0
    # Of each picture, and of each intact one with damage drawn in.
    assert len(list((tmp_path / "tokens").iterdir())) == 18


def test_other_kinds_are_a_set_of_their_own() -> None:
    own = examples(MANY)
    every = own + examples({"u0": ("uneven", 2)})
    sets = report.kinds_of(every, own)
    assert list(sets) == ["blowhole and crack", "all kinds", "blowhole", "crack", "uneven"]
    assert len(sets["all kinds"]) == len(every)
    assert {every[i].kind for i in sets["uneven"]} == {"intact", "uneven"}
