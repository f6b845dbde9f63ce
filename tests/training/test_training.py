"""Figures against scikit-learn and by hand, and a training that learns and resumes exactly."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from lrpseg.core.errors import CheckpointError, LrpsegError, OptionError
from lrpseg.models.networks import NETWORKS
from tests.training.support import SIDE, narrow_network
from training.data.crops import Augmentation
from training.data.training_crops import TrainingCrops
from training.loops.classifier import classification_loss
from training.loops.loop import SCHEDULES
from training.loops.train import Config, initialise, main

CPU = torch.device("cpu")

# ------------------------------------------------------------------------------------- training


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Small tensors: threads that wait for each other cost more than they bring."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with narrow_network():
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures with a large bright disc (damaged) and ten with a dark one."""
    root = tmp_path_factory.mktemp("discs")
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for kind, level in (("damaged", 230), ("intact", 25)):
        (root / kind).mkdir()
        for k in range(10):
            image = random.integers(100, 140, (SIDE, SIDE, 3), dtype=np.uint8)
            y, x = random.integers(38, 58, 2)
            image[(rows - y) ** 2 + (columns - x) ** 2 < 34**2] = level
            Image.fromarray(image).save(root / kind / f"{k}.png")
    return root


@pytest.fixture(scope="module")
def convolutions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random convolutions that keep a signal's scale (He et al. 2015), as torch's own do not."""
    torch.manual_seed(0)
    features = NETWORKS["narrow"].build().features  # type: ignore[union-attr]
    path = tmp_path_factory.mktemp("init") / "he.safetensors"
    save_file({f"features.{k}": v for k, v in features.state_dict().items()}, path)
    return path


def test_training_learns(folder: Path, convolutions: Path, tmp_path: Path) -> None:
    config = Config(
        domain="discs", network="narrow", init=str(convolutions), epochs=2, crops=32, batch=4,
        lr_fc=1e-3, lr_conv=1e-3,
    )  # fmt: skip
    final = main(config, folder, tmp_path, resume=False, accelerator="cpu")
    assert final.balanced_accuracy > 0.9
    report = json.loads((tmp_path / "metrics.json").read_text())
    assert [h["epoch"] for h in report["history"]] == [1, 2]
    assert report["val"]["val/balanced_accuracy"] == final.balanced_accuracy
    assert report["config"]["lr_conv"] == 1e-3
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
        domain="discs",
        network="narrow-hidden",
        init=str(convolutions),
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
    assert len(whole) == 3 * 20 + 1  # best, last and averaged weights, and the averaging's steps
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
    assert [SCHEDULES["constant"](i / 4) for i in range(5)] == [1] * 5
    expected = [1, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5, 0]
    assert [SCHEDULES["cosine"](i / 4) for i in range(5)] == pytest.approx(expected)


def test_stopping_early_does_not_change_the_schedule(folder: Path, tmp_path: Path) -> None:
    config = Config(
        domain="discs", network="narrow", init="none", epochs=3, crops=4, batch=2, schedule="cosine"
    )
    main(config, folder, tmp_path / "whole", resume=False, accelerator="cpu")
    main(replace(config, stop=1), folder, tmp_path / "parts", resume=False, accelerator="cpu")
    history = [
        json.loads((tmp_path / n / "metrics.json").read_text())["history"]
        for n in ("whole", "parts")
    ]
    assert len(history[0]) == 3
    assert history[1] == history[0][:1]
    with pytest.raises(LrpsegError, match="ema is 0"):
        replace(config, ema=1.0)


def test_loss_of_several_classes_is_the_binary_cross_entropy_of_each() -> None:
    z = torch.tensor([[0.0, 2.0], [-1.0, 3.0]], dtype=torch.float64)
    labels = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    p = torch.sigmoid(z)
    by_hand = -(labels * p.log() + (1 - labels) * (1 - p).log()).mean()
    assert float(classification_loss(z, labels)) == pytest.approx(float(by_hand))
    # Smoothing gives half of the share to each side, as it does for one class.
    one = torch.tensor([[0.0, 2.0]], dtype=torch.float64)
    both = classification_loss(one, torch.tensor([1]), 0.1)
    same = classification_loss(one[:, 1:] - one[:, :1], torch.ones(1, 1, dtype=torch.float64), 0.1)
    assert float(both) == pytest.approx(float(same))


def test_start_from_convolutions_or_from_a_whole_network(
    convolutions: Path, tmp_path: Path
) -> None:
    held = load_file(convolutions)
    model = initialise("narrow", str(convolutions), seed=3)
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in held.items())
    fresh = initialise("narrow", "none", seed=3).state_dict()
    assert torch.equal(model.classifier[0].weight, fresh["classifier.0.weight"])
    assert not torch.equal(model.features[0].weight, fresh["features.0.weight"])

    save_file({k: v.half() for k, v in model.state_dict().items()}, tmp_path / "all.safetensors")
    again = initialise("narrow", str(tmp_path / "all.safetensors"), seed=4).classifier[0]
    assert torch.equal(again.weight, model.classifier[0].weight.half().float())
    other = initialise(
        "narrow-hidden", str(tmp_path / "all.safetensors"), seed=4
    )  # convolutions alone
    assert torch.equal(other.features[0].bias, held["features.0.bias"])
    assert other.classifier[0].weight.shape == (16, 32 * 3 * 3)


def test_start_from_a_file_that_does_not_fit(convolutions: Path, tmp_path: Path) -> None:
    held = load_file(convolutions)
    lacking = {k: v for k, v in held.items() if k != "features.18.bias"}
    narrow = held | {"features.18.bias": torch.zeros(7)}
    for name, tensors in (("lacking", lacking), ("narrow", narrow), ("none", {"a": torch.ones(1)})):
        save_file(tensors, tmp_path / name)
        with pytest.raises(LrpsegError, match=rf"{name}: .* of the features"):
            initialise("narrow", str(tmp_path / name), seed=0)
    with pytest.raises(CheckpointError, match="missing"):
        initialise("narrow", str(tmp_path / "nowhere.safetensors"), seed=0)


def test_frozen_stages_stay_as_they_start(folder: Path, convolutions: Path, tmp_path: Path) -> None:
    config = Config(
        domain="discs", network="narrow", init=str(convolutions), frozen=4, epochs=1, crops=8,
        batch=4, ema=0.5,
    )  # fmt: skip
    main(config, folder, tmp_path, resume=False, accelerator="cpu")
    start = load_file(convolutions)
    last = torch.load(tmp_path / "last.ckpt", weights_only=True)
    for held in (
        last["model"],
        {k.removeprefix("module."): v for k, v in last["averaged"].items()},
    ):
        moved = {k for k, v in start.items() if not torch.equal(held[k], v)}
        assert moved == {f"features.{i}.{part}" for i in (16, 18) for part in ("weight", "bias")}
    with pytest.raises(OptionError, match="the network has 5"):
        main(replace(config, frozen=5), folder, tmp_path / "5", resume=False, accelerator="cpu")


def test_batch_norms_of_frozen_stages_count_nothing(folder: Path, tmp_path: Path) -> None:
    config = Config(
        domain="discs", network="resnet-18", init="none", frozen=1, epochs=1, crops=2, batch=2
    )
    start = initialise("resnet-18", "none", seed=0).state_dict()
    main(config, folder, tmp_path, resume=False, accelerator="cpu")
    held = torch.load(tmp_path / "last.ckpt", weights_only=True)["model"]
    still = {k for k, v in start.items() if torch.equal(held[k], v)}
    assert {k for k in start if k.startswith(("conv1.", "bn1."))} <= still
    assert not any(k.endswith("running_mean") for k in still if k.startswith("layer"))


def test_a_training_from_before_a_setting_goes_on(
    folder: Path, convolutions: Path, tmp_path: Path
) -> None:
    config = Config(
        domain="discs", network="narrow", init=str(convolutions), epochs=2, crops=4, batch=2
    )
    main(replace(config, epochs=1), folder, tmp_path, resume=False, accelerator="cpu")
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)
    del state["config"]["frozen"]
    torch.save(state, tmp_path / "last.ckpt")
    with pytest.raises(LrpsegError, match="other settings"):
        main(replace(config, frozen=1), folder, tmp_path, resume=True, accelerator="cpu")
    main(config, folder, tmp_path, resume=True, accelerator="cpu")
    report = json.loads((tmp_path / "metrics.json").read_text())
    assert [h["epoch"] for h in report["history"]] == [1, 2]
