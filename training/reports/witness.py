"""What a domain's witness changes: the decision of the network, of the witness, and of both.

    python -m training.reports.witness --data DIR --domain magnetic-tile --split val

Whole pictures, as a user gets them. Intervals resample regions, not pictures.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrpseg.domains import Domain, load_domain
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.found import disagree
from lrpseg.pipeline.loading import load
from training.command import SPLITS, add_data, told
from training.data.datasets import DataError, Example
from training.data.declared import read_split
from training.reports.classification import Bin, Classified, classified, reliability
from training.reports.classification import calibration_error as error_of


@dataclass(frozen=True)
class Heard:
    """What was said of N pictures, each (N,): probabilities of the network, of the witness and of
    both, and whether they are damaged."""

    network: NDArray[np.float64]
    witness: NDArray[np.float64]
    both: NDArray[np.float64]
    labels: NDArray[np.bool_]

    @property
    def doubtful(self) -> NDArray[np.bool_]:
        """(N,): whether network and witness disagree."""
        pairs = zip(self.network.tolist(), self.witness.tolist(), strict=True)
        return np.array([disagree(a, b) for a, b in pairs], bool)

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """(N,): whether both together are wrong."""
        return (self.both > 0.5) != self.labels


def hear(examples: Sequence[Example], domain: Domain, network: str, device: str = "auto") -> Heard:
    """Ask the domain's usual witness, beside `network`, about each example.

    Raises `DataError` where the domain has no witness.
    """
    if not domain.witnesses:
        raise DataError(f"The domain {domain.name!r} has no witness: fit one by training.witness.")
    segmenter = load(str(domain.folder), network=network, device=device)
    rows = []
    for result in segmenter.stream(e.image for e in examples):
        (layer,) = result.layers
        assert layer.network is not None
        assert layer.witness is not None
        rows.append((layer.network, layer.witness, layer.probability))
    one, two, both = np.array(rows, np.float64).reshape(-1, 3).T
    return Heard(one, two, both, np.array([e.damaged for e in examples]))


def rows_of(
    heard: Heard, examples: Sequence[Example], seed: int = 0
) -> list[tuple[Classified, tuple[Bin, ...]]]:
    """The figures, and the reliability, of each of the three."""
    regions = [e.region for e in examples]
    return [
        (classified(name, heard.labels, regions, said, seed), reliability(heard.labels, said))
        for name, said in (
            ("network alone", heard.network),
            ("witness alone", heard.witness),
            ("both", heard.both),
        )
    ]


def table(
    heard: Heard, examples: Sequence[Example], domain: Domain, network: str, split: str, seed: int
) -> str:
    """As Markdown, with the pictures that both together call wrongly."""
    damaged, doubtful = int(heard.labels.sum()), int(heard.doubtful.sum())
    caught = int((heard.doubtful & heard.wrong).sum())
    lines = [
        f"{domain.name}, {NETWORKS[network].title}, {split}: {damaged} damaged and "
        f"{len(examples) - damaged} intact pictures, {len({e.region for e in examples})} regions; "
        "probability above 0.5 counts as damaged; 95 % intervals resample regions "
        f"(seed {seed}). ECE: expected calibration error, ten bins.",
        "",
        "| who decides | balanced accuracy | TPR | TNR | ECE |",
        "|---" * 5 + "|",
        *(
            f"| {row.pictures} | {row.balanced_accuracy} | {row.tpr} | {row.tnr} "
            f"| {error_of(bins):.3f} |"
            for row, bins in rows_of(heard, examples, seed)
        ),
        "",
        f"Doubtful, as the two disagree: {doubtful} of {len(examples)} pictures, among them "
        f"{caught} of the {int(heard.wrong.sum())} that both together call wrongly:",
        "",
        "| picture | is | network | witness | both |",
        "|---" * 5 + "|",
    ]
    for i in np.flatnonzero(heard.wrong).tolist():
        is_ = examples[i].kind or ("damaged" if examples[i].damaged else "intact")
        lines.append(
            f"| {examples[i].name} | {is_} | {heard.network[i]:.2f} | {heard.witness[i]:.2f} "
            f"| {heard.both[i]:.2f} |"
        )
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.reports.witness", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_data(parser)
    parser.add_argument("--network", choices=list(NETWORKS), default="128n")
    parser.add_argument("--split", choices=SPLITS, default="val")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args(words)
    domain = load_domain(given.domain)
    examples = read_split(domain, given.data, given.split, given.seed)
    heard = hear(examples, domain, given.network, given.device)
    print(table(heard, examples, domain, given.network, given.split, given.seed))


if __name__ == "__main__":
    with told():
        main()
