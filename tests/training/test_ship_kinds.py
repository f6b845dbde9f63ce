"""The kinds of training beside classifiers, from a recipe to a domain's folder that opens."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import lrpseg
from lrpseg.domains import load_domain
from lrpseg.models.checkpoints import load_network
from lrpseg.models.contract import Classifier
from lrpseg.models.tensors import checkpoint_hash, read_tensors
from lrpseg.thresholders import THRESHOLDERS
from tests.training.support import draw_blowholes
from training import ship
from training.loops.unet import load_unet
from training.reports import operating_points

CARD = """\
[card]
title = "drawn blowholes"
purpose = "Finds what was drawn."
data = "Drawn."
"""
SELF_TRAINED = f"""\
kind = "self-trained"
domain = "toy"
network = "self-trained"
precision = "8-bit"
{CARD}
[[training]]
drawing = "blowholes-and-cracks"
rounds = 2
epochs = 1
crops = 4
batch = 4
size = 64
"""
CLASSIFIER = f"""\
kind = "classifier"
domain = "toy"
network = "one-fc"
precision = "8-bit"
{CARD}
[[training]]
init = "none"
epochs = 1
crops = 4
batch = 4
[calibration]
into = "weights"
offset = true
"""
UNET = f"""\
kind = "unet"
domain = "toy"
network = "unet"
{CARD}
[[training]]
width = 4
epochs = 2
crops = 4
batch = 2
"""


@pytest.fixture(autouse=True)
def quick(narrow: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    few = {name: THRESHOLDERS[name] for name in ("simple", "fraction")}
    monkeypatch.setattr(operating_points, "THRESHOLDERS", few)
    monkeypatch.setattr(operating_points, "ROUNDS", 50)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_blowholes(tmp_path_factory.mktemp("data"))


def shipped(recipe: str, weights: str, data: Path, root: Path) -> Path:
    """Ship a recipe twice, the second time with nothing left to do; returns the folder."""
    (root / "recipe.toml").write_text(recipe)
    words = [str(root / "recipe.toml"), "--data", str(data), "--out", str(root / "out"),
             "--device", "cpu"]  # fmt: skip
    ship.main(words)
    before = checkpoint_hash(root / "out" / weights)
    ship.main([*words, "--resume"])
    assert checkpoint_hash(root / "out" / weights) == before
    return root / "out"


def test_a_self_trained_network_ships_beside_the_classifier_that_decides(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shipped(SELF_TRAINED, "self-trained.safetensors", data, tmp_path)
    second = capsys.readouterr().out
    for stage in ("training 1", "weights", "classification", "operating points"):
        assert f"{stage}: done before" in second
    domain = load_domain(out)
    assert set(domain.checkpoints) == {"one-fc", "self-trained"}
    assert domain.classifier == "one-fc"
    _, about = read_tensors(domain.checkpoint("self-trained"))
    assert about["precision"] == "8-bit"
    points = lrpseg.load_operating_points(str(out), network="self-trained")
    assert (points.images, points.stale) == (2, False)
    result = lrpseg.load(str(out), network="self-trained", device="cpu")(
        data / "damaged" / "5.png", explain_intact=True
    )
    assert result.own_likelihood is not None
    assert result.own_likelihood.shape == result.mask.shape
    card = (out / "self-trained.md").read_text()
    for part in ("Model card: drawn blowholes", "rounds = 2", "Masks on the 2 damaged val crops"):
        assert part in card, part
    assert (out / "self-trained-report.md").is_file()


def test_a_unet_ships_as_weights_card_and_figures(data: Path, tmp_path: Path) -> None:
    out = shipped(UNET, "unet.safetensors", data, tmp_path)
    assert load_unet(out / "unet.safetensors").width == 4
    report = json.loads((out / "training" / "run-1" / "metrics.json").read_text())
    assert [h["epoch"] for h in report["history"]] == [1, 2]
    card = (out / "unet.md").read_text()
    assert f"iou {report['val']['val/iou']:.3f}" in card
    assert "width = 4" in card
    assert "| epoch |" in (out / "unet-report.md").read_text()
    # It is a baseline of reports, not a network that could be chosen.
    assert load_domain(out).checkpoints == {}


def test_a_classifier_that_holds_its_calibration_ships_in_8_bits(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(model: Classifier, *_: object) -> dict[str, float]:
        model.calibrate(2.0, 0.5)
        return {"slope": 2.0, "offset": 0.5}

    monkeypatch.setattr(ship, "fit", fit)
    out = shipped(CLASSIFIER, "one-fc.safetensors", data, tmp_path)
    trained = load_network(out / "training" / "run-1" / "best.safetensors", "one-fc")
    tensors, about = read_tensors(out / "one-fc.safetensors")
    assert about["precision"] == "8-bit"
    assert json.loads(about["calibration"]) == {"slope": 2.0, "offset": 0.5}
    held = trained.state_dict()
    assert not torch.equal(tensors["features.18.weight"], held["features.18.weight"])
    for name, tensor in tensors.items():
        twice = 2.0 if name == "classifier.0.weight" else 1.0
        if name != "classifier.0.bias":
            wanted = twice * held[name]
            assert (tensor - wanted).abs().max() < 0.01 * wanted.abs().max(), name
    assert load_domain(out).ranges["one-fc"].weights == checkpoint_hash(out / "one-fc.safetensors")
