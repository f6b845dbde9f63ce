"""Measures the highest outputs of a classifier's layers, which its features in 8 bits need.

    python -m training.loops.ranges --data DIR --domain magnetic-tile --network 128n

Runs the network on all tiles of pictures of the training split (--pictures of them, drawn by
--seed, damaged and intact in turns) and writes what it finds into the domain's `domain.json`,
beside the hash of the weights. With it a first look at tiles runs in 8 bits where the processor has
them (`lrpseg.lrp.quantized`); `training.reports.tilings` reports what that changes.
"""

import argparse
import random
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest

import numpy as np
import torch
from torch import Tensor

from lrpseg.core.devices import pick_device
from lrpseg.core.images import enlarge_to, read_image
from lrpseg.domains import DOMAIN_FILE, Domain, load_domain
from lrpseg.lrp.quantized import highest_outputs
from lrpseg.models.networks import NETWORKS, classifiers, load_calibrated
from lrpseg.pipeline.tiling import TileGrid
from training.command import add_data, told
from training.data.datasets import DataError, Example
from training.data.declared import Subject
from training.loops import entries

PICTURES = 64


def measure(
    domain: Domain,
    network: str,
    examples: Sequence[Example],
    device: torch.device,
    pictures: int = PICTURES,
    seed: int = 0,
) -> dict[str, float]:
    """The highest output of each layer, by name, on some of `examples`; raises `DataError` where
    there are none."""
    if not examples:
        raise DataError("There are no training pictures whose features could be measured.")
    model = load_calibrated(domain, network).to(device)
    chosen = in_turns(examples, seed)[:pictures]

    def batches() -> Iterator[Tensor]:
        for example in chosen:
            image = enlarge_to(read_image(example.image), model.tile)
            grid = TileGrid(image.shape[0], image.shape[1], tile=model.tile)
            tiles = np.stack([tile.of(image) for tile in grid])
            for part in torch.from_numpy(tiles).split(8):
                yield domain.normalisation(part.to(device))

    return {name: float(f"{v:.4g}") for name, v in highest_outputs(model, batches()).items()}


def in_turns(examples: Sequence[Example], seed: int) -> list[Example]:
    """All of them in an order drawn by `seed`: damaged and intact in turns as long as there are
    both."""
    drawn = list(examples)
    random.Random(seed).shuffle(drawn)
    kinds = ([e for e in drawn if e.damaged], [e for e in drawn if not e.damaged])
    return [e for e in chain.from_iterable(zip_longest(*kinds)) if e is not None]


def store(domain: Domain, network: str, highest: dict[str, float]) -> None:
    """Write what was measured into the domain's `domain.json`."""
    entries.store(domain, "ranges", network, {"highest": highest})


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.loops.ranges", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add_data(parser, domain=None)
    add("--network", choices=classifiers(NETWORKS), default="one-fc")
    add("--pictures", type=int, default=PICTURES)
    add("--seed", type=int, default=0)
    add("--device", default="auto")
    args = parser.parse_args(words)
    domain = load_domain(args.domain)
    train = Subject.known(domain).read(args.data, args.seed).splits["train"]
    found = measure(domain, args.network, train, pick_device(args.device), args.pictures, args.seed)
    store(domain, args.network, found)
    print(f"{domain.folder / DOMAIN_FILE}: {', '.join(f'{k} {v:g}' for k, v in found.items())}")


if __name__ == "__main__":
    with told():
        main()
