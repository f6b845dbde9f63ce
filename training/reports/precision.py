"""What storing weights with fewer bits changes: pictures of a split with a domain and with itself
before.

    python -m training.reports.precision --data DIR --domain magnetic-tile --before OLD

For each network balanced accuracy, true positive and negative rate, expected calibration error (10
bins of equal width), mean IoU of the damaged pictures' masks with the truth (an image that is
called intact counts with an empty mask), all with 95 % intervals that resample regions; and how far
both agree: how many pictures are called differently, the mean IoU of both masks where both call a
picture damaged, and by how much probabilities differ. Settings are what was best with the weights
from before, with the first look that the domain has.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from lrpseg.core.images import ImageSource
from lrpseg.domains import load_domain
from lrpseg.pipeline.defaults import default_settings
from lrpseg.pipeline.loading import load
from lrpseg.pipeline.settings import BEST
from lrpseg.pipeline.testifying import NO_WITNESS
from training.command import add_data, told
from training.data.crops import centre_crop, load_example
from training.data.declared import read_split
from training.reports.ways import agreement, counted, head, row, truth_of


def compare(
    data: Path,
    domain: str,
    before: str,
    split: str,
    device: str,
    networks: Sequence[str] = (),
    crops: bool = False,
) -> str:
    """The table as Markdown; networks: all of the domain where none is given."""
    loaded = load_domain(domain)
    examples = read_split(loaded, data, split)
    images: list[ImageSource] = [e.image for e in examples]
    truths = [truth_of(e) for e in examples]
    if crops:
        pairs = [centre_crop(*load_example(e)) for e in examples]
        images, truths = [image for image, _ in pairs], [truth for _, truth in pairs]
    lines, agreed = head("size"), []
    for network in networks or loaded.checkpoints:
        settings = default_settings(load_domain(before), network=network)
        choices = {name: getattr(settings, name) for name in BEST}
        made = []
        for where in (before, domain):
            segmenter = load(where, device=device, witness=NO_WITNESS, **choices)
            made.append([segmenter(image) for image in images])
            size = load_domain(where).checkpoint(network).stat().st_size
            lines.append(row(network, f"{size / 1e6:.1f} MB", examples, made[-1], truths))
        agreed.append(agreement(network, *made))
    return "\n".join([counted(examples, split, loaded, crops), "", *lines, "", *agreed])


def main(words: Sequence[str] | None = None) -> str:
    parser = argparse.ArgumentParser(
        prog="python -m training.reports.precision", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_data(parser)
    parser.add_argument("--before", required=True, help="the domain's folder as it was before")
    parser.add_argument("--split", choices=["val", "test"], default="val")
    parser.add_argument("--network", action="append", default=[], help="one of them (default: all)")
    parser.add_argument("--crops", action="store_true", help="centre crops, not whole pictures")
    parser.add_argument("--device", default="auto")
    args = parser.parse_args(words)
    text = compare(
        args.data, args.domain, args.before, args.split, args.device, args.network, args.crops
    )
    print(text)
    return text


if __name__ == "__main__":
    with told():
        main()
