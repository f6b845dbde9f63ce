"""Things that many tests need: a toy domain with random weights, drawn pictures, and limits."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from lrpseg.models.checkpoints import load_checkpoint, save_checkpoint
from lrpseg.models.networks import NETWORKS
from lrpseg.models.self_trained import Decider

os.environ["LRPSEG_DOMAINS"] = ""  # what whoever runs the tests has learned is no part of them

DOMAIN = {
    "title": "Toy surfaces",
    "classes": ["intact", "damaged"],
    "normalisation": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
    "checkpoints": {"one-fc": "one-fc.safetensors"},
}


def add_self_trained(folder: Path, seed: int = 0) -> Decider:
    """Give the domain in `folder`, which has a one-fc, an untrained self-trained network."""
    torch.manual_seed(seed)
    decider = Decider.untrained(load_checkpoint(folder / "one-fc.safetensors", "one-fc"))
    save_checkpoint(decider.own, folder / "self-trained.safetensors", "self-trained")
    held = {name: f"{name}.safetensors" for name in ("one-fc", "self-trained")}
    (folder / "domain.json").write_text(json.dumps(DOMAIN | {"checkpoints": held}))
    return decider.eval()


@pytest.fixture(scope="session")
def toy_assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An assets folder with the domain `toy`: a random network that calls everything damaged."""
    assets = tmp_path_factory.mktemp("assets")
    torch.manual_seed(0)
    model = NETWORKS["one-fc"].build()
    with torch.no_grad():
        model.classifier[0].bias.copy_(torch.tensor([-3.0, 3.0]))
    (assets / "toy").mkdir()
    save_checkpoint(model, assets / "toy" / "one-fc.safetensors", "one-fc", {"seed": "0"})
    (assets / "toy" / "domain.json").write_text(json.dumps(DOMAIN))
    return assets


@pytest.fixture
def picture() -> np.ndarray:
    """(250, 300, 3) uint8: a bright surface with noise and a dark spot."""
    random = np.random.default_rng(0)
    image = random.integers(150, 200, (250, 300, 3), dtype=np.uint8)
    image[100:120, 140:170] = 30
    return image


@pytest.fixture
def only_toy(toy_assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The domain `toy` is the only shipped one."""
    monkeypatch.setenv("LRPSEG_ASSETS", str(toy_assets))
