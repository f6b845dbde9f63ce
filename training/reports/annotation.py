"""Tells how far the annotations themselves decide an IoU: a second reading of each mask.

    python -m training.reports.annotation --data DIR --domain magnetic-tile --split val test

Nobody drew these masks twice. A second person would hardly agree with the first to the pixel, so
each mask is read with its border one pixel further out, and one further in; the mean IoU with the
mask as it is says what a faultless method of that other person's hand could reach.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lrpseg.domains import load_domain
from training.command import SPLITS, add_data, masked, told
from training.data.crops import load_example
from training.data.declared import read_domain
from training.reports.metrics import interval

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Readings:
    """IoU of a mask with itself one pixel wider, one pixel narrower, and of these two."""

    wider: float
    narrower: float
    between: float


def readings(mask: Mask) -> Readings:
    """Of a mask (H, W) with at least one pixel; what lies outside of the picture is as its border.

    The pixel's four neighbours are a pixel away.
    """
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    wider = cv2.dilate(mask.astype(np.uint8), cross)
    narrower = cv2.erode(mask.astype(np.uint8), cross)
    area, most, least = int(mask.sum()), int(wider.sum()), int(narrower.sum())
    return Readings(area / most, least / area, least / most)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.reports.annotation", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_data(parser)
    parser.add_argument("--split", choices=SPLITS, nargs="+", default=["val"])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(words)
    domain = load_domain(args.domain)
    data = read_domain(domain, args.data, args.seed)
    print(
        f"Mean IoU of each annotated mask of {domain.name} with a second reading of it, whole "
        f"pictures; 95 % intervals resample regions (seed {args.seed}).\n\n"
        "| split | masks | median pixels | one pixel wider | one pixel narrower | wider with "
        "narrower |\n|---|---|---|---|---|---|"
    )
    for split in args.split:
        print(row(split, [
            (mask, e.region)
            for e in masked(data.splits[split], domain, split, args.data)
            if (mask := load_example(e, 1)[1]) is not None and mask.any()
        ], args.seed))  # fmt: skip


def row(split: str, masks: Sequence[tuple[Mask, str]], seed: int) -> str:
    """A line of the table, of masks and their regions."""
    regions = [region for _, region in masks]
    found = [readings(mask) for mask, _ in masks]
    cells = [split, str(len(masks)), f"{np.median([mask.sum() for mask, _ in masks]):.0f}"]
    for values in (
        [r.wider for r in found],
        [r.narrower for r in found],
        [r.between for r in found],
    ):
        low, high = interval(values, regions, seed)
        cells.append(f"{np.mean(values):.3f} ({low:.2f}-{high:.2f})")
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    with told():
        main()
