"""What a first look changes: whole pictures of a split with one, in 8 bits and in windows, and by
tiles alone.

    python -m training.reports.tilings --data DIR --domain magnetic-tile --split val
    python -m training.reports.tilings --data DIR --domain magnetic-tile --tiling quick

For each network balanced accuracy, true positive and negative rate, expected calibration error (10
bins of equal width), mean IoU of the damaged pictures' masks with the truth (an image that is
called intact counts with an empty mask), all with 95 % intervals that resample regions; and how far
it agrees with tiles alone: how many pictures are called differently, the mean IoU of both masks
where both call a picture damaged, and by how much probabilities differ. Settings are the
domain's best for that network. All pictures count as large.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lrpseg.domains import load_domain
from lrpseg.pipeline.loading import load
from lrpseg.pipeline.looking import TILINGS
from lrpseg.pipeline.results import Result
from lrpseg.pipeline.testifying import NO_WITNESS
from training.command import add_data, told
from training.data.datasets import Example
from training.data.declared import read_split
from training.reports.ways import agreement, counted, head, row, truth_of

ALONE = "tiles"
"""The tiling with which others are compared."""


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
    examples = read_split(loaded, data, split)
    truths = [truth_of(e) for e in examples]
    lines, agreed = head("tiling"), []
    for network in networks or loaded.checkpoints:
        ways = [*(t for t in tilings or TILINGS if t != ALONE), ALONE]
        made = {tiling: _results(examples, domain, network, tiling, device) for tiling in ways}
        lines += [row(network, way, examples, results, truths) for way, results in made.items()]
        agreed += [agreement(f"{network}, {way}", made[way], made[ALONE]) for way in ways[:-1]]
    return "\n".join([counted(examples, split, loaded), "", *lines, "", *agreed])


def _results(
    examples: Sequence[Example], domain: str, network: str, tiling: str, device: str
) -> list[Result]:
    segmenter = load(domain, network=network, tiling=tiling, witness=NO_WITNESS, device=device)
    return [replace(segmenter, large=0)(e.image) for e in examples]


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
