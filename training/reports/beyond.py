"""Measures what goes beyond the paper: refiners, the self-trained network, calibration.

    python -m training.reports.beyond --data DIR --domain magnetic-tile --split test

All networks of the domain that have a checkpoint, from image-level labels alone. Masks are scored
on the centre crops of the damaged pictures as by `training.reports.evaluate`, whose report has the
paper's systems and the U-Net of pixel labels; the default's masks on whole, tiled pictures too.
Prints the report, and writes report.md, results.json and PNG files below
--out/<domain>-<split>-beyond/.
"""

import argparse
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path

import numpy as np
import torch

from lrpseg.core.devices import pick_device
from lrpseg.domains import Domain, load_domain
from lrpseg.lrp import RULE_SETS
from lrpseg.masks.render import save_text
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.curves import UNION
from lrpseg.pipeline.defaults import default_settings
from lrpseg.pipeline.loading import load
from lrpseg.pipeline.results import reason_of
from lrpseg.pipeline.settings import BEST, Settings
from lrpseg.pipeline.testifying import NO_WITNESS
from lrpseg.refiners import DEFAULT_REFINER, REFINERS
from lrpseg.thresholders import THRESHOLDERS
from lrpseg.version import __version__
from training.command import SPLITS, add_data, masked, shown_words, told
from training.data.declared import read_domain
from training.reports import classification, plots
from training.reports.classification import Classification
from training.reports.evaluate import Systems, crops_of, key_of, side_of, whole_of
from training.reports.peers import UNET_NAME
from training.reports.segmentation import Pictures, Score, Segmented, fits_of, ious, segment
from training.reports.systems import network_maps, seconded_maps, witnessed
from training.reports.tables import COLUMNS, table

SHOWN = ("simple", "bmm", "fraction")
"""Thresholders in the table; the GMM and the literal BMM mark too much to be worth refining."""

WORST = 6
"""Pictures among the failure cases."""


def name_of(settings: Settings) -> str:
    """A system's name in the tables."""
    rules = [RULE_SETS[settings.rule_set].title]
    refiner = [] if settings.refiner == DEFAULT_REFINER else [f"refined: {settings.refiner}"]
    witness = [] if settings.witness == NO_WITNESS else [f"witness: {settings.witness}"]
    parts = [NETWORKS[settings.network].title, *rules, THRESHOLDERS[settings.thresholder].title]
    return ", ".join([*parts, *refiner, *witness])


def systems(
    domain: Domain, networks: Sequence[str], pictures: Pictures, device: torch.device
) -> Systems:
    """Each network, rule set, witness (and none), shown thresholder and refiner on crops (side,
    side, 3), of which a witness hears each as a picture by itself."""
    images = np.stack(pictures.images)
    found: Systems = {}
    heard = {n: witnessed(files, images, device) for n, files in domain.witnesses.items()}
    for network, rules in product(networks, RULE_SETS):
        settings = default_settings(domain, network=network, rule_set=rules)
        made = network_maps(domain, settings, images, device)
        for witness, thresholder in product((NO_WITNESS, *heard), SHOWN):
            maps, decided = made.maps, made.probabilities > 0.5
            if witness != NO_WITNESS:
                verdict, said = domain.witnesses[witness].verdict, heard[witness]
                maps = seconded_maps(made.maps, settings, said, verdict)
                pairs = zip(made.probabilities[:, 0], said, strict=True)
                decided = np.array([[verdict.of_both(p, h.score) > 0.5] for p, h in pairs])
            fits = fits_of(maps, THRESHOLDERS[thresholder].fit)
            reason = reason_of(settings, made.relevance, maps)
            for refiner, entry in REFINERS.items():
                if refiner == "support" and NETWORKS[network].evidence == "relevance":
                    continue  # of relevance, Simple's mask is the likelihood's own
                refined = [
                    [entry.refine(i, r, m, f) for r, m, f in zip(*each, strict=True)]
                    for i, *each in zip(images, reason, maps, fits, strict=True)
                ]
                key = settings.but(thresholder=thresholder, refiner=refiner, witness=witness)
                found[key] = segment(name_of(key), refined, decided, domain.classes.names)
    return found


def whole_systems(
    domain: Domain, settings: Settings, pictures: Pictures, device: str
) -> Mapping[str, Segmented]:
    """The masks of `lrpseg.load(...)` on whole pictures, as a user gets them."""
    names = {name: getattr(settings, name) for name in (*BEST, "witness")}
    segmenter = load(str(domain.folder), **names, device=device)
    results = list(segmenter.stream(pictures.images, explain_intact=True))
    fits = [[layer.fitted for layer in r.layers] for r in results]
    damaged = np.array([[layer.damaged for layer in r.layers] for r in results])
    return segment(name_of(settings), fits, damaged, domain.classes.names)


def best(
    scores: dict[Settings, Score],
    evidence: str,
    refiner: str | None = None,
    witness: str | None = None,
) -> Settings | None:
    """The settings of highest mean IoU among those of networks that give that evidence."""
    among = {
        c: s.mean.iou
        for c, s in scores.items()
        if NETWORKS[c.network].evidence == evidence
        and refiner in (None, c.refiner)
        and witness in (None, c.witness)
    }
    return max(among, key=among.__getitem__, default=None)


def worst_cases(made: Segmented, pictures: Pictures, out: Path) -> None:
    """Save the pictures of lowest IoU, one a region first: exposures of one fail alike."""
    reached = ious(made, pictures.truth)
    order = np.argsort(reached, kind="stable")
    first = [i for n, i in enumerate(order) if pictures.regions[i] not in
             {pictures.regions[j] for j in order[:n]}]  # fmt: skip
    rows = [
        (
            f"IoU {reached[i]:.2f}",
            [
                pictures.images[i],
                pictures.truth[i],
                made.likelihood[i],
                plots.outlined(pictures.images[i], made.used(i)),
            ],
        )
        for i in first[:WORST]
    ]
    plots.cases(out / "worst.png", rows, ["picture", "truth", "likelihood", "mask"])


def classification_lines(results: Sequence[Classification]) -> list[str]:
    """The table of balanced accuracies and calibration errors."""
    if not results:
        return []
    lines = [
        "## Classification and calibration",
        "",
        results[0].about.split(": ", 1)[1].capitalize(),
        "ECE: expected calibration error of whole pictures' probabilities, ten bins.",
        "",
        "| network | pictures | balanced accuracy | TPR | TNR | ECE |",
        "|---" * 6 + "|",
    ]
    for result in results:
        for row in (*result.rows, *result.classes):
            ece = f"{result.calibration_error:.3f}" if row is result.rows[-1] else ""
            lines.append(
                f"| {NETWORKS[result.network].title} | {row.pictures} | {row.balanced_accuracy} "
                f"| {row.tpr} | {row.tnr} | {ece} |"
            )
    return [*lines, "", "![Reliability](reliability.png)", ""]


def unet_figure(out: Path, domain: str, split: str) -> dict | None:
    """The score of the U-Net of pixel labels that `evaluate` reported, if it did."""
    path = out / f"{domain}-{split}" / "results.json"
    others = json.loads(path.read_text("utf-8"))["others"] if path.is_file() else []
    return next((s for s in others if s["name"] == UNET_NAME), None)


def summary(
    scores: dict[Settings, Score],
    results: Sequence[Classification],
    unet: dict | None,
    default: Settings,
) -> list[str]:
    """What was reached, in a few lines."""
    lines = []
    if results:
        top = max(results, key=lambda r: r.crops.balanced_accuracy.value)
        lines.append(
            f"- Best classification: {NETWORKS[top.network].title}, balanced accuracy "
            f"{top.crops.balanced_accuracy} on crops with flips, {top.rows[-1].balanced_accuracy} "
            "on whole pictures."
        )
    for words, settings in (
        ("Best LRP mask as in the paper", best(scores, "relevance", DEFAULT_REFINER, NO_WITNESS)),
        ("Best refined LRP mask", best(scores, "relevance")),
        ("Best mask of a self-trained network", best(scores, "likelihood")),
        ("The default, chosen on val", default if default in scores else None),
    ):
        if settings is not None:
            s = scores[settings]
            lines.append(
                f"- {words}: {s.name}, mean IoU {s.mean.iou:.3f} (95 % interval "
                f"{s.low:.2f}-{s.high:.2f}); {s.found} of {s.images} found."
            )
    if unet:
        lines.append(
            f"- {UNET_NAME}, from the report of `training.reports.evaluate`: mean IoU "
            f"{unet['mean']['iou']:.3f} (95 % interval {unet['low']:.2f}-{unet['high']:.2f})."
        )
    return [*lines, ""]


def report(args: argparse.Namespace, shown: Sequence[str]) -> str:
    """Measure, write the files, and return the Markdown."""
    device, domain = pick_device(args.device), load_domain(args.domain)
    networks = [n for n in NETWORKS if n in domain.checkpoints]
    examples = read_domain(domain, args.data, args.seed).splits.get(args.split, ())
    damaged = masked(examples, domain, args.split, args.data)
    out = args.out / f"{domain.name}-{args.split}-beyond"
    side, several = side_of(domain), domain.classes.names if len(domain.classes) > 1 else ()
    crops, whole = crops_of(damaged, False, side, several), whole_of(damaged, side, several)
    results = [
        classification.measure(examples, domain, n, args.split, args.seed, args.device)
        for n in (networks if not args.no_classification else ())
    ]
    layered = systems(domain, networks, crops, device)
    made = {key: each[UNION] for key, each in layered.items()}
    scores = dict(zip(made, crops.scored(list(made.values()), args.seed), strict=True))
    by_class = {k: crops.scored_by_class(each, args.seed) for k, each in layered.items()}
    default = default_settings(domain)
    lrp = default_settings(domain, classifiers_only=True)
    wholes: list[Score] = []
    for settings in dict.fromkeys([default, lrp]):
        tiled = whole_systems(domain, settings, whole, args.device)
        wholes += whole.scored([tiled[UNION]], args.seed)
        wholes += whole.scored_by_class(tiled, args.seed).values()
    if results:
        plots.reliability(
            out / "reliability.png",
            f"{domain.title}, {args.split}",
            {
                NETWORKS[r.network].title: [(b.probability, b.damaged, b.count) for b in r.bins]
                for r in results
            },
        )
    shown_case = default if default in made else best(scores, NETWORKS[default.network].evidence)
    if shown_case is not None:
        worst_cases(made[shown_case], crops, out)
    unet = unet_figure(args.out, domain.name, args.split)
    rows = [s for key, s in scores.items() for s in (s, *by_class[key].values())]
    text = "\n".join(
        [
            f"# {domain.title}, {args.split} split: beyond the paper",
            "",
            "```sh",
            f"python -m training.reports.beyond {' '.join(shown)}",
            "```",
            "",
            f"lrpseg {__version__}, torch {torch.__version__}, Python "
            f"{platform.python_version()}, device {device}, seed {args.seed}.",
            "",
            "Masks from image-level labels alone. Refiners, thresholders and the default were "
            "chosen on val.",
            "",
            *summary(scores, results, unet, default),
            *classification_lines(results),
            "## Masks",
            "",
            f"{len(damaged)} damaged crops of {len(set(crops.regions))} regions. {COLUMNS}",
            "",
            *table(rows),
            "",
            "Whole pictures, tiled as a user gets them, of the default and of the best LRP mask:",
            "",
            *table(wholes),
            "",
            "## Worst cases",
            "",
            "Lowest IoU of "
            f"{made[shown_case].name if shown_case else ''}, one picture of each region.",
            "",
            "![Worst cases](worst.png)",
            "",
        ]
    )
    stored = {
        "command": list(shown),
        "lrpseg": __version__,
        "torch": torch.__version__,
        "split": args.split,
        "seed": args.seed,
        "default": {name: getattr(default, name) for name in BEST},
        "classification": [asdict(r) | {"calibration_error": r.calibration_error} for r in results],
        "masks": {key_of(c): asdict(s) for c, s in scores.items()},
        "whole": [asdict(s) for s in wholes],
    }
    if several:
        stored["classes"] = {
            key_of(k): {c: asdict(s) for c, s in held.items()} for k, held in by_class.items()
        }
    save_text(json.dumps(stored, indent=1) + "\n", out / "results.json")
    save_text(text, out / "report.md")
    return text


def get_args_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.reports.beyond", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add_data(parser)
    add("--split", choices=SPLITS, default="test")
    add("--no-classification", action="store_true", help="leave out what takes most of the time")
    add("--out", type=Path, default=Path("docs/results"))
    add("--seed", type=int, default=0)
    add("--device", default="auto")
    return parser


def main(words: Sequence[str] | None = None) -> str:
    """Measure, write the report below --out, and return its Markdown."""
    given = sys.argv[1:] if words is None else list(words)
    return report(get_args_parser().parse_args(given), shown_words(given))


if __name__ == "__main__":
    with told():
        print(main())
