"""Weights and domains on disk: round trips, and errors that tell what is wrong."""

import json
from pathlib import Path

import pytest
import torch

from lrpseg.core.errors import CheckpointError, OptionError
from lrpseg.domains import load_domain
from lrpseg.models.checkpoints import (
    checkpoint_hash,
    load_checkpoint,
    load_network,
    save_checkpoint,
)
from lrpseg.models.networks import NETWORKS


def test_missing_damaged_and_foreign_checkpoints_are_told_apart(
    toy_assets: Path, tmp_path: Path
) -> None:
    good = toy_assets / "toy" / "one-fc.safetensors"
    path = tmp_path / "one-fc.safetensors"
    with pytest.raises(CheckpointError, match=r"missing.*training\.loops\.train"):
        load_checkpoint(path, "one-fc")
    with pytest.raises(CheckpointError, match=r"missing.*training\.loops\.train"):
        checkpoint_hash(path)
    path.write_bytes(good.read_bytes()[:5000])
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(path, "one-fc")
    path.write_bytes(b"\x80\x04pickle, for all we know")
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(path, "one-fc")
    with pytest.raises(CheckpointError, match="holds the network 'one-fc', not '128n'"):
        load_checkpoint(good, "128n")
    model = NETWORKS["128n"].build()
    save_checkpoint(model, path, "one-fc")  # says one thing and holds another
    with pytest.raises(CheckpointError, match="does not fit"):
        load_checkpoint(path, "one-fc")
    with torch.no_grad():
        model.classifier[0].bias[0] = float("nan")
    save_checkpoint(model, path, "128n")
    with pytest.raises(CheckpointError, match="NaN"):
        load_checkpoint(path, "128n")


@pytest.mark.parametrize("network", NETWORKS)
def test_matrices_come_back_to_half_precision_and_vectors_whole(
    network: str, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    model = NETWORKS[network].build()
    path = tmp_path / "deep" / "x.safetensors"
    save_checkpoint(model, path, network)
    assert path.stat().st_size < 30e6
    assert list(path.parent.iterdir()) == [path]
    loaded = load_network(path, network)
    assert not loaded.training
    for name, tensor in model.state_dict().items():
        kept = tensor.half().float() if tensor.ndim >= 2 else tensor
        assert torch.equal(loaded.state_dict()[name], kept)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("classes", ["damaged"]),
        ("normalisation", {"mean": [0, 0], "std": [1, 1]}),
        ("normalisation", {"mean": [0, 0, 0], "std": [1, 0, 1]}),
        ("checkpoints", {"one-fc": "../elsewhere.safetensors"}),
        ("title", None),
    ],
)
def test_a_broken_domain_file_is_named(toy_assets: Path, tmp_path: Path, key: str, value) -> None:  # type: ignore[no-untyped-def]
    entry = json.loads((toy_assets / "toy" / "domain.json").read_text())
    if value is None:
        del entry[key]
    else:
        entry[key] = value
    (tmp_path / "domain.json").write_text(json.dumps(entry))
    with pytest.raises(OptionError, match=r"domain\.json cannot be used"):
        load_domain(tmp_path)
