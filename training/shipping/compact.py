"""Stores weights of a domain in 8 bits, half as large, and measures again what hangs on them.

    python -m training.shipping.compact --data DIR --domain magnetic-tile
    python -m training.shipping.compact --data DIR --domain my-damage/ --network one-fc

Weights files keep their names; all files are put in place at the end. Of a classifier calibration
(val pictures) and ranges (training pictures) in `domain.json` are measured anew where it has them,
and networks on its features become networks on the new ones. Those that `lrpseg learn` made from
the former ones go on as they are: the file says what it stands for. Operating points are of the
former weights until `training.reports.operating_points` measures them; what 8 bits change is
reported by `training.reports.precision`, which needs a copy of the folder from before.
"""

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lrpseg.core.devices import pick_device
from lrpseg.core.errors import LrpsegError
from lrpseg.domains import DOMAIN_FILE, Domain, load_domain
from lrpseg.models.checkpoints import read_tensors, save_checkpoint
from lrpseg.models.contract import Classifier
from lrpseg.models.networks import NETWORKS, load_pair, load_plain
from lrpseg.models.precision import EIGHT_BITS, FP16
from lrpseg.models.self_trained import fingerprint, in_hex
from lrpseg.models.tensors import PRECISION
from training.command import add_data, told
from training.data.datasets import DataSet
from training.data.declared import Subject
from training.loops import calibration, ranges


def compact(domain: Domain, network: str, dataset: DataSet, device: torch.device) -> list[Path]:
    """Store `network` in 8 bits and measure anew what was measured with it; returns the files that
    were put in place.

    Raises:
        LrpsegError: the weights cannot be used, lie in another domain, or are in 8 bits already.
    """
    path = domain.checkpoint(network)
    if path.parent != domain.folder:
        raise LrpsegError(f"{path} is not in the folder of {domain.name!r}. Give its own domain.")
    if _precision(path) == EIGHT_BITS:
        raise LrpsegError(f"{path} is in 8 bits already.")
    # In a copy: whoever opens the domain meanwhile, or after a kill, finds the former files.
    with tempfile.TemporaryDirectory(dir=domain.folder, prefix=".compact-") as place:
        copy = Path(place) / domain.folder.resolve().name
        shutil.copytree(domain.folder, copy, ignore=shutil.ignore_patterns(".*"))
        made = load_domain(copy)
        changed = _store(made, network)
        if not NETWORKS[network].proposes:
            _measure(made, network, dataset, device)
            changed.append(DOMAIN_FILE)
        for name in changed:
            (copy / name).replace(domain.folder / name)
    return [domain.folder / name for name in changed]


def _store(domain: Domain, network: str) -> list[str]:
    """Write the network in 8 bits, and those on its features as of the new ones; names of files."""
    path = domain.checkpoint(network)
    if NETWORKS[network].proposes:
        _save(load_pair(domain, network).own, path, network, EIGHT_BITS)
        return [path.name]
    beside = [
        n for n in domain.checkpoints if NETWORKS[n].proposes and domain.classifier == network
    ]
    pairs = {name: load_pair(domain, name).own for name in beside}
    model = load_plain(domain, network)
    model.stands_for = (*model.stands_for, in_hex(fingerprint(model)))
    _save(model, path, network, EIGHT_BITS)
    features = fingerprint(load_plain(domain, network))
    changed = [path.name]
    for name, own in pairs.items():
        own.features.copy_(features)
        there = domain.checkpoint(name)
        _save(own, there, name, _precision(there))
        changed.append(there.name)
    return changed


def _save(model: nn.Module, path: Path, network: str, precision: str) -> None:
    _, about = read_tensors(path)
    save_checkpoint(model, path, network, about, precision)


def _precision(path: Path) -> str:
    return read_tensors(path)[1].get(PRECISION, FP16)


def _measure(domain: Domain, network: str, dataset: DataSet, device: torch.device) -> None:
    """Fit the classifier's entries in `domain.json` anew."""
    held = domain.calibration.get(network)
    if held is not None:
        model: Classifier = load_plain(domain, network).to(device)
        shifted = bool(np.any(held.offset))  # without one, no picture changed sides
        val = dataset.splits["val"]
        fitted = calibration.fit(model, Subject.known(domain), val, device, shifted)
        calibration.store(domain, network, fitted)
    if network in domain.ranges:
        domain = load_domain(domain.folder)
        highest = ranges.measure(domain, network, dataset.splits["train"], device)
        ranges.store(domain, network, highest)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.shipping.compact", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add_data(parser, domain=None)
    add("--network", action="append", default=[], help="one of them (default: all that are not)")
    add("--seed", type=int, default=0)
    add("--device", default="auto")
    args = parser.parse_args(words)
    domain = load_domain(args.domain)
    dataset = Subject.known(domain).read(args.data, args.seed)
    left = [n for n, path in domain.checkpoints.items() if _precision(path) != EIGHT_BITS]
    for network in args.network or left:
        made = compact(load_domain(args.domain), network, dataset, pick_device(args.device))
        size = domain.checkpoint(network).stat().st_size
        print(f"{network}: {size / 1e6:.1f} MB; {', '.join(path.name for path in made)}")


if __name__ == "__main__":
    with told():
        main()
