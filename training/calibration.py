"""Makes a classifier's probability of damage mean what it says, on its domain's validation split.

    python -m training.calibration --data DIR --domain magnetic-tile --network one-fc --out FILE

`training.train` does the same at its end, and `training.self_train` with two networks' log-odds.
`training.beyond` reports how well it holds (reliability curve, expected calibration error).
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from lrpseg.checkpoints import load_checkpoint, read_tensors, save_checkpoint
from lrpseg.devices import pick_device
from lrpseg.domains import load_domain
from lrpseg.networks import NETWORKS, classifiers
from lrpseg.vgg import VggA
from training.datasets import READERS, read
from training.validation import Validation, classify


def platt(log_odds: NDArray[np.float64], labels: NDArray[np.int64]) -> tuple[list[float], float]:
    """Weights (K), none below 0, and the offset of a logistic function of N rows of log-odds (N, K)
    that fits N labels (1: damaged), both classes weighing the same (Platt 1999).

    scikit-learn's regularisation keeps the weights finite where both classes are told apart
    without a mistake.
    """
    fit = LogisticRegression(class_weight="balanced").fit(log_odds, labels)
    weights = np.maximum(fit.coef_[0], 0)  # more evidence never speaks against damage
    return weights.tolist(), float(fit.intercept_[0])


def fold(model: VggA, slope: float, offset: float) -> None:
    """Put slope * (z1 - z0) + offset in place of the log-odds z1 - z0, in the output layer.

    LRP's relevance of the log-odds is multiplied by the slope, all of it alike.
    """
    _, output = model.fc_layers()[-1]
    with torch.no_grad():
        output.weight.mul_(slope)
        half = torch.tensor([-offset / 2, offset / 2])
        output.bias.mul_(slope).add_(half.to(output.bias.device))


def both_kinds(crops: Tensor, tiles: Tensor, validation: Validation) -> NDArray[np.float64]:
    """Log-odds (N,) of the validation crops and then of the whole pictures, from the logits (n, 2)
    of crops and tiles; a whole picture's are its most damaged tile's."""
    logits = torch.cat([crops, validation.whole(tiles)]).double()
    return np.asarray(logits[:, 1] - logits[:, 0])


def labels_of(validation: Validation) -> NDArray[np.int64]:
    """Labels (N,) in the order of `both_kinds`."""
    return torch.cat([validation.labels, validation.whole_labels]).numpy()


def calibrate(model: VggA, validation: Validation, device: torch.device) -> tuple[float, float]:
    """Fit on centre crops and whole pictures alike, change `model`, and return (slope, offset)."""
    odds = both_kinds(
        classify(model, validation.crops, device),
        classify(model, validation.tiles, device),
        validation,
    )
    (slope,), offset = platt(odds[:, None], labels_of(validation))
    fold(model, slope, offset)
    return slope, offset


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.calibration", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of the data set")
    add("--domain", required=True, help="a domain's name, or its folder")
    add("--network", choices=classifiers(NETWORKS), default="one-fc")
    add("--checkpoint", type=Path, help="instead of the domain's own")
    add("--out", type=Path, required=True, help="the safetensors file to write")
    add("--seed", type=int, default=0)
    add("--device", default="auto")
    args = parser.parse_args(words)
    device, domain = pick_device(args.device), load_domain(args.domain)
    path = args.checkpoint or domain.checkpoint(args.network)
    model = load_checkpoint(path, args.network).to(device)
    reader = domain.name if domain.name in READERS else "folder"
    validation = Validation.of(read(reader, args.data, args.seed).splits["val"], flips=True)
    slope, offset = calibrate(model, validation, device)
    _, about = read_tensors(path)
    about["calibration"] = json.dumps({"slope": slope, "offset": offset})
    save_checkpoint(model, args.out, args.network, about)
    print(f"{args.out}: log-odds times {slope:.3f}, plus {offset:.3f}")


if __name__ == "__main__":
    main()
