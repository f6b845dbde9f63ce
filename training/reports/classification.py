"""Scores a shipped classifier on a split, on centre crops (paper 3.4) and on whole images.

    python -m training.reports.classification --data DIR --domain magnetic-tile --split val

Intervals resample regions, not pictures: pictures of one region are near-identical.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrpseg.core.devices import pick_device
from lrpseg.domains import Domain, load_domain
from lrpseg.models.networks import NETWORKS
from training.command import SPLITS, add_data, told
from training.data.datasets import Example
from training.data.declared import read_split
from training.loops.validation import Validation, union_probability
from training.reports.systems import Deciding

ROUNDS = 2000


@dataclass(frozen=True)
class Rate:
    """A share, 0 to 1, with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1%} ({self.low:.1%}-{self.high:.1%})"


@dataclass(frozen=True)
class Classified:
    """Balanced accuracy, TPR and TNR at probability 0.5 on one kind of pictures."""

    pictures: str
    balanced_accuracy: Rate
    tpr: Rate
    tnr: Rate


@dataclass(frozen=True)
class Bin:
    """Pictures whose probability lies in one tenth: how many, its mean, and the damaged share."""

    count: int
    probability: float
    damaged: float


def calibration_error(bins: Sequence[Bin]) -> float:
    """Mean distance of probability and damaged share over the pictures (Guo et al. 2017,
    arXiv 1706.04599, section 2), 0 to 1."""
    total = sum(b.count for b in bins)
    return sum(b.count * abs(b.probability - b.damaged) for b in bins) / max(1, total)


@dataclass(frozen=True)
class Classification:
    """One network on one split; `about` says what the rows were measured on.

    rows: of damage of any class. classes: of each class by itself, where there are several.
    bins: reliability of the whole pictures' probabilities, in ten equal parts of 0 to 1, the empty
    ones left out. calibration_error: their expected calibration error.
    """

    network: str
    about: str
    rows: tuple[Classified, ...]
    bins: tuple[Bin, ...] = ()
    classes: tuple[Classified, ...] = ()

    @property
    def calibration_error(self) -> float:
        """See `calibration_error`."""
        return calibration_error(self.bins)

    @property
    def crops(self) -> Classified:
        """On centre crops with their flips, as the paper scores (3.4)."""
        return self.rows[1]


def classified(
    pictures: str,
    labels: NDArray[np.bool_],
    regions: Sequence[str],
    probabilities: NDArray[np.float64],
    seed: int = 0,
) -> Classified:
    """Figures of N pictures: whether damaged (N,), their regions, and probabilities (N,)."""
    right = (probabilities > 0.5) == labels
    names = np.array(regions)
    random = np.random.default_rng(seed)

    def rates(damaged: bool) -> tuple[float, NDArray[np.float64]]:
        here = labels == damaged
        unique = np.unique(names[here])
        hits = np.array([right[here][names[here] == n].sum() for n in unique], float)
        sizes = np.array([(names[here] == n).sum() for n in unique], float)
        drawn = random.integers(len(unique), size=(ROUNDS, len(unique)))
        return float(right[here].mean()), hits[drawn].sum(1) / sizes[drawn].sum(1)

    def rate(value: float, sample: NDArray[np.float64]) -> Rate:
        low, high = np.quantile(sample, [0.025, 0.975])
        return Rate(value, float(low), float(high))

    (tpr, tprs), (tnr, tnrs) = rates(True), rates(False)
    both = rate((tpr + tnr) / 2, (tprs + tnrs) / 2)
    return Classified(pictures, both, rate(tpr, tprs), rate(tnr, tnrs))


def reliability(labels: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> tuple[Bin, ...]:
    """Ten bins of equal width of N probabilities (N,), 0 to 1, and whether damaged (N,)."""
    index = np.minimum((probabilities * 10).astype(int), 9)
    return tuple(
        Bin(
            int((index == i).sum()),
            float(probabilities[index == i].mean()),
            float(labels[index == i].mean()),
        )
        for i in range(10)
        if (index == i).any()
    )


def measure(
    examples: Sequence[Example],
    domain: Domain,
    network: str,
    split: str,
    seed: int = 0,
    device: str = "auto",
) -> Classification:
    """Score the domain's checkpoint of `network` on the examples, which are those of `split`."""
    where, names = pick_device(device), domain.classes.names
    loaded = NETWORKS[network].load(domain).to(where)
    sets = Validation.of(
        examples, domain.normalisation, flips=True, classes=names, size=loaded.tile
    )
    flips, tiles = sets.log_odds(Deciding(loaded), where)
    damaged = sum(e.damaged for e in examples)
    about = (
        f"{domain.name}, {NETWORKS[network].title}, {split}: {damaged} damaged and "
        f"{len(examples) - damaged} intact pictures, {len({e.region for e in examples})} regions; "
        f"probability above 0.5 counts as damaged; 95 % intervals resample regions (seed {seed})."
    )
    rows, by_class = [], []
    for title, repeated, odds in (
        ("centre crops", 1, flips[::3]),  # each crop is followed by its two flips
        ("centre crops with flips", 3, flips),
        ("whole, tiled", 1, sets.whole(tiles)),
    ):
        each = [e for e in examples for _ in range(repeated)]
        regions = [e.region for e in each]
        labels = np.array([e.damaged for e in each])
        probabilities = union_probability(odds)
        rows.append(classified(title, labels, regions, probabilities, seed))
        for kind, name in enumerate(names if len(names) > 1 else ()):
            shown = np.array([e.shows(names)[kind] for e in each])
            own = union_probability(odds[:, [kind]])
            by_class.append(classified(f"{title}: {name}", shown, regions, own, seed))
    # Of whole pictures, as the last row: what a user reads on the page.
    bins = reliability(labels, probabilities)
    return Classification(network, about, tuple(rows), bins, tuple(by_class))


def from_json(held: dict[str, Any]) -> Classification:
    """The reverse of `dataclasses.asdict`."""

    def row(entry: dict[str, Any]) -> Classified:
        rates = {n: Rate(**entry[n]) for n in ("balanced_accuracy", "tpr", "tnr")}
        return Classified(entry["pictures"], **rates)

    return Classification(
        held["network"],
        held["about"],
        tuple(map(row, held["rows"])),
        tuple(Bin(**entry) for entry in held["bins"]),
        tuple(map(row, held["classes"])),
    )


def table(result: Classification) -> str:
    """The figures as Markdown."""
    lines = [
        result.about,
        "",
        "| pictures | balanced accuracy | TPR | TNR |",
        "|---|---|---|---|",
        *(
            f"| {r.pictures} | {r.balanced_accuracy} | {r.tpr} | {r.tnr} |"
            for r in (*result.rows, *result.classes)
        ),
    ]
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.reports.classification", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_data(parser)
    parser.add_argument("--network", choices=list(NETWORKS), default="one-fc")
    parser.add_argument("--split", choices=SPLITS, default="val")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args(words)
    domain = load_domain(given.domain)
    examples = read_split(domain, given.data, given.split, given.seed)
    print(table(measure(examples, domain, given.network, given.split, given.seed, given.device)))


if __name__ == "__main__":
    with told():
        main()
