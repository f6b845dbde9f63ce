"""The simulated annotator on shapes with a known answer, and the figures made of what it does."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lrpseg.domains import Normalisation, load_domain
from lrpseg.learning import Recipe, figures_of, predict
from tests.conftest import add_self_trained
from tests.shapes import blank, disk
from training.data.corrected import Batch, batches, corrected_examples
from training.data.crops import centre_crop, load_example
from training.data.datasets import Example
from training.reports.annotator import (
    RULES,
    iou,
)
from training.reports.effort import Measured, measure
from training.reports.effort_methods import BLANK
from training.reports.effort_report import ratio_interval, write_report

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
    toy = load_domain("toy", toy_assets)
    measured = Measured(
        toy, toy, "val", 0, 1, ["a", "b"], [from_blank, proposed],
        {0: from_blank, 10: proposed}, [Batch(10, 21, 20, 0.5, 0.6)], Recipe(),
    )  # fmt: skip
    text = write_report(measured, tmp_path, ["--split", "val"])
    assert "python -m training.reports.effort --split val" in text
    assert "| good | 0.750 (0.50-1.00) | 0.5 (0.0-1.0) | 33% (0%-50%) |" in text
    assert "| 10 | 0.750 (0.50-1.00) | +0.750 |" in text
    assert "| 1 | 21 | 20 | 0.500 | 0.600 | +0.100 |" in text
    assert RULES.strip() in text
    stored = json.loads((tmp_path / "results.json").read_text())
    assert stored["methods"]["good"]["goals"][0]["strokes"][0] == 0.5
    assert stored["learned"]["curve"]["10"]["iou"][0] == 0.75
    assert (tmp_path / "effort.png").read_bytes().startswith(b"\x89PNG")
    assert "another domain" not in text
    other = replace(measured, start=load_domain("magnetic-tile"))
    text = write_report(other, tmp_path, [])
    assert "of another domain (Magnetic tiles: cracks and blowholes), which never saw" in text
