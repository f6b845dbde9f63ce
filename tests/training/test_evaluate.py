"""The evaluation end to end on a tiny drawn set, and its parts against plain references."""

import json
import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import average_precision_score

from lrpseg.domains import load_domain
from lrpseg.lrp import POOLINGS, RULE_SETS, STARTS
from lrpseg.masks.figures import Counts, count
from lrpseg.models.checkpoints import save_checkpoint
from lrpseg.pipeline.curves import UNION
from lrpseg.refiners import REFINERS
from lrpseg.thresholders import THRESHOLDERS, Fitted
from tests.conftest import DOMAIN, add_self_trained
from tests.narrow import NARROW
from training.loops.unet import UNet, save_unet
from training.reports import beyond, faithfulness
from training.reports.evaluate import main
from training.reports.segmentation import (
    Segmented,
    curve,
    fits_of,
    ious,
    pixels,
    saturation,
    score,
    segment,
)
from training.reports.systems import BASELINES, baseline_maps

pytestmark = pytest.mark.usefixtures("narrow")


def half(relevance: np.ndarray) -> Fitted:
    return Fitted(relevance.astype(np.float32), 0.5, True, 1)


def two_systems() -> tuple[Segmented, np.ndarray]:
    random = np.random.default_rng(0)
    truth = random.random((3, 20, 20)) < 0.2
    maps = np.clip(truth * 0.5 + random.random((3, 20, 20)) * 0.6, 0, 1).astype(np.float32)
    found = np.array([[True], [False], [True]])
    return segment("s", fits_of(maps[:, None], half), found)[UNION], truth


def test_a_missed_image_counts_with_an_empty_mask() -> None:
    system, truth = two_systems()
    result = score(system, truth, ["a", "b", "c"])
    plain = [count(m, t) for m, t in zip(system.mask, truth, strict=True)]
    expected = [plain[0].iou, 0.0, plain[2].iou]
    assert result.mean.iou == pytest.approx(np.mean(expected))
    assert result.anyway.iou == pytest.approx(np.mean([c.iou for c in plain]))
    assert (result.found, result.images) == (2, 3)
    missed = int(truth[1].sum())
    total = plain[0] + plain[2] + Counts(0, 0, missed)
    assert result.pooled.iou == pytest.approx(total.iou)
    assert ious(system, truth).tolist() == pytest.approx(expected)
    assert result.low <= result.mean.iou <= result.high
    assert result.average_precision == pytest.approx(
        average_precision_score(truth.ravel(), pixels(system.likelihood))
    )


def test_curve_points_are_true_precision_and_recall() -> None:
    system, truth = two_systems()
    recall, precision = curve(system, truth, points=50)
    assert (np.diff(recall) >= 0).all()
    likelihood = pixels(system.likelihood)
    reached = {}
    for threshold in np.unique(likelihood):
        mask = likelihood >= threshold
        hits = (mask & truth.ravel()).sum()
        reached.setdefault(round(hits / truth.sum(), 9), set()).add(round(hits / mask.sum(), 9))
    for r, p in zip(recall, precision, strict=True):
        if r > 0:
            assert round(p, 9) in reached[round(r, 9)]


def test_saturation_is_the_share_of_certain_pixels() -> None:
    likelihood = np.array([[[1.0, 1.0, 0.6, 0.1]]], np.float32)
    system = Segmented("s", likelihood, likelihood >= 0.5, np.array([True]))
    assert saturation(system) == pytest.approx(2 / 3)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(assets with a random network, a tile set of six drawn pictures with a split)."""
    root = tmp_path_factory.mktemp("tiny")
    assets = root / "assets"
    (assets / "magnetic-tile").mkdir(parents=True)
    torch.manual_seed(0)
    save_checkpoint(NARROW.build(), assets / "magnetic-tile" / "one-fc.safetensors", "one-fc")
    (assets / "magnetic-tile" / "domain.json").write_text(json.dumps(DOMAIN))
    data, random, names = root / "data", np.random.default_rng(0), []
    for kind in ("Free", "Crack", "Blowhole"):
        folder = data / f"MT_{kind}" / "Imgs"
        folder.mkdir(parents=True)
        for i in range(2):
            image = random.integers(90, 130, (240, 260), dtype=np.uint8)
            mask = np.zeros((240, 260), np.uint8)
            if kind != "Free":
                mask[100:120, 100 : 110 + 10 * i] = 255
                image[mask > 0] = 20
                number = 1000 * len(names) + 5000
                Image.fromarray(mask).save(folder / f"exp1_num_{number}.png")
            name = f"exp1_num_{1000 * len(names) + 5000}.jpg"
            Image.fromarray(image).save(folder / name, quality=95)
            names.append(f"MT_{kind}/Imgs/{name}")
    (data / "split.json").write_text(json.dumps({"splits": {"val": names, "train": []}}))
    return assets, data


def test_evaluate_writes_a_whole_report(
    tiny: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets, data = tiny
    monkeypatch.setenv("LRPSEG_ASSETS", str(assets))
    torch.manual_seed(0)
    save_unet(UNet(8), tmp_path / "unet.safetensors")
    words = ["--data", str(data), "--split", "val", "--no-baselines", "--out", str(tmp_path)]
    unet = ["--unet", str(tmp_path / "unet.safetensors")]
    report = main([*words, *unet, "--flips", "--device", "cpu"])
    out = tmp_path / "magnetic-tile-val"
    assert (out / "report.md").read_text("utf-8") == report
    assert str(data) not in report
    assert "--data DIR --split val" in report
    for rule_set in ("LRP Ours", "LRP Montavon"):
        for thresholder in THRESHOLDERS.values():  # on crops, and on whole pictures
            assert report.count(f"| VGG-A one FC, {rule_set}, {thresholder.title} |") >= 2
    # The paper's own figures of one FC, Ours, Simple, beside ours.
    (row,) = [line for line in report.splitlines() if line.startswith("| VGG-A one FC, Simple")]
    assert [cell.split(" (")[1] for cell in row.split(" | ")[1:4]] == ["0.386)", "0.404)", "0.944)"]
    assert "98.5% | 97.1% | 99.9%" in report
    results = json.loads((out / "results.json").read_text())
    assert results["lrp"]["one-fc/ours/bmm"]["images"] == 3 * 4  # with two flips of each
    assert results["whole"]["one-fc/ours/bmm"]["images"] == 4
    assert results["unet_whole"]["images"] == 4
    assert set(results["lrp"]) == {
        f"one-fc/{r}/{t}" for r in ("ours", "montavon") for t in THRESHOLDERS
    }
    assert all(0 <= s["mean"]["iou"] <= 1 for s in results["lrp"].values())
    for picture in ("curves-ours.png", "curves-montavon.png", "cases.png"):
        with Image.open(out / picture) as image:
            assert min(image.size) > 200
        assert f"({picture})" in report


def test_beyond_writes_a_whole_report(
    tiny: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets, data = tmp_path / "assets", tiny[1]
    shutil.copytree(tiny[0], assets)
    monkeypatch.setenv("LRPSEG_ASSETS", str(assets))
    add_self_trained(assets / "magnetic-tile")
    report = beyond.main(
        ["--data", str(data), "--split", "val", "--out", str(tmp_path), "--device", "cpu"]
    )
    out = tmp_path / "magnetic-tile-val-beyond"
    assert (out / "report.md").read_text("utf-8") == report
    assert str(data) not in report
    results = json.loads((out / "results.json").read_text())
    names = set(product(beyond.SHOWN, REFINERS))
    assert set(results["masks"]) == {
        "/".join((network, rules, *rest))
        for network, rules in product(("one-fc", "self-trained"), RULE_SETS)
        for rest in names
        if network == "self-trained" or "support" not in rest  # support keeps a network's own masks
    }
    first = results["masks"]["one-fc/ours/simple/none"]
    assert f"| VGG-A one FC, LRP Ours, Simple | {first['mean']['iou']:.3f} (" in report
    assert "Self-trained U-Net, LRP Ours, Fraction, refined: support" in report
    # The classifier decides alone as long as nothing was fitted.
    one, other = results["classification"]
    assert one["rows"] == other["rows"]
    assert sum(b["count"] for b in one["bins"]) == 6
    for picture in ("reliability.png", "worst.png"):
        with Image.open(out / picture) as image:
            assert min(image.size) > 200


def test_faithfulness_writes_a_whole_report(
    tiny: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets, data = tmp_path / "assets", tiny[1]
    shutil.copytree(tiny[0], assets)
    monkeypatch.setenv("LRPSEG_ASSETS", str(assets))
    add_self_trained(assets / "magnetic-tile")
    words = ["--data", str(data), "--split", "val", "--out", str(tmp_path), "--device", "cpu"]
    report = faithfulness.main([*words, "--limit", "3", "--few", "1", "--bfloat16"])
    out = tmp_path / "magnetic-tile-val-faithfulness"
    assert (out / "report.md").read_text("utf-8") == report
    assert str(data) not in report
    assert "3 of 4 damaged crops, of 3 regions" in report
    results = json.loads((out / "results.json").read_text())
    assert set(results["heatmaps"]) == {
        "/".join(("one-fc", *rest)) for rest in product(RULE_SETS, STARTS, POOLINGS)
    }
    assert set(results["masks"]) == {
        "/".join((network, *rest))
        for network in ("one-fc", "self-trained")
        for rest in product(RULE_SETS, beyond.SHOWN, REFINERS)
        if network == "self-trained" or "support" not in rest
    }
    for layers in results["forgetting"].values():  # from the last layer to the first
        first, *_, last = layers
        assert first.startswith("classifier")
        assert last == "features.0"
    for held in results["heatmaps"].values():
        assert f"| {held['fall']['most'][0]:.2f} (" in report
        assert len(held["falls"]["random"]) == len(results["steps"])
    with Image.open(out / "faithfulness.png") as image:
        assert min(image.size) > 200
    assert "(faithfulness.png)" in report


def test_evaluate_without_the_split_says_so(
    tiny: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets, data = tiny
    monkeypatch.setenv("LRPSEG_ASSETS", str(assets))
    words = ["--data", str(data), "--split", "test", "--out", str(tmp_path)]
    with pytest.raises(SystemExit, match="has no masks"):
        main(words)


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_give_finite_maps_and_leave_the_model_alone(
    name: str, narrow_assets: Path
) -> None:
    domain = load_domain("toy", narrow_assets)
    torch.manual_seed(0)
    model = NARROW.build().eval().requires_grad_(False)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    crops = np.random.default_rng(0).integers(0, 255, (2, 224, 224, 3), dtype=np.uint8)
    maps = baseline_maps(name, model, domain, crops, torch.device("cpu"), batch=1)
    assert maps.shape == (2, 1, 224, 224)
    assert np.isfinite(maps).all()
    assert np.ptp(maps) > 0
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    if name == "input x gradient":  # against plain autograd
        x = domain.normalisation(torch.from_numpy(crops)).requires_grad_()
        logits = model(x)
        (gradient,) = torch.autograd.grad((logits[:, 1] - logits[:, 0]).sum(), x)
        expected = (x * gradient).sum(dim=1).detach().numpy()
        # Not equal to the last digit: batches of another size break ties of max-pools otherwise.
        assert np.corrcoef(maps.ravel(), expected.ravel())[0, 1] > 0.999
