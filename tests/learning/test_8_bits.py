"""Learning goes on when the weights that it stands on are stored in 8 bits."""

import shutil
from pathlib import Path

import pytest
import torch

from lrpseg.domains import learned_domains, load_domain
from lrpseg.domains.weights import load_decider
from lrpseg.learning import Recipe, learn
from lrpseg.models.checkpoints import read_tensors
from lrpseg.models.self_trained import fingerprint
from lrpseg.workspace import Workspace
from tests.learning.support import CPU, save
from training.data.datasets import DataSet
from training.shipping.compact import compact

FEW = Recipe(steps=2, batch=2, keep=1, pool=4, size=64)


def test_versions_of_before_open_and_new_ones_are_learned(
    shipped: Path, filled: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(shipped, tmp_path / "assets")
    monkeypatch.setenv("LRPSEG_ASSETS", str(tmp_path / "assets"))
    assert save() == "toy-v1"
    former = load_decider(load_domain("toy-v1"), "self-trained")
    for network in ("one-fc", "self-trained"):
        compact(load_domain("toy"), network, DataSet("", {}), CPU)

    now = load_decider(load_domain("toy"), "self-trained")
    assert not torch.equal(fingerprint(now.classifier), fingerprint(former.classifier))
    assert torch.equal(now.own.features, fingerprint(now.classifier))
    old = load_decider(load_domain("toy-v1"), "self-trained")
    assert torch.equal(old.own.features, former.own.features)
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(old.likelihood(x), former.likelihood(x), atol=0.05)

    for start, made in (("toy", "toy-v2"), ("toy-v1", "toy-v3")):
        learned = learn(Workspace(filled), domain=start, recipe=FEW, hold_out=0, device="cpu")
        assert learned.domain.name == made
        own = load_decider(learned.domain, "self-trained").own
        assert own.belongs_to(now.classifier)
        assert "precision" not in read_tensors(learned.domain.checkpoint("self-trained"))[1]
    assert learned_domains() == ["toy-v1", "toy-v2", "toy-v3"]
