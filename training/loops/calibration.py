"""Makes a classifier's probability of damage mean what it says, on its domain's validation split.

    python -m training.loops.calibration --data DIR --domain magnetic-tile --network one-fc

Writes slope and offset of the log-odds into the domain's `domain.json`, from where they are applied
whenever the network is loaded; with --out a checkpoint that holds them instead. --keep-decisions
leaves the offset 0 (temperature scaling, Guo et al. 2017, arXiv:1706.04599): no picture changes
sides, and every mask stays as it is. Of several classes each gets a slope and an offset of its own.

`training.loops.train` does the same at its end, and `training.loops.self_train` with the log-odds
of two networks. `training.reports.beyond` reports how well it holds (reliability curve, expected
calibration error).
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from lrpseg.core.devices import pick_device
from lrpseg.core.errors import LrpsegError
from lrpseg.domains import DOMAIN_FILE, Domain, load_domain
from lrpseg.models.checkpoints import (
    load_checkpoint,
    read_tensors,
    save_checkpoint,
)
from lrpseg.models.contract import Classifier
from lrpseg.models.networks import NETWORKS, classifiers
from training.command import add_data, told
from training.data.datasets import Example
from training.data.declared import Subject
from training.loops import entries
from training.loops.validation import Validation

Numbers = float | list[float]
"""A number for an only class, else one for each class."""


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
    """Log-odds (M, K) of the validation crops and then of the whole pictures, from those (n, K) of
    crops and tiles; a whole picture's are its most damaged tile's."""
    return torch.cat([crops.double(), validation.whole(tiles)]).numpy()


def labels_of(validation: Validation) -> NDArray[np.int64]:
    """Labels (M, K) in the order of `both_kinds`."""
    return torch.cat([validation.labels, validation.whole_labels]).numpy()


def calibrate(
    model: Classifier, validation: Validation, device: torch.device, offset: bool = True
) -> tuple[Numbers, Numbers]:
    """Fit on centre crops and whole pictures alike, change `model`, and return (slope, offset): of
    several classes one each, in their order."""
    odds = both_kinds(*validation.log_odds(model, device), validation)
    labels = labels_of(validation)
    fits = [platt(odds[:, [k]], labels[:, k], offset) for k in range(odds.shape[1])]
    slopes, shifts = [weights[0] for weights, _ in fits], [shift for _, shift in fits]
    model.calibrate(slopes, shifts)
    return (slopes[0], shifts[0]) if len(fits) == 1 else (slopes, shifts)


def fit(
    model: Classifier,
    subject: Subject,
    examples: Sequence[Example],
    device: torch.device,
    offset: bool = True,
) -> dict[str, Numbers]:
    """Slope and offset on pictures of the validation split, by their names in `domain.json`;
    changes `model`, which is on `device`.

    Raises:
        LrpsegError: it tells damage from intact no better than chance.
    """
    validation = Validation.of(
        examples, subject.normalisation, flips=True, classes=subject.classes, size=model.tile
    )
    slope, shift = calibrate(model, validation, device, offset)
    if 0 in np.ravel(slope):
        raise LrpsegError(
            "The network cannot be calibrated: it tells damage from intact no better than chance. "
            "Train longer, or from better weights."
        )
    return {"slope": slope, "offset": shift}


def in_words(slope: Numbers, offset: Numbers, classes: Sequence[str]) -> str:
    """Slope and offset for people."""
    slopes, offsets = (v if isinstance(v, list) else [v] for v in (slope, offset))
    of = [f" ({name})" if len(classes) > 1 else "" for name in classes]
    each = (
        f"times {a:.3f}, plus {b:.3f}{name}" for a, b, name in zip(slopes, offsets, of, strict=True)
    )
    return f"log-odds {'; '.join(each)}"


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.loops.calibration", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add_data(parser, domain=None)
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
    subject = Subject.known(domain)
    model = load_checkpoint(path, args.network, subject.classes).to(device)
    val = subject.read(args.data, args.seed).splits["val"]
    fitted = fit(model, subject, val, device, offset=not args.keep_decisions)
    if args.out:
        _, about = read_tensors(path)
        about["calibration"] = json.dumps(fitted)
        save_checkpoint(model, args.out, args.network, about)
    else:
        store(domain, args.network, fitted)
    where = args.out or domain.folder / DOMAIN_FILE
    print(f"{where}: {in_words(fitted['slope'], fitted['offset'], subject.classes)}")


def store(domain: Domain, network: str, fitted: Mapping[str, Numbers]) -> None:
    """Write slope and offset of a domain's classifier into its `domain.json`, beside the hash of
    its weights."""
    short = {name: _short(value) for name, value in fitted.items()}
    entries.store(domain, "calibration", network, short)


def _short(value: Numbers) -> Numbers:
    """Four digits, as the file holds them."""
    if isinstance(value, list):
        return [float(f"{v:.4g}") for v in value]
    return float(f"{value:.4g}")


if __name__ == "__main__":
    with told():
        main()
