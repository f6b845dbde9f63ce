"""Measures on validation images what each threshold gives, and writes it beside the weights.

    python -m training.reports.operating_points --data DIR --domain magnetic-tile

For each network, rule set, witness, thresholder and refiner: precision, recall and IoU along the
thresholds, with 95 % intervals that resample regions. The file is written whole: networks that are
not named are no longer in it. Crops are the centre crops of section 3.4 of the paper.
"""

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lrpseg.core.devices import pick_device
from lrpseg.domains import Domain, load_domain
from lrpseg.domains.picture_kind import ranges
from lrpseg.lrp import DEFAULT_POOLING, DEFAULT_START, POOLINGS, RULE_SETS, STARTS
from lrpseg.masks.figures import Mask
from lrpseg.masks.render import save_text
from lrpseg.models.checkpoints import checkpoint_hash
from lrpseg.models.networks import INPUT_SIZE, NETWORKS
from lrpseg.pipeline.curves import FORMAT, UNION, operating_points_file
from lrpseg.pipeline.defaults import default_settings
from lrpseg.pipeline.operating_curve import Interval, OperatingPoint, columns
from lrpseg.pipeline.results import reason_of
from lrpseg.pipeline.settings import MEASURED, Settings
from lrpseg.pipeline.testifying import NO_WITNESS
from lrpseg.refiners import REFINERS
from lrpseg.thresholders import THRESHOLDERS, Fitted
from lrpseg.version import __version__
from lrpseg.witness.witness import Testimony
from training.command import add_data, told
from training.data.crops import load_example
from training.data.datasets import DataError, Example
from training.data.declared import read_domain
from training.reports.evaluate import crops_of, side_of
from training.reports.segmentation import Pictures, Segmented, segment
from training.reports.systems import network_maps, seconded_maps, witnessed

SPLIT = "val"
METRIC = (
    "Means over the damaged images of each image's precision, recall and IoU at the threshold, on "
    "224-pixel centre crops. A pixel is marked if its likelihood is at least float32(threshold). "
    "LRP runs on every damaged image, also where the classifier calls it intact. An empty mask "
    "counts as precision 0 and recall 0. Images without a mask, and crops that show none of the "
    "damage, are left out. 'own' takes each image's own threshold; its threshold is their mean. "
    "average_precision: sum over thresholds, from 1 down in steps of 0.0001, of the mean "
    "precision times the gain in mean recall. Intervals: 95 %, by resampling regions."
)
ROUNDS = 2000
LEVEL = 0.95
RECALL_STEPS = 32

Floats = NDArray[np.float64]

GRID: Floats = np.arange(10001) / 10000
"""Every threshold that the file can hold (4 digits): figures are measured at just these."""


@dataclass(frozen=True, eq=False)  # eq would compare arrays, which has no single truth value
class Rates:
    """Precision, recall and IoU of N images, each (N, T) at T thresholds."""

    precision: Floats
    recall: Floats
    iou: Floats


@dataclass(frozen=True, eq=False)
class Resampling:
    """Which regions a bootstrap draws, the same for each figure, as `metrics.interval`."""

    regions: tuple[str, ...]
    seed: int = 0

    @cached_property
    def weights(self) -> Floats:
        """(rounds, N): each image's share in the mean of a round; rows sum to 1."""
        names, owner = np.unique(self.regions, return_inverse=True)
        random = np.random.default_rng(self.seed)
        drawn = random.integers(len(names), size=(ROUNDS, len(names)))
        times = (drawn[:, :, None] == np.arange(len(names))).sum(axis=1)
        shares = times[:, owner].astype(np.float64)
        return shares / shares.sum(axis=1, keepdims=True)

    def intervals(self, values: Floats) -> list[Interval]:
        """(N, T) values of N images to the T intervals of their means."""
        return [ends(column) for column in (self.weights @ values).T]


def ends(sample: Floats) -> Interval:
    """The central 95 % of a sample."""
    low, high = np.quantile(sample, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def rates(
    likelihoods: Iterable[NDArray[np.float32]], truths: Iterable[Mask], thresholds: Floats
) -> Rates:
    """The figures of `likelihood >= float32(threshold)` for each image and threshold.

    One sort per image and a binary search per threshold instead of a comparison of all pixels.
    `truths` are (H, W) bool with at least one pixel set; `thresholds` (T,), in any order.
    """
    edges = thresholds.astype(np.float32)
    found: list[tuple[Floats, Floats, Floats]] = []
    for likelihood, truth in zip(likelihoods, truths, strict=True):
        damage = int(np.count_nonzero(truth))
        marked = likelihood.size - np.searchsorted(np.sort(likelihood, axis=None), edges)
        right = damage - np.searchsorted(np.sort(likelihood[truth]), edges)
        # An empty mask has right = 0: dividing by 1 makes its precision 0.
        precision = right / np.maximum(marked, 1)
        found.append((precision, right / damage, right / (marked + damage - right)))
    return Rates(*(np.stack(figure) for figure in zip(*found, strict=True)))


def average_precision(precision: Floats, recall: Floats) -> NDArray[np.float64]:
    """Area under curves (..., T) over ascending thresholds: sum of precision times recall gained.

    The step rule of `sklearn.metrics.average_precision_score`; it never interpolates.
    """
    gained = recall - np.concatenate([recall[..., 1:], np.zeros_like(recall[..., :1])], axis=-1)
    return np.asarray((precision * gained).sum(axis=-1))


def selected(recall: Floats, iou: Floats) -> NDArray[np.intp]:
    """Indices, ascending, of about 50 of the T thresholds, spread evenly in mean recall (T,).

    For each of `RECALL_STEPS` levels the highest threshold that still reaches it, and the next,
    where recall jumps past a level between the two (many pixels share the likelihoods 0 and 1).
    Each 0.05 in the threshold, as recall may stand still over a wide range. The best IoU.
    """
    last = len(recall) - 1
    levels = np.linspace(recall[0], recall[-1], RECALL_STEPS)
    # Recall falls with the index: the last index at which it is at least the level.
    reach = len(recall) - 1 - np.argmax(recall[::-1] >= levels[:, None], axis=1)
    after = np.minimum(reach + 1, last)
    jump = recall[reach] - recall[after] > 1.5 / RECALL_STEPS
    every = np.linspace(0, last, 21).round().astype(np.intp)
    return np.unique(np.concatenate([reach, after[jump], every, [int(np.argmax(iou))]]))


def points(thresholds: Floats, at: Rates, resampling: Resampling) -> list[OperatingPoint]:
    """The means over images at each threshold (T,), with their intervals."""
    figures = (at.precision, at.recall, at.iou)
    means = [figure.mean(axis=0).tolist() for figure in figures]
    spans = [resampling.intervals(figure) for figure in figures]
    return [OperatingPoint(*row) for row in zip(thresholds.tolist(), *means, *spans, strict=True)]


def curve_of(
    fitted: Sequence[Fitted], truths: Sequence[Mask], resampling: Resampling
) -> dict[str, Any]:
    """One thresholder's entry in the file, from its result on each image."""
    found = np.ones(len(fitted), bool)
    system = Segmented("", [f.likelihood for f in fitted], [f.mask for f in fitted], found)
    return curve_of_masks(system, [f.threshold for f in fitted], truths, resampling)


def curve_of_masks(
    system: Segmented, thresholds: Sequence[float], truths: Sequence[Mask], resampling: Resampling
) -> dict[str, Any]:
    """The same from likelihoods and masks; `thresholds` are those of the masks."""
    whole = rates(system.likelihood, truths, GRID)
    chosen = selected(whole.recall.mean(axis=0), whole.iou.mean(axis=0))
    here = Rates(whole.precision[:, chosen], whole.recall[:, chosen], whole.iou[:, chosen])
    # Its own masks as likelihoods of 0 and 1.
    own = rates([m.astype(np.float32) for m in system.mask], truths, np.array([0.5]))
    mean_threshold = np.array([np.mean(thresholds)])
    area = average_precision(whole.precision.mean(axis=0), whole.recall.mean(axis=0))
    areas = [  # in parts: rounds x thresholds would be a large array
        average_precision(part @ whole.precision, part @ whole.recall)
        for part in np.array_split(resampling.weights, 40)
    ]
    return {
        "average_precision": round(float(area), 4),
        "average_precision_interval": [round(x, 4) for x in ends(np.concatenate(areas))],
        "own": columns(points(mean_threshold, own, resampling)),
        "curve": columns(points(GRID[chosen], here, resampling)),
    }


def damaged_crops(
    examples: Iterable[Example], size: int = INPUT_SIZE, classes: Sequence[str] = ()
) -> Pictures:
    """Centre crops (size, size, 3) of the examples that show damage, with masks and regions;
    classes: those that are measured each for itself."""
    kept = []
    for example in examples:
        if example.masked:
            made = crops_of([example], False, size, classes)
            if made.truth[0].any():  # recall has no meaning on a crop beside the damage
                kept.append(example)
    if not kept:
        raise DataError(f"The {SPLIT} split has no damaged picture with a mask; one is needed.")
    return crops_of(kept, False, size, classes)


def measure(
    data: Path,
    domain: str,
    networks: Sequence[str] | None = None,
    start: str = DEFAULT_START,
    pooling: str = DEFAULT_POOLING,
    split: str = SPLIT,
    seed: int = 0,
    device: str = "auto",
) -> str:
    """The file's text, for the named networks or for all that the domain has weights of.

    `seed` draws the resampled regions, and the splits where the data set brings none. Raises
    `DataError` for another split than val: who picks a threshold by its figures chooses by them.
    """
    if split != SPLIT:
        raise DataError(
            f"Operating points are measured on {SPLIT!r} alone; {split!r} was given. A threshold "
            "is chosen by them, and nothing is chosen on the split that it is judged on."
        )
    loaded, where = load_domain(domain), pick_device(device)
    examples = read_domain(loaded, data, seed).splits.get(split, ())
    names = loaded.classes.names
    side = side_of(loaded)
    pictures = damaged_crops(examples, side, names if len(names) > 1 else ())
    hashes, curves = {}, []
    heard = {
        name: witnessed(files, pictures.images, where) for name, files in loaded.witnesses.items()
    }
    for network in networks or list(loaded.checkpoints):
        hashes[network] = checkpoint_hash(loaded.checkpoint(network))
        for rule_set in RULE_SETS:
            settings = default_settings(
                loaded, network=network, rule_set=rule_set, start=start, pooling=pooling
            )
            curves += curves_of(loaded, settings, pictures, heard, seed, where)
    head = {
        "format": FORMAT,
        "lrpseg": __version__,
        "domain": loaded.name,
        "checkpoints": hashes,
        **({"witnesses": {n: str(f) for n, f in loaded.witnesses.items()}} if heard else {}),
        "start": start,
        "pooling": pooling,
        "split": split,
        "images": len(pictures.images),
        "regions": len(set(pictures.regions)),
        "pictures": ranges(load_example(e, side)[0] for e in examples),
        "seed": seed,
        "metric": METRIC.replace("224", str(side)),
    }
    return as_text(head, curves)


def curves_of(
    domain: Domain,
    settings: Settings,
    pictures: Pictures,
    heard: Mapping[str, Sequence[Testimony]],
    seed: int,
    device: torch.device,
) -> list[dict[str, Any]]:
    """The file's entries of one network and rule set: for each witness (and none), thresholder and
    refiner that of all damage together, then where there are several classes that of each
    (`"class"`), on the pictures that show it."""
    images, found = np.stack(pictures.images), []
    made = network_maps(domain, settings, images, device)
    every = np.ones(made.probabilities.shape, bool)  # also what the network does not find
    evidence = {NO_WITNESS: made.maps}
    for name, hearing in heard.items():
        evidence[name] = seconded_maps(made.maps, settings, hearing, domain.witnesses[name].verdict)
    for (witness, maps), thresholder, refiner in product(evidence.items(), THRESHOLDERS, REFINERS):
        fit, refine = THRESHOLDERS[thresholder].fit, REFINERS[refiner].refine
        reason = reason_of(settings, made.relevance, maps)
        fits = [
            [refine(i, r, m, fit(m)) for r, m in zip(*each, strict=True)]
            for i, *each in zip(images, reason, maps, strict=True)
        ]
        key = settings.but(thresholder=thresholder, refiner=refiner, witness=witness)
        names = {name: getattr(key, name) for name in MEASURED}
        layers = segment("", fits, every, pictures.classes)
        for kind in (UNION, *pictures.classes):
            there, shown = pictures.showing(kind), pictures.of(kind)
            if not there:
                continue  # no crop shows the class: there is nothing to measure
            system = layers[kind].among(there)
            own = [_own(fits[i], kind, pictures.classes) for i in there]
            resampling = Resampling(tuple(shown.regions), seed)
            curve = curve_of_masks(system, own, shown.truth, resampling)
            found.append(names | ({"class": kind} if kind else {}) | curve)
    return found


def _own(fits: Sequence[Fitted], kind: str, classes: Sequence[str]) -> float:
    """The threshold that a picture's mask of a class has by itself; of the union, whose classes
    have one each, their mean, which is only shown."""
    if kind == UNION:
        return float(np.mean([f.threshold for f in fits]))
    return fits[list(classes).index(kind)].threshold


def as_text(head: dict[str, Any], curves: Sequence[dict[str, Any]]) -> str:
    """JSON with a line for each entry of `head` and for each curve, which diffs can show."""
    lines = ",\n".join(json.dumps(curve, separators=(",", ":")) for curve in curves)
    return f'{json.dumps(head, indent=1)[:-2]},\n "curves": [\n{lines}\n]}}\n'


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.reports.operating_points", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add_data(parser)
    add("--networks", nargs="+", choices=list(NETWORKS), help="default: all of the domain")
    add("--start", choices=list(STARTS), default=DEFAULT_START)
    add("--pooling", choices=list(POOLINGS), default=DEFAULT_POOLING)
    add("--split", default=SPLIT, help=f"{SPLIT}; others are refused")
    add("--seed", type=int, default=0)
    add("--device", default="auto")
    add("--out", type=Path, help="default: operating-points.json beside the domain's weights")
    given = vars(parser.parse_args(arguments))
    out = given.pop("out") or operating_points_file(load_domain(given["domain"]))
    text = measure(**given)
    save_text(text, out)
    print(f"{out}: {len(text.encode()) / 1000:.0f} kB")


if __name__ == "__main__":
    with told():
        main()
