"""Networks beside the paper's: with weights of their own they annotate like any other."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import lrpseg
from lrpseg.cli import main
from lrpseg.models.checkpoints import save_checkpoint
from lrpseg.models.networks import NETWORKS


@pytest.mark.parametrize("network", ["vgg-16", "resnet-18"])
def test_a_domain_of_another_network_annotates(network: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = NETWORKS[network].build()
    with torch.no_grad():
        model.output.bias.copy_(torch.tensor([-3.0, 3.0]))
    folder = tmp_path / "mine"
    folder.mkdir()
    save_checkpoint(model, folder / "weights.safetensors", network)
    entry = {
        "title": "Mine", "classes": ["intact", "damaged"],
        "normalisation": {"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]},
        "checkpoints": {network: "weights.safetensors"},
    }  # fmt: skip
    (folder / "domain.json").write_text(json.dumps(entry))
    image = np.random.default_rng(0).integers(100, 200, (224, 224, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    arguments = ["--domain", str(folder), "--out", str(tmp_path / "out"), "--device", "cpu"]
    assert main(["annotate", str(tmp_path / "a.png"), *arguments, "--format", "png,coco"]) == 0
    mask = np.asarray(Image.open(tmp_path / "out" / "png" / "a.png")) > 0
    result = lrpseg.load(str(folder), device="cpu")(tmp_path / "a.png")
    assert result.settings.network == network
    assert result.damaged
    assert np.isfinite(result.relevance).all()
    assert np.abs(result.relevance).max() > 0
    # One thread more or less changes the last digits of relevance, which may move single pixels.
    assert np.mean(mask == result.mask) > 0.999
    assert result.mask.any()
