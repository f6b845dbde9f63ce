"""Figures of faithfulness by Quantus itself: reads arrays and a network, writes what it finds.

    python tests/foreign/quantus_figures.py IN.pt OUT.json

Runs where Quantus is (`make loaders`), which has lrpseg's own packages beside it.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import quantus
import torch

warnings.filterwarnings("ignore")


def figures(given: dict) -> dict:
    """All figures of one case, see `tests/lrp/test_quantus.py`."""
    x, maps = given["x"].numpy(), given["maps"].numpy()[:, None]
    masks, instead = given["masks"].numpy()[:, None], given["instead"].numpy()
    model, kinds = given["model"], np.ones(len(x), int)
    quiet = {"disable_warnings": True}
    plain = {"abs": False, "normalise": False, **quiet}
    batch = {"model": model, "x_batch": x, "y_batch": kinds}
    positive = np.maximum(maps, 0)
    found = {
        "mass": quantus.RelevanceMassAccuracy(**plain)(**batch, a_batch=positive, s_batch=masks),
        "rank": quantus.RelevanceRankAccuracy(**plain)(**batch, a_batch=maps, s_batch=masks),
    }

    def replaced(arr: np.ndarray, indices: np.ndarray, **more: object) -> np.ndarray:
        changed, rows = arr.copy(), np.arange(len(arr))[:, None]
        changed[rows, indices] = instead.reshape(len(arr), -1)[rows, indices]
        return changed

    for order in ("morf", "lerf"):
        metric = quantus.RegionPerturbation(
            patch_size=given["side"], order=order, regions_evaluation=given["regions"],
            perturb_func=replaced, **plain,
        )  # fmt: skip
        found[order] = metric(**batch, a_batch=maps, softmax=False)

    def gradient(model: torch.nn.Module, inputs: np.ndarray, targets: object, **more: object):  # type: ignore[no-untyped-def]
        pixels = torch.as_tensor(inputs).float().requires_grad_()
        (slope,) = torch.autograd.grad(model(pixels)[:, 1].sum(), pixels)
        return (slope * pixels).sum(dim=1, keepdim=True).detach().numpy()

    randomised = quantus.MPRT(seed=given["seed"], abs=True, normalise=False, **quiet)
    found["forgetting"] = randomised(
        **batch, a_batch=gradient(model, x, kinds), explain_func=gradient
    )
    return found


def plain(value: object) -> object:
    """As JSON types."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    return np.asarray(value).tolist()


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    given = torch.load(source, weights_only=False)
    target.write_text(json.dumps(plain(figures(given))))
