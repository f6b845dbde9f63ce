"""Operating points of masks that a witness seconds: measured, chosen by, and stale with it."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import lrpseg
from lrpseg.core.errors import OptionError
from lrpseg.domains import load_domain
from lrpseg.pipeline.curves import FILE_NAME
from lrpseg.pipeline.defaults import default_settings
from lrpseg.pipeline.operating_points import load_operating_points
from lrpseg.refiners import REFINERS
from lrpseg.thresholders import THRESHOLDERS
from lrpseg.witness.verdict import Verdict
from tests.small_witness import give_witness
from training.reports import operating_points as maker
from training.reports.systems import seconded_maps, witnessed


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    for folder in ("damaged", "intact", "masks"):
        (root / folder).mkdir()
    for name in ("0", "1"):
        image = random.integers(150, 200, (224, 240, 3), dtype=np.uint8)
        cv2.imwrite(str(root / "intact" / f"{name}.png"), image)
        mask = np.zeros((224, 240), np.uint8)
        image[100:120, 110:130], mask[100:120, 110:130] = 30, 255
        cv2.imwrite(str(root / "damaged" / f"{name}.png"), image)
        cv2.imwrite(str(root / "masks" / f"{name}.png"), mask)
    val = [f"{kind}/{n}.png" for kind in ("damaged", "intact") for n in "01"]
    (root / "split.json").write_text(json.dumps({"splits": {"train": [], "val": val, "test": []}}))
    return root


@pytest.fixture
def toy(toy_assets: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy domain with a witness, measured."""
    folder = tmp_path / "toy"
    shutil.copytree(toy_assets / "toy", folder)
    (folder / FILE_NAME).unlink(missing_ok=True)
    give_witness(folder)
    monkeypatch.setenv("LRPSEG_ASSETS", str(tmp_path))
    monkeypatch.setattr(maker, "GRID", maker.GRID[::50])
    monkeypatch.setattr(maker, "ROUNDS", 20)
    monkeypatch.setattr(maker, "THRESHOLDERS", {n: THRESHOLDERS[n] for n in ("simple", "fraction")})
    monkeypatch.setattr(maker, "REFINERS", {n: REFINERS[n] for n in ("none",)})
    monkeypatch.setattr(maker, "RULE_SETS", ["ours"])
    (folder / FILE_NAME).write_text(maker.measure(data, "toy", ["one-fc"], device="cpu"))
    return folder


def test_each_combination_is_measured_with_and_without(toy: Path) -> None:
    held = json.loads((toy / FILE_NAME).read_text())
    found = {(c["thresholder"], c["witness"]): c["average_precision"] for c in held["curves"]}
    assert set(found) == {(t, w) for t in ("simple", "fraction") for w in ("none", "dinov2")}
    assert found["simple", "none"] != found["simple", "dinov2"]
    assert held["witnesses"] == {"dinov2": str(load_domain("toy").witnesses["dinov2"])}
    # The usual settings have the witness; whoever wants none gets what was measured without.
    points = load_operating_points("toy", thresholder="simple")
    assert points.average_precision == found["simple", "dinov2"]
    alone = load_operating_points("toy", thresholder="simple", witness="none")
    assert alone.average_precision == found["simple", "none"]
    assert not points.stale
    assert not alone.stale


def test_another_verdict_makes_them_stale(toy: Path) -> None:
    give_witness(toy, Verdict((1.0, -1.0), (1.0, 1.0, -1.0)))
    assert load_operating_points("toy", thresholder="simple").stale
    assert not load_operating_points("toy", thresholder="simple", witness="none").stale


def test_the_best_is_the_best_beside_the_witness(toy: Path) -> None:
    path = toy / FILE_NAME
    held = json.loads(path.read_text())
    best = {("simple", "none"): 0.5, ("fraction", "dinov2"): 0.3}
    for curve in held["curves"]:
        curve["own"]["iou"] = [best.get((curve["thresholder"], curve["witness"]), 0.1)]
    path.write_text(json.dumps(held))
    domain = load_domain("toy")
    assert default_settings(domain).thresholder == "fraction"
    assert default_settings(domain, witness="none").thresholder == "simple"
    # A file from before there were witnesses: what is best without one, and no points with it.
    held["curves"] = [c for c in held["curves"] if c.pop("witness") == "none"]
    path.write_text(json.dumps(held))
    assert default_settings(domain).thresholder == "simple"
    assert default_settings(domain).witness == "dinov2"
    assert load_operating_points("toy", witness="none").average_precision > 0
    with pytest.raises(OptionError, match="no operating points"):
        load_operating_points("toy")


def test_maps_are_seconded_as_a_result_is(toy: Path, data: Path) -> None:
    path = data / "damaged" / "0.png"
    result = lrpseg.load("toy", network="one-fc", device="cpu")(path, explain_intact=True)
    files = load_domain("toy").witnesses["dinov2"]
    heard = witnessed(files, [result.image], torch.device("cpu"))
    relevance = result.relevance[None, None].copy()
    made = seconded_maps(relevance, result.settings, heard, files.verdict)
    assert np.array_equal(made[0, 0], result.evidence)
    assert not np.array_equal(made[0, 0], result.relevance)
