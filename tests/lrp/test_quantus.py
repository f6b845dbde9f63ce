"""Figures of faithfulness are those of Quantus (`make loaders` installs it)."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lrpseg.lrp.faithfulness import (
    falls,
    local_mean,
    randomised,
    rank_accuracy,
    rank_correlation,
    ranks,
    region_sums,
    relevance_mass,
)
from lrpseg.models.contract import Classifier
from tests.lrp import networks

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "foreign" / "quantus_figures.py"
SIDE, SEED = 8, 5


def python() -> Path:
    """The interpreter that has Quantus; skips where there is none."""
    found = Path(os.environ.get("LRPSEG_LOADERS", ROOT / ".venv-loaders" / "bin" / "python"))
    if not found.exists():
        pytest.skip(f"{found} is missing: `make loaders` installs it.")
    if subprocess.run([found, "-c", "import quantus"], capture_output=True).returncode:
        pytest.skip(f"{found} has no Quantus: `make loaders` installs it.")
    return found


def gradient(model: Classifier, x: Tensor) -> Tensor:
    """Input times gradient, (B, H, W): a map that both can make."""
    pixels = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(model(pixels)[:, 1].sum(), pixels)
    return (slope * pixels).sum(dim=1).detach()


def test_figures_are_those_of_quantus(tmp_path: Path) -> None:
    model = networks.make("vgg-a 128n").float()  # Quantus hands float32 on
    x = networks.pictures(model, 3).float()
    torch.manual_seed(2)
    maps = torch.randn(3, 32, 32, dtype=torch.float64)
    masks = torch.rand(3, 32, 32) > 0.8
    instead = local_mean(x, 9)
    given = {"x": x, "maps": maps, "masks": masks, "instead": instead, "model": model,
             "side": SIDE, "regions": 16, "seed": SEED}  # fmt: skip
    torch.save(given, tmp_path / "in.pt")
    command = [python(), SCRIPT, tmp_path / "in.pt", tmp_path / "out.json"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads((tmp_path / "out.json").read_text())

    assert relevance_mass(maps, masks).tolist() == pytest.approx(found["mass"])
    assert rank_accuracy(maps, masks).tolist() == pytest.approx(found["rank"])
    sums = region_sums(maps, SIDE)
    for order, scores in (("morf", sums), ("lerf", -sums)):
        own = falls(lambda x: model(x)[:, 1], x, instead, ranks(scores), range(1, 17), SIDE)
        for mine, theirs in zip(own.tolist(), found[order], strict=True):
            assert mine == pytest.approx(theirs, rel=1e-4, abs=1e-6)
    before, forgetting = gradient(model, x), found["forgetting"]
    assert forgetting.pop("original") == pytest.approx([1] * 3)
    with torch.enable_grad():
        layers = {n: gradient(m, x) for n, m in randomised(model, SEED + 1)}
    assert list(layers) == list(forgetting)
    for name, after in layers.items():
        assert rank_correlation(before, after).tolist() == pytest.approx(forgetting[name], abs=1e-4)
