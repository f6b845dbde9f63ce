"""Measures the work that a proposed mask saves: strokes and pixels until it is right.

    python -m training.reports.effort --data DIR --domain magnetic-tile --split test --learn \\
        --unet runs/unet/best.safetensors --out docs/results

A simulated annotator (`training.reports.annotator`, whose rules the report repeats) corrects the
mask that each method proposes for the damaged pictures' centre crops, and a blank one, until its
IoU with the truth is 0.8, then 0.9. A mask is what a user gets: empty where the picture is
classified intact. Of several classes it counts all damage together, and each class by itself.

With --learn also: the self-trained network learns, by the code of `lrpseg learn`, from 5, 10 and 20
corrected crops of the training split's damaged pictures (their true masks stand for corrected
ones), beside 64 other pictures of that split, intact and damaged, which nobody corrected. Then it
proposes masks for the same pictures as above, of which it saw none. Corrected crops are drawn
region by region, so that they are varied; what is shown is the mean of several draws. And it learns
from 10 corrected crops of the split itself, as somebody does who corrects some pictures of a batch,
and proposes masks for the others. --start names the domain whose network learns, where that is
another one: then these are corrections on a surface that the network never saw, and of the methods
only the blank mask is there to compare with.

Prints the report, and writes report.md, results.json and effort.png below
--out/<domain>-<split>-effort/.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lrpseg.core.devices import pick_device
from lrpseg.domains import Domain, load_domain
from lrpseg.learning import Recipe, fine_tune, predict
from lrpseg.learning.run import OTHERS
from lrpseg.lrp import RULE_SETS
from lrpseg.masks.figures import Mask
from lrpseg.models.networks import load_pair
from lrpseg.models.self_trained import Decider
from lrpseg.pipeline.curves import UNION
from lrpseg.pipeline.defaults import default_settings
from lrpseg.pipeline.testifying import NO_WITNESS
from lrpseg.refiners import DEFAULT_REFINER, REFINERS
from lrpseg.thresholders import THRESHOLDERS
from training.command import add_data, masked, shown_words, told
from training.data.corrected import Batch, batches, corrected_examples, patches_of
from training.data.datasets import Example
from training.data.declared import read_domain
from training.data.readers import READERS
from training.reports.annotator import Correction, correct
from training.reports.effort_methods import SELF_TRAINED, methods
from training.reports.evaluate import crops_of, several_of, side_of
from training.reports.segmentation import Pictures

GOALS = (0.8, 0.9)
COUNTS = (0, 5, 10, 20)


@dataclass(frozen=True, eq=False)
class Effort:
    """What it took to correct the masks of one method; arrays are (N,), or (goals, N).

    iou: before the first stroke. strokes, pixels: until each of `GOALS` was reached. short: whether
    it was not, within the limit.
    """

    name: str
    about: str
    iou: NDArray[np.float64]
    strokes: NDArray[np.float64]
    pixels: NDArray[np.float64]
    short: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Measured:
    """All that was measured on one split, for the report. classes: of a class by itself, on the
    pictures that show it, its regions and methods; empty where there is one class. `learned`: by
    the number of corrected crops, the mean over draws; batches: of pictures of the split itself;
    both empty without --learn. start: the domain whose network learned."""

    domain: Domain
    start: Domain
    split: str
    seed: int
    draws: int
    regions: Sequence[str]
    methods: Sequence[Effort]
    learned: dict[int, Effort]
    batches: Sequence[Batch]
    recipe: Recipe
    classes: Mapping[str, "OfClass"] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class OfClass:
    """The effort of one class by itself; regions: of the pictures that show it."""

    regions: Sequence[str]
    methods: Sequence[Effort]


def measure(name: str, about: str, masks: Sequence[Mask], truth: Sequence[Mask]) -> Effort:
    """Correct each mask to the highest goal; the lower ones are met on the way."""
    done = [correct(m, t, max(GOALS)) for m, t in zip(masks, truth, strict=True)]

    def each(get: Callable[[Correction, float], float]) -> NDArray[np.float64]:
        return np.array([[get(c, goal) for c in done] for goal in GOALS])

    return Effort(
        name,
        about,
        np.array([c.ious[0] for c in done]),
        each(lambda c, goal: c.effort(goal)[0]),
        each(lambda c, goal: c.effort(goal)[1]),
        each(lambda c, goal: not c.reached(goal)).astype(bool),
    )


def learned_curve(
    start: Domain,
    model: Decider,
    training: Sequence[Example],
    pictures: Pictures,
    recipe: Recipe,
    draws: int,
    device: torch.device,
) -> dict[int, Effort]:
    """Effort on `pictures` after learning from each of `COUNTS` corrected training crops.

    Where the training split has fewer, all of them count as that number.
    """

    def effort(network: Decider) -> Effort:
        masks = [predict(network, i, start.normalisation, device) for i in pictures.images]
        return measure("", "", masks, pictures.truth)

    found = {0: effort(model.to(device))}
    for count in COUNTS[1:]:
        runs = []
        for draw in range(draws):
            seed = recipe.seed + draw
            chosen = corrected_examples(training, count, seed)
            rest = [e for e in training if e not in chosen]
            others = [rest[i] for i in np.random.default_rng(seed).permutation(len(rest))[:OTHERS]]
            corrected = [patches_of(e, True) for e in chosen]
            uncorrected = [patches_of(e, False) for e in others]
            tuned = fine_tune(
                model, corrected, uncorrected, replace(recipe, seed=seed), start.normalisation,
                device,
            )  # fmt: skip
            runs.append(effort(tuned))
            print(f"{count} corrections, draw {draw + 1}: IoU {runs[-1].iou.mean():.3f}",
                  file=sys.stderr)  # fmt: skip
        found[len(chosen)] = _mean(runs)
    return found


def _mean(runs: Sequence[Effort]) -> Effort:
    iou, strokes, pixels = (
        np.mean([getattr(r, name) for r in runs], axis=0) for name in ("iou", "strokes", "pixels")
    )
    return Effort("", "", iou, strokes, pixels, np.any([r.short for r in runs], axis=0))


def run(args: argparse.Namespace) -> Measured:
    """Measure everything; arguments as `get_args_parser` defines them."""
    domain, device = load_domain(args.domain), pick_device(args.device)
    splits = read_domain(domain, args.data, args.seed, args.data_set).splits
    damaged = masked(splits.get(args.split, ()), domain, args.split, args.data)
    pictures = crops_of(damaged, False, side_of(domain), several_of(domain))
    given = {"network": args.network, "rule_set": args.rule_set, "classifiers_only": True}
    paper = args.thresholder or "simple"
    lrp = default_settings(
        domain, **given, thresholder=paper, refiner=DEFAULT_REFINER, witness=NO_WITNESS
    )
    refined = default_settings(domain, **given, thresholder=args.thresholder, refiner=args.refiner)
    efforts: dict[str, list[Effort]] = {}
    start = load_domain(args.start or args.domain)
    compared = methods(domain, lrp, refined, args.unet, args.device)
    for method in compared if start.name == domain.name else compared[:1]:
        masks = method.masks(pictures)
        for kind in (UNION, *pictures.classes):
            there, truth = pictures.showing(kind), pictures.of(kind).truth
            if kind not in masks or not there:
                continue
            made = measure(method.name, method.about, [masks[kind][i] for i in there], truth)
            efforts.setdefault(kind, []).append(made)
            told = f"{method.name}, {kind}" if kind != UNION else method.name
            print(f"{told}: {made.strokes[0].mean():.1f} strokes", file=sys.stderr)
    recipe = Recipe(seed=args.seed, steps=args.steps, lr=args.lr, blend=args.blend)
    curve: dict[int, Effort] = {}
    within: list[Batch] = []
    if args.learn:
        model = load_pair(start, SELF_TRAINED)
        curve = learned_curve(start, model, splits["train"], pictures, recipe, args.draws, device)
        within = batches(model, damaged, start.normalisation, recipe, args.draws, device)
    return Measured(
        domain, start, args.split, args.seed, args.draws, pictures.regions, efforts.pop(UNION),
        curve, within, recipe,
        {kind: OfClass(pictures.of(kind).regions, of) for kind, of in efforts.items()},
    )  # fmt: skip


def get_args_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.reports.effort", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add_data(parser)
    add("--data-set", choices=list(READERS), help="how to read --data (default: data.toml's)")
    add("--split", choices=["val", "test", "audit"], default="test")
    add("--network", help="the classifier that LRP explains (default: the domain's best)")
    add("--rule-set", choices=list(RULE_SETS), help="its LRP rules (default: the best)")
    add("--thresholder", choices=list(THRESHOLDERS),
        help="of the LRP masks (default: simple, and the best for refined masks)")  # fmt: skip
    add("--refiner", choices=list(REFINERS), help="of the refined LRP masks (default: the best)")
    add("--unet", type=Path, help="weights of a U-Net from training.loops.train_unet")
    add("--learn", action="store_true", help="also the curve over learned corrections")
    add("--start", help="the domain whose network learns (default: the same)")
    add("--steps", type=int, default=Recipe.steps, help="of learning (default: %(default)s)")
    add("--lr", type=float, default=Recipe.lr, help="its learning rate (default: %(default)s)")
    add("--blend", type=float, default=Recipe.blend,
        help="how far it goes towards the learned weights (default: %(default)s)")  # fmt: skip
    add("--draws", type=int, default=3, help="of corrected pictures, for --learn (default: 3)")
    add("--out", type=Path, default=Path("docs/results"))
    add("--seed", type=int, default=0)
    add("--device", default="auto")
    return parser


def main(words: Sequence[str] | None = None) -> str:
    """Measure, write the report below --out, and return its Markdown."""
    from training.reports.effort_report import write_report

    given = sys.argv[1:] if words is None else list(words)
    args = get_args_parser().parse_args(given)
    measured = run(args)
    name = f"{measured.domain.name}-{args.split}-effort"
    if measured.start.name != measured.domain.name:
        name += f"-from-{measured.start.name}"
    return write_report(measured, args.out / name, shown_words(given))


if __name__ == "__main__":
    with told():
        print(main())
