"""The simulated annotator on shapes with a known answer, and the figures made of what it does."""

import json
import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from lrpseg.domains import Normalisation, load_domain
from lrpseg.learning import Recipe, figures_of, predict
from tests.conftest import add_self_trained
from training.annotator import (
    LIMIT,
    RADII,
    RULES,
    STEPS,
    Correction,
    Gains,
    Stroke,
    correct,
    iou,
)
from training.corrected import Batch, batches, corrected_examples
from training.crops import centre_crop, load_example
from training.datasets import Example
from training.effort import BLANK, Measured, measure
from training.effort_report import ratio_interval, write_report

Mask = NDArray[np.bool_]
SHAPE = (100, 120)


def disk(y: int, x: int, radius: int, shape: tuple[int, int] = SHAPE) -> Mask:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def blank(shape: tuple[int, int] = SHAPE) -> Mask:
    return np.zeros(shape, bool)


def random_blobs(random: np.random.Generator, shape: tuple[int, int] = SHAPE) -> Mask:
    mask = blank(shape)
    for _ in range(4):
        y, x = random.integers(shape[0]), random.integers(shape[1])
        mask |= disk(y, x, int(random.integers(1, 14)), shape)
    return mask ^ (random.random(shape) < 0.003)


def final(mask: Mask, done: Correction) -> Mask:
    for stroke in done.strokes:
        mask = stroke.on(mask)
    return mask


@pytest.mark.parametrize("radius", RADII)
def test_a_disk_of_the_brush_s_size_takes_one_dab(radius: int) -> None:
    truth = disk(40, 50, radius)
    done = correct(blank(), truth, 1.0)
    assert done.strokes == (Stroke(False, radius, (40, 50)),)
    assert done.ious == (0, 1)
    assert done.painted == (0, np.count_nonzero(truth))
    assert done.effort(0.8) == (1, np.count_nonzero(truth))


def test_two_distant_disks_take_two_strokes() -> None:
    done = correct(blank(), disk(20, 20, 8) | disk(70, 90, 8), 1.0)
    assert [(s.erase, s.radius, s.dabs) for s in done.strokes] == [(False, 8, 1)] * 2
    assert {s.start for s in done.strokes} == {(20, 20), (70, 90)}


def test_a_perfect_proposal_takes_nothing() -> None:
    truth = disk(40, 50, 11)
    for mask, true in ((truth, truth), (blank(), blank())):
        assert correct(mask, true, 1.0) == Correction((1.0,), (0,), ())


def test_a_wrong_blob_far_away_costs_an_erasing_stroke() -> None:
    truth = disk(30, 30, 8)
    done = correct(truth | disk(70, 90, 16), truth, 1.0)
    assert done.strokes == (Stroke(True, 16, (70, 90)),)


def test_wrong_pixels_beside_the_truth_are_worth_no_truth() -> None:
    """Erasing a rim must not take more damage away than it sets right."""
    truth = disk(50, 60, 10)
    mask = disk(50, 60, 14)
    done = correct(mask, truth, 0.9)
    assert done.reached(0.9)
    assert all(s.erase for s in done.strokes[:2])


@pytest.mark.parametrize("step", STEPS)
def test_a_straight_bar_takes_one_drag(step: tuple[int, int]) -> None:
    start = (20, 70) if step[1] < 0 else (20, 30)
    truth = Stroke(False, 4, start, step, 20).pixels(SHAPE)
    done = correct(blank(), truth, 1.0)
    assert done.ious == (0, 1)
    (stroke,) = done.strokes
    assert (stroke.radius, stroke.dabs) == (4, 20)


def test_a_bar_is_erased_in_one_drag() -> None:
    truth = disk(20, 20, 9)
    bar = Stroke(False, 2, (90, 10), (0, 1), 100).pixels(SHAPE)
    done = correct(truth | bar, truth, 1.0)
    assert done.strokes == (Stroke(True, 2, (90, 10), (0, 1), 100),)


def test_the_picture_s_edge_cuts_strokes_off() -> None:
    truth = disk(0, 0, 16)
    done = correct(blank(), truth, 1.0)
    assert done.strokes == (Stroke(False, 16, (0, 0)),)
    assert done.painted[-1] == np.count_nonzero(truth)


@pytest.mark.parametrize("seed", range(6))
def test_each_stroke_betters_the_mask_until_the_goal(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth, mask = random_blobs(random), random_blobs(random)
    done = correct(mask, truth, 0.95)
    wrong = [np.count_nonzero(mask != truth)]
    after = mask
    for stroke, reached in zip(done.strokes, done.ious[1:], strict=True):
        after = stroke.on(after)
        wrong.append(np.count_nonzero(after != truth))
        assert iou(after, truth) == pytest.approx(reached)
    assert (np.diff(wrong) < 0).all()
    assert (np.diff(done.ious) > 0).all()
    assert (np.diff(done.painted) > 0).all()
    assert done.reached(0.95)
    assert done.ious[-2] < 0.95
    assert done.effort(0.8)[0] <= done.effort(0.9)[0] <= len(done.strokes)


def test_it_is_deterministic_and_leaves_its_input_alone() -> None:
    random = np.random.default_rng(3)
    truth, mask = random_blobs(random), random_blobs(random)
    kept = mask.copy(), truth.copy()
    assert correct(mask, truth, 0.9) == correct(mask, truth, 0.9)
    assert (mask == kept[0]).all()
    assert (truth == kept[1]).all()


def test_who_gives_up_is_told() -> None:
    random = np.random.default_rng(5)
    truth = random.random(SHAPE) < 0.1  # specks: a stroke for nearly each
    done = correct(blank(), truth, 1.0, limit=7)
    assert len(done.strokes) == 7
    assert not done.reached(1.0)
    assert done.effort(1.0) == (7, done.painted[-1])


def test_masks_of_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        correct(blank(), blank((5, 5)), 0.8)


def test_truth_is_erased_only_where_iou_rises() -> None:
    """Erasing much that is wrong with some that is right has fewer wrong pixels, but can lower the
    IoU: of two true pixels in a wrong block, neither is given up."""
    truth = blank((40, 40))
    truth[20, 14] = truth[20, 26] = True
    mask = disk(20, 20, 16, (40, 40))
    done = correct(mask, truth, 1.0)
    assert (np.diff(done.ious) > 0).all()
    assert done.reached(1.0)


def brute_force(mask: Mask, truth: Mask) -> int:
    """The most wrong pixels that any stroke sets right on balance, without lowering the IoU, by
    painting every stroke there is; of each brush the best dab and the best drag are judged."""
    wrong, before = np.count_nonzero(mask != truth), iou(mask, truth)
    found = [0]
    for erase, radius in product((False, True), RADII):
        best: dict[bool, tuple[int, float]] = {}
        starts = list(product(range(mask.shape[0]), range(mask.shape[1])))
        for start, step, dabs in product(starts, STEPS, range(1, max(mask.shape) + 1)):
            last = [s + d * (dabs - 1) for s, d in zip(start, step, strict=True)]
            if not all(0 <= v < n for v, n in zip(last, mask.shape, strict=True)):
                continue
            after = Stroke(erase, radius, start, step, dabs).on(mask)
            gain = wrong - np.count_nonzero(after != truth)
            for drag in {False, dabs > 1} if dabs == 1 else {True}:
                if drag not in best or gain > best[drag][0]:
                    best[drag] = (gain, iou(after, truth))
        found += [gain for gain, reached in best.values() if reached > before]
    return max(found)


@pytest.mark.parametrize("seed", range(4))
def test_no_stroke_is_better_than_the_one_taken(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.random((7, 8)) < 0.4
    mask = random.random((7, 8)) < 0.4
    stroke = Gains(mask, truth).best()
    gain = np.count_nonzero(mask != truth) - np.count_nonzero(stroke.on(mask) != truth)
    assert gain == brute_force(mask, truth)


def test_gains_follow_a_change() -> None:
    random = np.random.default_rng(8)
    mask, truth = random_blobs(random), random_blobs(random)
    gains = Gains(mask, truth)
    for stroke in (Stroke(False, 8, (0, 3)), Stroke(True, 4, (50, 60), (1, 2), 12)):
        covered = stroke.pixels(SHAPE)
        mask[covered] = not stroke.erase
        gains.update(covered)
        assert gains.best() == Gains(mask, truth).best()


def test_nothing_wrong_leaves_no_stroke() -> None:
    with pytest.raises(ValueError, match="nothing is wrong"):
        Gains(blank(), blank()).best()


def test_the_rules_tell_the_numbers() -> None:
    assert f"{len(STEPS)} directions" in RULES
    assert f"{LIMIT} strokes" in RULES
    assert ", ".join(map(str, RADII[:-1])) in RULES


# ------------------------------------------------------------------------------ what is reported


def test_effort_of_a_method() -> None:
    truth = [disk(40, 50, 8), disk(40, 50, 8) | disk(70, 20, 2)]
    masks = [blank(), disk(40, 50, 8)]
    made = measure("m", "", masks, truth)
    assert made.iou.tolist() == [0, iou(masks[1], truth[1])]
    assert made.strokes.tolist() == [[1, 0], [1, 0]]  # the second is at 0.94
    assert made.pixels.tolist() == [[197, 0], [197, 0]]
    assert not made.short.any()


def example(name: str, region: str, damaged: bool = True) -> Example:
    path = Path(name)
    return Example(name, path, damaged, region, "", path if damaged else None)


def test_corrected_pictures_come_from_all_regions_in_turn() -> None:
    examples = [example(f"{r}{i}", r) for r, n in (("a", 9), ("b", 2), ("c", 4)) for i in range(n)]
    examples += [example("x", "x", damaged=False)]
    chosen = corrected_examples(examples, 9, seed=1)
    assert [len({e.region for e in chosen[i : i + 3]}) for i in (0, 3)] == [3, 3]
    assert len({e.name for e in chosen}) == 9
    assert corrected_examples(examples, 5, seed=1) == chosen[:5]
    assert corrected_examples(examples[::-1], 9, seed=1) == chosen
    assert corrected_examples(examples, 9, seed=2) != chosen
    assert len(corrected_examples(examples, 99, seed=1)) == 15


def test_within_a_batch_only_uncorrected_pictures_are_scored(
    toy_assets: Path, tmp_path: Path
) -> None:
    shutil.copytree(toy_assets, tmp_path / "assets")
    decider = add_self_trained(tmp_path / "assets" / "toy")
    examples = []
    for index in range(5):
        image, truth = (
            np.full((224, 224, 3), 150, np.uint8),
            disk(100, 60 + 20 * index, 9, (224, 224)),
        )
        image[truth] = 40
        names = [tmp_path / f"{kind}{index}.png" for kind in ("image", "mask")]
        for path, values in zip(names, (image, truth.astype(np.uint8) * 255), strict=True):
            Image.fromarray(values).save(path)
        examples.append(Example(str(index), names[0], True, "ab"[index % 2], "", names[1]))
    recipe, device = Recipe(steps=3, batch=2, keep=1, size=32), torch.device("cpu")
    (found,) = batches(decider, examples, Normalisation(), recipe, 1, device)
    assert (found.corrected, found.others, found.seen) == (2, 3, 3)
    rest = [e for e in examples if e not in corrected_examples(examples, 2, 0)]
    crops = [centre_crop(*load_example(e)) for e in rest]
    masks = [(predict(decider, image, Normalisation(), device), truth) for image, truth in crops]
    assert found.before == pytest.approx(figures_of(masks).iou)
    assert found.after != found.before


def test_interval_of_a_ratio() -> None:
    regions = ["a", "a", "b", "c"]
    base = np.array([4.0, 6, 10, 20])
    assert ratio_interval(base / 4, base, regions) == pytest.approx((0.25, 0.25))
    low, high = ratio_interval(np.array([4.0, 6, 0, 10]), base, regions)
    assert low == 0  # region b alone
    assert low < 0.5 < high == 1  # region a alone


def test_report(tmp_path: Path, toy_assets: Path) -> None:
    truth = [disk(40, 50, 8), disk(70, 20, 8) | disk(20, 90, 8)]
    from_blank = measure(BLANK, "nothing proposed", [blank()] * 2, truth)
    proposed = measure("good", "of a test", [truth[0], disk(70, 20, 8)], truth)
    measured = Measured(
        load_domain("toy", toy_assets), "val", 0, 1, ["a", "b"], [from_blank, proposed],
        {0: from_blank, 10: proposed}, [Batch(10, 21, 20, 0.5, 0.6)], Recipe(),
    )  # fmt: skip
    text = write_report(measured, tmp_path, ["--split", "val"])
    assert "python -m training.effort --split val" in text
    assert "| good | 0.750 (0.50-1.00) | 0.5 (0.0-1.0) | 33% (0%-50%) |" in text
    assert "| 10 | 0.750 (0.50-1.00) | +0.750 |" in text
    assert "| 1 | 21 | 20 | 0.500 | 0.600 | +0.100 |" in text
    assert RULES.strip() in text
    stored = json.loads((tmp_path / "results.json").read_text())
    assert stored["methods"]["good"]["goals"][0]["strokes"][0] == 0.5
    assert stored["learned"]["curve"]["10"]["iou"][0] == 0.75
    assert (tmp_path / "effort.png").read_bytes().startswith(b"\x89PNG")
