"""Scores a shipped classifier on a split, on centre crops (paper 3.4) and on whole images.

    python -m training.classification --data DIR --domain magnetic-tile --network one-fc --split val

Intervals resample regions, not pictures: pictures of one region are near-identical.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from lrpseg.checkpoints import load_checkpoint
from lrpseg.devices import pick_device
from lrpseg.domains import load_domain
from lrpseg.networks import NETWORKS
from training.datasets import READERS, Example, read
from training.validation import Validation, classify


def classification_rows(
    examples: Sequence[Example], probabilities: Sequence[float], seed: int = 0, rounds: int = 2000
) -> str:
    """Balanced accuracy, TPR and TNR at probability 0.5, with 95 % intervals, as a table row."""
    labels = np.array([e.damaged for e in examples])
    right = (np.array(probabilities) > 0.5) == labels
    regions = np.array([e.region for e in examples])
    random = np.random.default_rng(seed)

    def rates(damaged: bool) -> tuple[float, np.ndarray]:
        here = labels == damaged
        names = np.unique(regions[here])
        hits = np.array([right[here][regions[here] == n].sum() for n in names], float)
        sizes = np.array([(regions[here] == n).sum() for n in names], float)
        drawn = random.integers(len(names), size=(rounds, len(names)))
        return float(right[here].mean()), hits[drawn].sum(1) / sizes[drawn].sum(1)

    (tpr, tprs), (tnr, tnrs) = rates(True), rates(False)
    cells = []
    for value, sample in (
        ((tpr + tnr) / 2, (tprs + tnrs) / 2), (tpr, tprs), (tnr, tnrs)
    ):  # fmt: skip
        low, high = np.quantile(sample, [0.025, 0.975])
        cells.append(f"{value:.1%} ({low:.1%}-{high:.1%})")
    return " | ".join(cells)


def evaluate(data: Path, domain: str, network: str, split: str, seed: int, device: str) -> str:
    """The table as Markdown."""
    examples = read(domain, data, seed).splits.get(split, ())
    if not examples:
        raise SystemExit(f"The split {split!r} of {domain} has no pictures in {data}.")
    where = pick_device(device)
    loaded = load_domain(domain)
    model = load_checkpoint(loaded.checkpoint(network), network).to(where)
    sets = Validation.of(examples, flips=True)
    flips = damage_probability(classify(model, sets.crops, where, loaded.normalisation))
    tiles = classify(model, sets.tiles, where, loaded.normalisation)
    whole = damage_probability(sets.whole(tiles))
    damaged = sum(e.damaged for e in examples)
    lines = [
        f"{domain}, {NETWORKS[network].title}, {split}: {damaged} damaged and "
        f"{len(examples) - damaged} intact pictures, {len({e.region for e in examples})} regions; "
        f"probability above 0.5 counts as damaged; 95 % intervals resample regions (seed {seed}).",
        "",
        "| pictures | balanced accuracy | TPR | TNR |",
        "|---|---|---|---|",
    ]
    thrice = [e for e in examples for _ in range(3)]
    for title, repeated, probabilities in (
        ("centre crops", examples, flips[::3]),  # each crop is followed by its two flips
        ("centre crops with flips", thrice, flips),
        ("whole, tiled", examples, whole),
    ):
        row = classification_rows(repeated, probabilities.tolist(), seed)
        lines.append(f"| {title} | {row} |")
    return "\n".join(lines)


def damage_probability(logits: torch.Tensor) -> torch.Tensor:
    """(N, 2) logits to (N,) probabilities of damage."""
    return torch.softmax(logits.double(), dim=1)[:, 1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m training.classification", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--domain", choices=list(READERS), default="magnetic-tile")
    parser.add_argument("--network", choices=list(NETWORKS), default="one-fc")
    parser.add_argument("--split", choices=["train", "val", "test", "audit"], default="val")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    print(evaluate(given.data, given.domain, given.network, given.split, given.seed, given.device))
