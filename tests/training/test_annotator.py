"""The simulated annotator: shapes with a known answer, and a brute force."""

from itertools import product

import numpy as np
import pytest

from tests.shapes import SHAPE, Mask, blank, disk
from training.reports.annotator import (
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
