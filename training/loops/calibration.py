"""Makes a classifier's probability of damage mean what it says, on its domain's validation split.

    python -m training.loops.calibration --data DIR --domain magnetic-tile --network one-fc

Writes slope and offset of the log-odds into the domain's `domain.json`, from where they are applied
whenever the network is loaded; with --out a checkpoint that holds them instead. --keep-decisions
leaves the offset 0 (temperature scaling, Guo et al. 2017, arXiv:1706.04599): no picture changes
sides, and every mask stays as it is.

`training.loops.train` does the same at its end, and `training.loops.self_train` with the log-odds
of two networks. `training.reports.beyond` reports how well it holds (reliability curve, expected
calibration error).
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from lrpseg.core.devices import pick_device
from lrpseg.domains import DOMAIN_FILE, Domain, load_domain
from lrpseg.masks.render import save_text
from lrpseg.models.checkpoints import (
    checkpoint_hash,
    load_checkpoint,
    read_tensors,
    save_checkpoint,
)
from lrpseg.models.networks import NETWORKS, classifiers
from lrpseg.models.vgg import VggA
from training.command import told
from training.data.datasets import READERS, read
from training.loops.validation import Validation, classify


def platt(
    log_odds: NDArray[np.float64], labels: NDArray[np.int64], offset: bool = True
) -> tuple[list[float], float]:
    """Weights (K), none below 0, and the offset of a logistic function of N rows of log-odds (N, K)
    that fits N labels (1: damaged), both classes weighing the same (Platt 1999).

    scikit-learn's regularisation keeps the weights finite where both classes are told apart
    without a mistake. Without `offset` it is 0.
    """
    fit = LogisticRegression(class_weight="balanced", fit_intercept=offset).fit(log_odds, labels)
    weights = np.maximum(fit.coef_[0], 0)  # more evidence never speaks against damage
    return weights.tolist(), float(np.ravel(fit.intercept_)[0])


def both_kinds(crops: Tensor, tiles: Tensor, validation: Validation) -> NDArray[np.float64]:
    """Log-odds (N,) of the validation crops and then of the whole pictures, from the logits (n, 2)
    of crops and tiles; a whole picture's are its most damaged tile's."""
    logits = torch.cat([crops, validation.whole(tiles)]).double()
    return np.asarray(logits[:, 1] - logits[:, 0])


def labels_of(validation: Validation) -> NDArray[np.int64]:
    """Labels (N,) in the order of `both_kinds`."""
    return torch.cat([validation.labels, validation.whole_labels]).numpy()


def calibrate(
    model: VggA, validation: Validation, device: torch.device, offset: bool = True
) -> tuple[float, float]:
    """Fit on centre crops and whole pictures alike, change `model`, and return (slope, offset)."""
    odds = both_kinds(
        classify(model, validation.crops, device),
        classify(model, validation.tiles, device),
        validation,
    )
    (slope,), shift = platt(odds[:, None], labels_of(validation), offset)
    model.calibrate(slope, shift)
    return slope, shift


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.loops.calibration", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of the data set")
    add("--domain", required=True, help="a domain's name, or its folder")
    add("--network", choices=classifiers(NETWORKS), default="one-fc")
    add("--checkpoint", type=Path, help="instead of the domain's own; needs --out")
    add("--out", type=Path, help="a safetensors file to write instead of domain.json")
    add("--keep-decisions", action="store_true", help="a slope alone")
    add("--seed", type=int, default=0)
    add("--device", default="auto")
    args = parser.parse_args(words)
    if args.checkpoint and not args.out:
        parser.error("--checkpoint needs --out: what domain.json says is of the domain's own.")
    device, domain = pick_device(args.device), load_domain(args.domain)
    path = args.checkpoint or domain.checkpoint(args.network)
    model = load_checkpoint(path, args.network).to(device)
    reader = domain.name if domain.name in READERS else "folder"
    validation = Validation.of(read(reader, args.data, args.seed).splits["val"], flips=True)
    slope, offset = calibrate(model, validation, device, offset=not args.keep_decisions)
    if slope == 0:
        raise SystemExit(
            f"{path} cannot be calibrated: it tells damage from intact no better than chance."
        )
    fitted = {"slope": slope, "offset": offset}
    if args.out:
        _, about = read_tensors(path)
        about["calibration"] = json.dumps(fitted)
        save_checkpoint(model, args.out, args.network, about)
    else:
        store(domain, args.network, fitted)
    where = args.out or domain.folder / DOMAIN_FILE
    print(f"{where}: log-odds times {slope:.3f}, plus {offset:.3f}")


def store(domain: Domain, network: str, fitted: Mapping[str, float]) -> None:
    """Write slope and offset of a domain's classifier into its `domain.json`, beside the hash of
    its weights."""
    path = domain.folder / DOMAIN_FILE
    entry = json.loads(path.read_text("utf-8"))
    held: dict[str, float | str] = {n: float(f"{value:.4g}") for n, value in fitted.items()}
    held["weights"] = checkpoint_hash(domain.checkpoint(network))
    entry["calibration"] = entry.get("calibration", {}) | {network: held}
    save_text(json.dumps(entry, indent=2) + "\n", path)


if __name__ == "__main__":
    with told():
        main()
