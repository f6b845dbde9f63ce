"""Figures against scikit-learn and by hand, and a training that learns and resumes exactly."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lrpseg.core.errors import CheckpointError, LrpsegError
from lrpseg.models.networks import NETWORKS
from training.data.crops import Augmentation, TrainingCrops
from training.loops.train import Config, initialise, learning_rate_factor, main

CPU = torch.device("cpu")

# ------------------------------------------------------------------------------------- training


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures with a large bright disc (damaged) and ten with a dark one."""
    root = tmp_path_factory.mktemp("discs")
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:224, :224]
    for kind, level in (("damaged", 230), ("intact", 25)):
        (root / kind).mkdir()
        for k in range(10):
            image = random.integers(100, 140, (224, 224, 3), dtype=np.uint8)
            y, x = random.integers(90, 134, 2)
            image[(rows - y) ** 2 + (columns - x) ** 2 < 80**2] = level
            Image.fromarray(image).save(root / kind / f"{k}.png")
    return root


@pytest.fixture(scope="module")
def convolutions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random convolutions that keep a signal's scale (He et al. 2015), as torch's own do not."""
    torch.manual_seed(0)
    features = NETWORKS["one-fc"].build().features
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    path = tmp_path_factory.mktemp("init") / "he.safetensors"
    save_file({f"features.{k}": v for k, v in features.state_dict().items()}, path)
    return path


def test_training_learns(folder: Path, convolutions: Path, tmp_path: Path) -> None:
    config = Config(
        "discs", "one-fc", str(convolutions), 2, crops=16, batch=4, lr_fc=3e-5, lr_conv=3e-5
    )
    final = main(config, folder, tmp_path, resume=False, accelerator="cpu")
    assert final.balanced_accuracy > 0.9
    report = json.loads((tmp_path / "metrics.json").read_text())
    assert [h["epoch"] for h in report["history"]] == [1, 2]
    assert report["val"]["val/balanced_accuracy"] == final.balanced_accuracy
    assert report["config"]["lr_conv"] == 3e-5
    with pytest.raises(LrpsegError, match="other settings"):
        main(replace(config, seed=1), folder, tmp_path, resume=True, accelerator="cpu")


def test_resuming_is_exact(
    folder: Path, convolutions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropout, averaged weights and random crops go on as if nothing had stopped."""
    drawn: list[tuple[int, int]] = []

    class RecordedCrops(TrainingCrops):
        def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
            drawn.append((self.epoch, index))
            return super().__getitem__(index)

    monkeypatch.setattr("training.loops.train.TrainingCrops", RecordedCrops)
    config = Config(
        "discs",
        "128n",
        str(convolutions),
        epochs=2,
        crops=4,
        batch=2,
        lr_fc=1e-4,
        ema=0.5,
        augmentation=Augmentation(zoom=(0.8, 1.2), noise=5.0),
    )
    main(config, folder, tmp_path / "whole", resume=False, accelerator="cpu")
    main(replace(config, epochs=1), folder, tmp_path / "parts", resume=True, accelerator="cpu")
    main(config, folder, tmp_path / "parts", resume=True, accelerator="cpu")

    assert drawn == [(epoch, index) for epoch in range(2) for index in range(4)] * 2
    whole, parts = (load_states(tmp_path / name) for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert len(whole) == 3 * 22 + 1  # best, last and averaged weights, and the averaging's steps
    assert [k for k in whole if not torch.equal(whole[k], parts[k])] == []
    one, two = (json.loads((tmp_path / n / "metrics.json").read_text()) for n in ("whole", "parts"))
    assert one == two
    assert one["history"][0]["train_loss"] != one["history"][1]["train_loss"]


def load_states(out: Path) -> dict[str, Tensor]:
    states = {f"best {k}": v for k, v in load_file(out / "best.safetensors").items()}
    last = torch.load(out / "last.ckpt", weights_only=True)
    for part in ("model", "averaged"):
        states |= {f"{part} {k}": v for k, v in last[part].items()}
    return states


def test_learning_rate_schedules() -> None:
    constant = Config("d", "one-fc", "none")
    cosine = replace(constant, schedule="cosine")
    assert [learning_rate_factor(constant, i, 4) for i in range(5)] == [1] * 5
    expected = [1, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5, 0]
    assert [learning_rate_factor(cosine, i, 4) for i in range(5)] == pytest.approx(expected)
    assert learning_rate_factor(cosine, 0, 0) == 1


def test_start_from_convolutions_or_from_a_whole_network(
    convolutions: Path, tmp_path: Path
) -> None:
    held = load_file(convolutions)
    model = initialise("one-fc", str(convolutions), seed=3)
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in held.items())
    fresh = initialise("one-fc", "none", seed=3).state_dict()
    assert torch.equal(model.classifier[0].weight, fresh["classifier.0.weight"])
    assert not torch.equal(model.features[0].weight, fresh["features.0.weight"])

    save_file({k: v.half() for k, v in model.state_dict().items()}, tmp_path / "all.safetensors")
    again = initialise("one-fc", str(tmp_path / "all.safetensors"), seed=4).classifier[0]
    assert torch.equal(again.weight, model.classifier[0].weight.half().float())
    other = initialise("128n", str(tmp_path / "all.safetensors"), seed=4)  # convolutions alone
    assert torch.equal(other.features[0].bias, held["features.0.bias"])
    assert other.classifier[0].weight.shape == (128, 25088)


def test_start_from_a_file_that_does_not_fit(convolutions: Path, tmp_path: Path) -> None:
    held = load_file(convolutions)
    lacking = {k: v for k, v in held.items() if k != "features.18.bias"}
    narrow = held | {"features.18.bias": torch.zeros(7)}
    for name, tensors in (("lacking", lacking), ("narrow", narrow), ("none", {"a": torch.ones(1)})):
        save_file(tensors, tmp_path / name)
        with pytest.raises(LrpsegError, match=rf"{name} does not hold the convolutions"):
            initialise("one-fc", str(tmp_path / name), seed=0)
    with pytest.raises(CheckpointError, match="missing"):
        initialise("one-fc", str(tmp_path / "nowhere.safetensors"), seed=0)
