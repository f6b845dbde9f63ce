"""Measures how faithful heatmaps and masks are to the decision that they explain.

    python -m training.reports.faithfulness --data DIR --domain magnetic-tile --split val

On the centre crops of the damaged pictures, for each classifier, rule set, start and pooling: how
much of the heatmap lies in the true mask, how much the log-odds fall when what it points at is
replaced by the local mean, what it lost on its way, and whether it notices that the network forgets
what it learned. For each mask that networks, thresholders and refiners make: its IoU, and how much
the log-odds fall in its own order. Definitions: `lrpseg.lrp.faithfulness`. With --limit of a few
crops, in turn one of each region. Prints the report, and writes report.md, results.json and a plot
below --out/<domain>-<split>-faithfulness/.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lrpseg.core.devices import pick_device
from lrpseg.domains import Domain, load_domain
from lrpseg.lrp import POOLINGS, RULE_SETS, STARTS
from lrpseg.lrp.faithfulness import (
    conservation_error,
    randomised,
    rank_accuracy,
    rank_correlation,
    ranks,
    region_sums,
    relevance_mass,
)
from lrpseg.masks.figures import iou
from lrpseg.models.contract import Classifier
from lrpseg.models.loaded import Loaded
from lrpseg.models.networks import NETWORKS, load_calibrated
from lrpseg.pipeline.defaults import default_settings
from lrpseg.pipeline.settings import Settings
from lrpseg.pipeline.testifying import NO_WITNESS
from lrpseg.refiners import REFINERS
from lrpseg.thresholders import THRESHOLDERS, Fitted
from training.command import SPLITS, add_data, masked, shown_words, told
from training.data.datasets import Example
from training.data.declared import read_domain
from training.reports.beyond import SHOWN
from training.reports.faithfulness_cases import Cases, Decision, Values, cases_of, spread
from training.reports.segmentation import fits_of
from training.reports.systems import Explained, maps_of, network_maps


@dataclass(frozen=True, eq=False)
class Heatmap:
    """Figures of a classifier's relevance: (N,) each, but the falls of the log-odds, (N, steps), by
    order. lost: of what it started from, `start`; magnitudes."""

    mass: Values
    rank: Values
    lost: Values
    start: Values
    falls: dict[str, Values]


@dataclass(frozen=True, eq=False)
class Masked:
    """Figures of a method's masks and likelihoods: (N,) each, but the falls of the log-odds, (N,
    steps), and `beside`, those in the order of the relevance that the method saw."""

    iou: Values
    mass: Values
    rank: Values
    falls: Values
    beside: Values


@dataclass(frozen=True, eq=False)
class Measured:
    """All that was measured. before, truth: of each classifier the log-odds (N,), and their falls
    (N, steps) in the order of the true mask; rounding: see `Decision`. forgetting: rank
    correlations (N, layers) with the layers' names, on some of the cases."""

    domain: Domain
    cases: Cases
    before: dict[str, Values] = field(default_factory=dict)
    truth: dict[str, Values] = field(default_factory=dict)
    rounding: dict[str, float] = field(default_factory=dict)
    heatmaps: dict[Settings, Heatmap] = field(default_factory=dict)
    masks: dict[Settings, Masked] = field(default_factory=dict)
    forgetting: dict[Settings, tuple[Sequence[str], Values]] = field(default_factory=dict)


def heatmap(decision: Decision, relevance: Tensor, settings: Settings, seed: int) -> Heatmap:
    """The figures of one heatmap, (N, side, side)."""
    sums, truth = region_sums(relevance), torch.from_numpy(decision.cases.truth)
    orders = {
        "most": ranks(sums, seed),
        "least": ranks(-sums, seed),
        "random": ranks(torch.zeros_like(sums), seed),
    }
    start = decision.starts(settings.start).double().cpu()
    return Heatmap(
        relevance_mass(relevance, truth).numpy(),
        rank_accuracy(relevance, truth).numpy(),
        (conservation_error(relevance, start) * start.abs()).numpy(),
        start.abs().numpy(),
        {name: decision.falls(places) for name, places in orders.items()},
    )


def masks(
    decision: Decision, made: Explained, settings: Settings, seed: int
) -> dict[Settings, Masked]:
    """The figures of each shown thresholder and refiner, from what the settings' network gave."""
    cases, found = decision.cases, {}
    beside = decision.falls(ranks(region_sums(cases.of(made.relevance)), seed))
    for thresholder in SHOWN:
        fits = fits_of(made.maps, THRESHOLDERS[thresholder].fit)
        for refiner, entry in REFINERS.items():
            if refiner == "support" and NETWORKS[settings.network].evidence == "relevance":
                continue  # of relevance, Simple's mask is the likelihood's own
            refined: list[Fitted] = [
                entry.refine(cases.images[i], made.relevance[i, k], made.maps[i, k], fits[i][k])
                for i, k in zip(cases.picture, cases.kind, strict=True)
            ]
            key = settings.but(thresholder=thresholder, refiner=refiner)
            found[key] = _masked(decision, refined, beside, seed)
    return found


def _masked(decision: Decision, refined: Sequence[Fitted], beside: Values, seed: int) -> Masked:
    likelihood = torch.from_numpy(np.stack([f.likelihood for f in refined]))
    truth = torch.from_numpy(decision.cases.truth)
    return Masked(
        np.array([iou(f.mask, t) for f, t in zip(refined, decision.cases.truth, strict=True)]),
        relevance_mass(likelihood, truth).numpy(),
        rank_accuracy(likelihood, truth).numpy(),
        decision.falls(ranks(region_sums(likelihood), seed)),
        beside,
    )


def forgetting(
    model: Classifier, domain: Domain, settings: Settings, cases: Cases, seed: int,
    device: torch.device,
) -> tuple[Sequence[str], Values]:  # fmt: skip
    """Layers from the last to the first, and the rank correlation (N, layers) of the heatmap with
    that of the network whose layers up to there are new."""
    before = cases.of(maps_of(Loaded(model), domain, settings, cases.images, device).relevance)
    names, columns = [], []
    for name, forgetful in randomised(model, seed):
        after = maps_of(Loaded(forgetful), domain, settings, cases.images, device).relevance
        names.append(name)
        columns.append(rank_correlation(before, cases.of(after)).numpy())
    return names, np.stack(columns, axis=1)


def measure(
    domain: Domain, examples: Sequence[Example], networks: Sequence[str], few: int, seed: int,
    device: torch.device, bfloat16: bool = False,
) -> Measured:  # fmt: skip
    """All figures; `few`: crops on which networks forget; `bfloat16`: see `Decision`."""
    measured = Measured(domain, cases_of(examples, domain))
    some = cases_of(spread(examples, few, seed), domain)
    decisions: dict[str, Decision] = {}
    for network in networks:
        explained = NETWORKS[network].explains(domain)
        if explained not in decisions:
            model = load_calibrated(domain, explained).to(device)
            new = Decision(model, domain, measured.cases, device, bfloat16)
            decisions[explained] = new
            measured.before[explained] = new.before.double().cpu().numpy()
            measured.rounding[explained] = new.rounding
            drawn = region_sums(torch.from_numpy(measured.cases.truth))
            measured.truth[explained] = new.falls(ranks(drawn, seed))
        decision = decisions[explained]
        for rules in RULE_SETS:
            usual = default_settings(domain, network=network, rule_set=rules, witness=NO_WITNESS)
            made = network_maps(domain, usual, measured.cases.images, device)
            measured.masks.update(masks(decision, made, usual, seed))
            if network != explained:
                continue
            for start, pooling in product(STARTS, POOLINGS):
                key = usual.but(start=start, pooling=pooling)
                found = maps_of(Loaded(decision.model), domain, key, measured.cases.images, device)
                relevance = measured.cases.of(found.relevance)
                measured.heatmaps[key] = heatmap(decision, relevance, key, seed)
            for pooling in POOLINGS:
                key = usual.but(pooling=pooling)
                measured.forgetting[key] = forgetting(
                    decision.model, domain, key, some, seed, device
                )
    return measured


def get_args_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.reports.faithfulness", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add_data(parser)
    add("--split", choices=SPLITS, default="val")
    add("--network", action="append", default=[], help="one of them (default: all)")
    add("--limit", type=int, help="damaged crops, in turn one of each region (default: all)")
    add("--few", type=int, default=4, help="of these, crops on which networks forget")
    add("--bfloat16", action="store_true", help="run perturbed crops in 16 bits: faster with AMX")
    add("--out", type=Path, default=Path("docs/results"))
    add("--seed", type=int, default=0)
    add("--device", default="auto")
    return parser


def main(words: Sequence[str] | None = None) -> str:
    """Measure, write the report below --out, and return its Markdown."""
    from training.reports.faithfulness_report import write_report

    given = sys.argv[1:] if words is None else list(words)
    args = get_args_parser().parse_args(given)
    device, domain = pick_device(args.device), load_domain(args.domain)
    examples = read_domain(domain, args.data, args.seed).splits.get(args.split, ())
    damaged = masked(examples, domain, args.split, args.data)
    networks = args.network or [n for n in NETWORKS if n in domain.checkpoints]
    chosen = spread(damaged, args.limit, args.seed)
    measured = measure(domain, chosen, networks, args.few, args.seed, device, args.bfloat16)
    return write_report(measured, len(damaged), args, device, shown_words(given))


if __name__ == "__main__":
    with told():
        print(main())
