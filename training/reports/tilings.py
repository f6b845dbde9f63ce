"""What a first look changes: whole pictures of a split with one, in 8 bits and in windows, and by
tiles alone.

    python -m training.reports.tilings --data DIR --domain magnetic-tile --split val
    python -m training.reports.tilings --data DIR --domain magnetic-tile --tiling quick

For each network balanced accuracy, true positive and negative rate, expected calibration error (10
bins of equal width), mean IoU of the damaged pictures' masks with the truth (an image that is
called intact counts with an empty mask), all with 95 % intervals that resample regions; and how far
it agrees with tiles alone: the share of pictures that are called the same, the mean IoU of both
masks where both call a picture damaged, and by how much probabilities differ. Settings are the
domain's best for that network. All pictures count as large.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lrpseg.domains import load_domain
from lrpseg.masks.figures import count, iou
from lrpseg.pipeline.looking import TILINGS
from lrpseg.pipeline.results import Result
from lrpseg.pipeline.segmenter import load
from training.command import add_data, told
from training.data.crops import load_example
from training.data.datasets import Example
from training.data.declared import read_domain
from training.reports.classification import Classification, classified, reliability
from training.reports.metrics import interval

ALONE = "tiles"
"""The tiling with which others are compared."""

HEAD = ("network", "tiling", "balanced accuracy", "TPR", "TNR", "ECE", "IoU")


def compare(
    data: Path,
    domain: str,
    split: str,
    device: str,
    networks: Sequence[str] = (),
    tilings: Sequence[str] = (),
) -> str:
    """The table as Markdown; tilings: those beside "tiles", all where none is given."""
    loaded = load_domain(domain)
    examples = read_domain(loaded, data).splits.get(split, ())
    if not examples:
        raise SystemExit(f"{data} has no pictures in the split {split}.")
    lines = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    agreed = []
    for network in networks or loaded.checkpoints:
        ways = [*(t for t in tilings or TILINGS if t != ALONE), ALONE]
        made = {tiling: _results(examples, domain, network, tiling, device) for tiling in ways}
        lines += [_row(network, tiling, examples, results) for tiling, results in made.items()]
        agreed += [_agreement(network, way, made[way], made[ALONE]) for way in ways[:-1]]
    regions = len({e.region for e in examples})
    told_first = f"{len(examples)} whole {split} pictures of {regions} regions, {loaded.title}:"
    return "\n".join([told_first, "", *lines, "", *agreed])


def _agreement(network: str, tiling: str, own: Sequence[Result], alone: Sequence[Result]) -> str:
    pairs = list(zip(own, alone, strict=True))
    both = [iou(a.mask, b.mask) for a, b in pairs if a.damaged and b.damaged]
    same = np.mean([a.damaged == b.damaged for a, b in pairs])
    apart = max(abs(a.probability - b.probability) for a, b in pairs)
    lowest = f"{np.mean(both):.3f} (lowest {min(both):.3f}, {len(both)} pictures)" if both else "-"
    return (
        f"- {network}, {tiling}: {same:.1%} of the pictures are called the same; IoU of both masks "
        f"{lowest}; probabilities differ by {apart:.3f} at most"
    )


def _results(
    examples: Sequence[Example], domain: str, network: str, tiling: str, device: str
) -> list[Result]:
    segmenter = load(domain, network=network, tiling=tiling, device=device)
    return [replace(segmenter, large=0)(e.image) for e in examples]


def _row(network: str, tiling: str, examples: Sequence[Example], results: Sequence[Result]) -> str:
    damaged = np.array([e.damaged for e in examples])
    probability = np.array([r.probability for r in results])
    rates = classified(tiling, damaged, [e.region for e in examples], probability)
    whole = Classification(network, "", (rates,), reliability(damaged, probability))
    found, regions = [], []
    for example, result in zip(examples, results, strict=True):
        truth = load_example(example, 1)[1] if example.masked else None
        if truth is not None and truth.any():
            found.append(count(result.mask, truth).iou)
            regions.append(example.region)
    low, high = interval(found, regions)
    cells = (
        network, tiling, str(rates.balanced_accuracy), str(rates.tpr), str(rates.tnr),
        f"{whole.calibration_error:.3f}", f"{np.mean(found):.3f} ({low:.2f}-{high:.2f})",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def main(words: Sequence[str] | None = None) -> str:
    parser = argparse.ArgumentParser(
        prog="python -m training.reports.tilings", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_data(parser)
    parser.add_argument("--split", choices=["val", "test"], default="val")
    parser.add_argument("--network", action="append", default=[], help="one of them (default: all)")
    parser.add_argument(
        "--tiling", action="append", default=[], choices=[t for t in TILINGS if t != ALONE],
        help="one of them (default: all)",
    )  # fmt: skip
    parser.add_argument("--device", default="auto")
    args = parser.parse_args(words)
    text = compare(args.data, args.domain, args.split, args.device, args.network, args.tiling)
    print(text)
    return text


if __name__ == "__main__":
    with told():
        main()
