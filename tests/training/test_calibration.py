"""Calibration: the fit against its definition, calibrating against logits and relevance."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.optimize import minimize, minimize_scalar

from lrpseg.core.errors import CheckpointError, LrpsegError, OptionError
from lrpseg.domains import Normalisation, assets_folder, load_domain
from lrpseg.domains.weights import load_classifier, load_deciding
from lrpseg.lrp import DEFAULT_POOLING, DEFAULT_START, RULE_SETS, make_explainer
from lrpseg.models.checkpoints import (
    checkpoint_hash,
    load_checkpoint,
    read_tensors,
    save_checkpoint,
)
from lrpseg.models.networks import NETWORKS
from lrpseg.models.vgg import Vgg
from lrpseg.pipeline.operating_points import weights_hash
from lrpseg.pipeline.settings import Settings
from training.data.datasets import Example
from training.loops import calibration
from training.loops.calibration import platt
from training.loops.validation import Validation, drawn_pairs, figures

CPU = torch.device("cpu")


def network(name: str, seed: int = 0) -> Vgg:
    torch.manual_seed(seed)
    model = NETWORKS[name].build()
    assert isinstance(model, Vgg)
    return model.eval().requires_grad_(False)


def test_platt_is_the_minimum_of_the_balanced_cross_entropy() -> None:
    random = np.random.default_rng(0)
    labels = (random.random(400) < 0.2).astype(np.int64)
    odds = random.normal(3 * labels[:, None] - 1, 2, (400, 2))
    weight = np.where(labels == 1, 400 / (2 * labels.sum()), 400 / (2 * (1 - labels).sum()))

    def loss(p: np.ndarray) -> float:
        z = odds @ p[:2] + p[2]
        return float((weight * np.logaddexp(0, np.where(labels == 1, -z, z))).sum()) + 0.5 * float(
            p[:2] @ p[:2]
        )

    weights, offset = platt(odds, labels)
    assert [*weights, offset] == pytest.approx(minimize(loss, np.zeros(3)).x, abs=1e-3)


def test_platt_stays_finite_and_never_turns_evidence_round() -> None:
    odds = np.array([[-2.0], [-1.0], [4.0], [5.0]])
    (slope,), offset = platt(odds, np.array([0, 0, 1, 1]))
    assert 0.5 < slope < 10
    assert offset == pytest.approx(-1.5 * slope, rel=0.2)
    assert platt(-odds, np.array([0, 0, 1, 1]))[0] == [0]


@pytest.mark.parametrize("name", ["one-fc", "128n"])
def test_calibrating_changes_the_log_odds_and_only_scales_relevance(name: str) -> None:
    x = Normalisation()(torch.randint(0, 256, (2, 224, 224, 3), dtype=torch.uint8))
    plain, folded = network(name), network(name)
    folded.calibrate(1.7, -0.4)
    before, after = ((z[:, 1] - z[:, 0]).double() for z in (plain(x), folded(x)))
    torch.testing.assert_close(after, 1.7 * before - 0.4, rtol=1e-4, atol=1e-5)

    def relevance(model: Vgg) -> torch.Tensor:
        explain = make_explainer(
            model, RULE_SETS["ours"], Normalisation(), DEFAULT_START, DEFAULT_POOLING
        )
        return explain(x, lambda z: torch.ones_like(z, dtype=torch.bool)).relevance

    scaled = [r / r.abs().amax(dim=(1, 2), keepdim=True) for r in map(relevance, (plain, folded))]
    torch.testing.assert_close(scaled[1], scaled[0], rtol=0, atol=2e-3)


def save(path: Path, spot: int | None, shape: tuple[int, int] = (224, 230)) -> Path:
    values = np.full((*shape, 3), 120, np.uint8)
    if spot is not None:
        values[100:120, spot : spot + 20] = 20
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def test_drawn_pairs_are_intact_crops_and_the_same_with_damage(tmp_path: Path) -> None:
    examples = [
        Example(str(i), save(tmp_path / f"{i}.png", None if i else 60), not i, "", "")
        for i in range(3)
    ]
    pairs = drawn_pairs(e for e in examples if not e.damaged)
    assert pairs.shape == (4, 224, 224, 3)
    assert (pairs[::2] == 120).all()
    changed = (pairs[1::2] != pairs[::2]).any(dim=-1).sum(dim=(1, 2))
    assert (changed >= 12).all()
    assert (changed < 224 * 224 / 4).all()
    assert torch.equal(pairs, drawn_pairs(e for e in examples if not e.damaged))

    class Dark(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            darkest = x.amin(dim=(1, 2, 3))
            return -0.2 - darkest[:, None]

        def log_odds(self, outputs: torch.Tensor) -> torch.Tensor:
            return outputs

    found = Validation.of(examples, Normalisation(), flips=False, drawn=True)(Dark(), CPU)
    assert set(found) == {"crops", "whole", "drawn"}
    assert found["crops"].balanced_accuracy == found["drawn"].tnr == 1
    assert figures(found)["val-drawn/tpr"] == found["drawn"].tpr
    assert figures(found)["val/tpr"] == 1


def test_a_checkpoint_is_calibrated_from_the_command_line(tmp_path: Path) -> None:
    for region in range(6):
        save(tmp_path / "data" / "intact" / str(region) / "a.png", None)
        save(tmp_path / "data" / "damaged" / str(region) / "a.png", 100)
    folder = tmp_path / "toy"
    folder.mkdir()
    model = network("one-fc")
    # Its weights happen to see damage, if faintly; biased by hand: all pictures look damaged.
    model.calibrate(3000.0, 12.0)
    save_checkpoint(model, folder / "one-fc.safetensors", "one-fc", {"config": "{}"})
    domain = {
        "title": "Toy",
        "normalisation": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
        "classes": ["intact", "damaged"],
        "checkpoints": {"one-fc": "one-fc.safetensors"},
    }
    (folder / "domain.json").write_text(json.dumps(domain))
    out = tmp_path / "out" / "one-fc.safetensors"
    given = ["--data", str(tmp_path / "data"), "--domain", str(folder), "--device", "cpu"]
    calibration.main([*given, "--out", str(out)])
    _, about = read_tensors(out)
    fitted = json.loads(about["calibration"])
    assert about["config"] == "{}"
    x = Normalisation()(torch.full((1, 224, 224, 3), 120, dtype=torch.uint8))
    before = log_odds(load_checkpoint(folder / "one-fc.safetensors", "one-fc"), x)
    after = log_odds(load_checkpoint(out, "one-fc"), x)
    expected = fitted["slope"] * before + fitted["offset"]
    assert after == pytest.approx(expected, abs=0.02)
    assert abs(expected) < 5  # the bias is gone

    # Without --out the same goes into domain.json, and is applied when the network is loaded.
    assert log_odds(load_classifier(load_domain(folder), "one-fc"), x) == before
    calibration.main(given)
    held = json.loads((folder / "domain.json").read_text())
    found = held["calibration"]["one-fc"]
    assert found.pop("weights") == checkpoint_hash(folder / "one-fc.safetensors")
    assert held == domain | {"calibration": {"one-fc": pytest.approx(fitted, rel=1e-3)}}
    calibrated = load_domain(folder)
    assert log_odds(load_classifier(calibrated, "one-fc"), x) == pytest.approx(after, abs=0.02)
    assert log_odds(load_deciding(calibrated), x) == before
    settings = Settings(domain=str(folder), network="one-fc", rule_set="ours", thresholder="simple")
    assert weights_hash(calibrated, settings).startswith(
        checkpoint_hash(folder / "one-fc.safetensors") + "+"
    )

    calibration.main([*given, "--keep-decisions"])
    kept = load_domain(folder).calibration["one-fc"]
    assert kept.slope > 0
    assert kept.offset == 0
    with pytest.raises(SystemExit):
        calibration.main([*given, "--checkpoint", str(out)])
    model.calibrate(-1.0, 0.0)
    save_checkpoint(model, folder / "one-fc.safetensors", "one-fc")
    with pytest.raises(CheckpointError, match="is of other weights"):
        load_classifier(load_domain(folder), "one-fc")
    with pytest.raises(LrpsegError, match="no better than chance"):
        calibration.main(given)
    assert load_domain(folder).calibration["one-fc"] == kept


def log_odds(model: Vgg, x: torch.Tensor) -> float:
    logits = model(x)[0].double()
    return float(logits[1] - logits[0])


def test_slope_alone_is_the_minimum_of_the_balanced_cross_entropy() -> None:
    odds, labels = np.array([-3.0, -1.0, 2.0, -0.5, 4.0]), np.array([0, 0, 1, 1, 1])
    weight = np.where(labels == 1, 5 / 6, 5 / 4)

    def loss(slope: float) -> float:
        z = odds * slope
        return float((weight * np.logaddexp(0, np.where(labels == 1, -z, z))).sum()) + slope**2 / 2

    (slope,), offset = platt(odds[:, None], labels, offset=False)
    assert offset == 0
    assert slope == pytest.approx(minimize_scalar(loss).x, abs=1e-3)


@pytest.mark.parametrize(
    ("network", "fitted"),
    [
        ("128n", {"slope": 1, "offset": 0, "weights": "0"}),
        ("self-trained", {"slope": 1, "offset": 0, "weights": "0"}),
        ("one-fc", {"slope": 0, "offset": 0, "weights": "0"}),
        ("one-fc", {"slope": 1, "offset": float("nan"), "weights": "0"}),
        ("one-fc", {"slope": 1, "weights": "0"}),
        ("one-fc", {"slope": 1, "offset": 0}),
    ],
)
def test_an_unusable_calibration_is_refused(
    tmp_path: Path, network: str, fitted: dict[str, float | str]
) -> None:
    domain = json.loads((assets_folder() / "magnetic-tile" / "domain.json").read_text())
    domain["checkpoints"] = {"one-fc": "a.safetensors", "self-trained": "b.safetensors"}
    domain["classifier"] = "one-fc"
    domain["calibration"] = {network: fitted}
    (tmp_path / "domain.json").write_text(json.dumps(domain))
    with pytest.raises(OptionError, match="cannot be used"):
        load_domain(tmp_path)
