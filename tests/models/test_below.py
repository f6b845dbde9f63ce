"""Weights files that share tensors with another: there and back, and what does not fit."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lrpseg.core.errors import CheckpointError
from lrpseg.models.precision import EIGHT_BITS
from lrpseg.models.tensors import checkpoint_hash, fill, read_tensors, save_checkpoint, save_tensors
from lrpseg.models.vgg import VGG_A, Vgg


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """Convolutions of a narrow VGG-A, in 8 bits."""
    path = tmp_path / "assets" / "shared" / "vgg-a.safetensors"
    torch.manual_seed(0)
    features = Vgg(VGG_A, width=16, side=32).features.state_dict()
    save_tensors({f"features.{k}": v for k, v in features.items()}, {}, path, EIGHT_BITS)
    return path


@pytest.fixture
def network(start: Path) -> Vgg:
    """It, of which the last convolution and the head were trained."""
    torch.manual_seed(1)
    model = Vgg(VGG_A, width=16, side=32)
    model.load_state_dict(model.state_dict() | read_tensors(start)[0])
    with torch.no_grad():
        model.features[18].weight += 0.01
    return model.requires_grad_(False)


def _place(start: Path) -> Path:
    return start.parents[1] / "surface" / "one-fc.safetensors"


def test_only_what_differs_is_stored_and_all_is_read(start: Path, network: Vgg) -> None:
    path = _place(start)
    save_checkpoint(network, path, "one-fc", below=start)
    assert load_file(path).keys() == {
        "features.18.weight", "classifier.0.weight", "classifier.0.bias",
    }  # fmt: skip
    back = fill(Vgg(VGG_A, width=16, side=32), path, "one-fc")
    lower = read_tensors(start)[0]
    for name, tensor in back.state_dict().items():
        wanted: Tensor = network.state_dict()[name]
        assert torch.equal(tensor, lower[name] if name in lower and name != "features.18.weight"
                           else wanted.half().float() if wanted.ndim > 1 else wanted)  # fmt: skip


def test_the_shared_file_is_found_beside_and_where_it_is_shipped(
    start: Path, network: Vgg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _place(start)
    save_checkpoint(network, made, "one-fc", below=start)
    elsewhere = tmp_path / "elsewhere" / "surface" / made.name
    elsewhere.parent.mkdir(parents=True)
    shutil.copy(made, elsewhere)
    monkeypatch.setenv("LRPSEG_ASSETS", str(tmp_path / "none"))
    with pytest.raises(CheckpointError, match=r"vgg-a\.safetensors is missing"):
        read_tensors(elsewhere)
    monkeypatch.setenv("LRPSEG_ASSETS", str(start.parents[1]))
    wanted = read_tensors(made)[0]
    assert read_tensors(elsewhere)[0].keys() == wanted.keys()
    monkeypatch.setenv("LRPSEG_ASSETS", str(tmp_path / "none"))
    shutil.copy(start, elsewhere.parent)
    assert read_tensors(elsewhere)[0].keys() == wanted.keys()


def test_another_shared_file_is_not_taken(start: Path, network: Vgg) -> None:
    path = _place(start)
    save_checkpoint(network, path, "one-fc", below=start)
    before = checkpoint_hash(path)
    save_tensors({k: v + 1 for k, v in read_tensors(start)[0].items()}, {}, start, EIGHT_BITS)
    with pytest.raises(CheckpointError, match="is not the file that"):
        read_tensors(path)
    # What was found with one and with the other is not taken for the same.
    save_checkpoint(network, path, "one-fc", below=start)
    assert checkpoint_hash(path) != before


def test_what_is_stored_again_stands_by_itself(start: Path, network: Vgg, tmp_path: Path) -> None:
    path, whole = _place(start), tmp_path / "whole.safetensors"
    save_checkpoint(network, path, "one-fc", below=start)
    save_tensors(*read_tensors(path), whole)
    start.unlink()
    assert read_tensors(whole)[0].keys() == network.state_dict().keys()
    assert "below" not in read_tensors(whole)[1]


def test_shared_files_share_with_none_and_fit_the_network(
    start: Path, network: Vgg, tmp_path: Path
) -> None:
    path = _place(start)
    save_checkpoint(network, path, "one-fc", below=start)
    with pytest.raises(CheckpointError, match="which the network does not have"):
        save_tensors({"features.0.bias": torch.zeros(16)}, {}, tmp_path / "x.safetensors",
                     below=start)  # fmt: skip
    on_top = path.with_name("on-top.safetensors")
    save_checkpoint(network, on_top, "one-fc", below=path)
    with pytest.raises(CheckpointError, match="shares tensors itself"):
        read_tensors(on_top)


@pytest.mark.parametrize("name", ["../vgg-a.safetensors", "/vgg-a.safetensors", ""])
def test_a_shared_file_is_named_without_a_folder(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_tensors({"a": torch.zeros(2)}, {}, path)
    save_file(load_file(path), path, {"below": name, "below_weights": "0"})
    with pytest.raises(CheckpointError, match=r"named without a folder|missing"):
        read_tensors(path)
