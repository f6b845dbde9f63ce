"""Measures every system of the paper and writes the report with tables, curves and cases.

    python -m training.reports.evaluate --data DIR --domain magnetic-tile --split test \\
        --unet runs/unet/best.safetensors --out docs/results

Networks are those of the domain that have a checkpoint. Segmentation is scored on the centre crops
of the damaged pictures (paper 3.4 and 4), with --flips on their two flips too, and on whole
pictures, tiled as a user gets them. Prints the report, and writes report.md, results.json and PNG
files below --out/<domain>-<split>/.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lrpseg.core.devices import pick_device
from lrpseg.domains import Domain, load_domain
from lrpseg.lrp import RULE_SETS
from lrpseg.models.networks import INPUT_SIZE, NETWORKS, classifiers, load_calibrated
from lrpseg.pipeline.curves import UNION
from lrpseg.pipeline.defaults import default_settings
from lrpseg.pipeline.loading import load
from lrpseg.pipeline.settings import BEST, Settings
from lrpseg.pipeline.testifying import NO_WITNESS
from lrpseg.refiners import DEFAULT_REFINER
from lrpseg.thresholders import THRESHOLDERS
from training.command import SPLITS, add_data, masked, shown_words, told
from training.data.crops import centre_window, flipped, load_class_masks, load_example
from training.data.datasets import Example
from training.data.declared import read_domain
from training.loops.unet import UNet, load_unet
from training.reports import classification
from training.reports.classification import Classification
from training.reports.peers import baseline_systems, unet_system, witness_systems
from training.reports.segmentation import Pictures, Score, Segmented, fits_of, score, segment
from training.reports.systems import Maps, maps_of, several_of

Made = Mapping[str, Segmented]
"""What one system makes, by class; `UNION` of all damage."""
Systems = dict[Settings, Made]
ByClass = dict[str, Score]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that was measured on one split, for the report.

    lrp, whole: by classifier, rule set and thresholder, without a refiner, on crops and on whole
    pictures; others: what is not LRP, on crops, the U-Net first where there is one; unet_whole: the
    U-Net on whole pictures; choice: the best of these on validation images; relevance: its
    maps on the crops (N, side, side). Scores are of all damage; by_class, whole_by_class: of each
    class where there are several.
    """

    domain: Domain
    split: str
    seed: int
    device: torch.device
    unet: UNet | None
    classification: Sequence[Classification]
    crops: Pictures
    choice: Settings
    relevance: Maps
    lrp: dict[Settings, Segmented]
    scores: dict[Settings, Score]
    by_class: dict[Settings, ByClass]
    others: Sequence[Segmented]
    other_scores: Sequence[Score]
    whole: dict[Settings, Score]
    whole_by_class: dict[Settings, ByClass]
    unet_whole: Score | None


def key_of(settings: Settings, *names: str) -> str:
    """Values of some of the settings in one word, as results.json names systems."""
    return "/".join(str(getattr(settings, name)) for name in names or BEST)


def title(settings: Settings) -> str:
    """A system's name in tables."""
    return (
        f"{NETWORKS[settings.network].title}, {RULE_SETS[settings.rule_set].title}, "
        f"{THRESHOLDERS[settings.thresholder].title}"
    )


def crops_of(
    examples: Sequence[Example],
    flips: bool,
    size: int = INPUT_SIZE,
    classes: Sequence[str] = (),
) -> Pictures:
    """Centre crops of `size` pixels; with `flips` each is followed by its two flips (paper 3.4).
    classes: those that are scored each for itself."""
    images, truth, regions = [], [], []
    masks: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in classes}
    for example in examples:
        image, mask = load_example(example, size)
        window = centre_window(image.shape, mask, size)
        whole = np.zeros(image.shape[:2], bool) if mask is None else mask
        own = _class_masks(example, classes, whole)
        for which in range(3 if flips else 1):
            images.append(np.ascontiguousarray(flipped(image[window], which)))
            truth.append(np.ascontiguousarray(flipped(whole[window], which)))
            regions.append(example.region)
            for name, part in own.items():
                masks[name].append(np.ascontiguousarray(flipped(part[window], which)))
    return Pictures(images, truth, regions, masks)


def whole_of(
    examples: Sequence[Example], size: int = INPUT_SIZE, classes: Sequence[str] = ()
) -> Pictures:
    """The pictures themselves, enlarged where a side is under `size` pixels."""
    pairs = [load_example(e, size) for e in examples]
    truth = [mask for _, mask in pairs if mask is not None]
    own = [_class_masks(e, classes, t) for e, t in zip(examples, truth, strict=True)]
    masks = {name: [each[name] for each in own] for name in classes}
    return Pictures([image for image, _ in pairs], truth, [e.region for e in examples], masks)


def _class_masks(
    example: Example, classes: Sequence[str], whole: NDArray[np.bool_]
) -> dict[str, NDArray[np.bool_]]:
    if not classes:
        return {}
    found = load_class_masks(example, classes, (whole.shape[0], whole.shape[1]))
    return {
        name: np.zeros_like(whole) if mask is None else mask
        for name, mask in zip(classes, found, strict=True)
    }


def lrp_systems(
    domain: Domain, networks: Sequence[str], crops: NDArray[np.uint8], device: torch.device
) -> Iterator[tuple[Settings, Made, Maps]]:
    """Each network x rule set x thresholder without a refiner, with its relevance (N, K, side,
    side); LRP runs once for all thresholders."""
    for network in networks:
        loaded = NETWORKS[network].load(domain).to(device)
        for rules in RULE_SETS:
            settings = default_settings(
                domain, network=network, rule_set=rules, refiner=DEFAULT_REFINER, witness=NO_WITNESS
            )
            explained = maps_of(loaded, domain, settings, crops, device)
            found = explained.probabilities > 0.5
            for thresholder, entry in THRESHOLDERS.items():
                key = settings.but(thresholder=thresholder)
                fits = fits_of(explained.maps, entry.fit)
                yield key, segment(title(key), fits, found, several_of(domain)), explained.maps


def whole_systems(
    domain: Domain, networks: Sequence[str], pictures: Pictures, device: str
) -> Systems:
    """Each system on whole, tiled pictures, by the very code that a user runs."""
    found: Systems = {}
    for network in networks:
        for rules in RULE_SETS:
            segmenter = load(
                str(domain.folder), network=network, rule_set=rules, witness=NO_WITNESS,
                device=device,
            )  # fmt: skip
            results = list(segmenter.stream(pictures.images, explain_intact=True))
            damaged = np.array([[layer.damaged for layer in r.layers] for r in results])
            for thresholder, entry in THRESHOLDERS.items():
                key = segmenter.settings.but(thresholder=thresholder, refiner=DEFAULT_REFINER)
                fits = [[entry.fit(layer.relevance) for layer in r.layers] for r in results]
                found[key] = segment(title(key), fits, damaged, several_of(domain))
    return found


def side_of(domain: Domain) -> int:
    """Side in pixels of the crops that the domain's pictures are scored on: its classifier's
    tiles."""
    return load_calibrated(domain, domain.classifier).tile


def evaluate(args: argparse.Namespace) -> Evaluation:
    """Measure all systems; arguments as `get_args_parser` defines them."""
    device = pick_device(args.device)
    domain = load_domain(args.domain)
    networks = [n for n in classifiers(NETWORKS) if n in domain.checkpoints]
    examples = read_domain(domain, args.data, args.seed).splits.get(args.split, ())
    damaged = masked(examples, domain, args.split, args.data)
    side, several = side_of(domain), several_of(domain)
    crops, whole = crops_of(damaged, args.flips, side, several), whole_of(damaged, side, several)
    images = np.stack(crops.images)
    choice = default_settings(
        domain, refiner=DEFAULT_REFINER, classifiers_only=True, witness=NO_WITNESS
    )

    systems: Systems = {}
    relevance = np.zeros(images.shape[:3], np.float32)
    found = np.zeros((len(images), len(domain.classes)), bool)
    for key, made, maps in lrp_systems(domain, networks, images, device):
        systems[key] = made
        if key == choice:
            relevance = maps.max(axis=1)
            found = np.stack([s.found for k, s in made.items() if k or len(made) == 1], axis=1)
    unet = load_unet(args.unet) if args.unet else None
    others = [unet_system(unet, crops, domain.normalisation, device)] if unet else []
    if not args.no_baselines:
        others += baseline_systems(domain, choice.network, images, found, device)
        others += witness_systems(domain, images, device)
    unet_whole = None
    if unet:
        made_whole = unet_system(unet, whole, domain.normalisation, device)
        unet_whole = score(made_whole, whole.truth, whole.regions, args.seed)
    union = {key: made[UNION] for key, made in systems.items()}
    tiled = whole_systems(domain, networks, whole, args.device)
    tiled_union = [made[UNION] for made in tiled.values()]
    return Evaluation(
        domain=domain,
        split=args.split,
        seed=args.seed,
        device=device,
        unet=unet,
        classification=[
            classification.measure(examples, domain, network, args.split, args.seed, args.device)
            for network in networks
        ],
        crops=crops,
        choice=choice,
        relevance=relevance,
        lrp=union,
        scores=dict(zip(union, crops.scored(list(union.values()), args.seed), strict=True)),
        by_class={k: crops.scored_by_class(made, args.seed) for k, made in systems.items()},
        others=others,
        other_scores=crops.scored(others, args.seed),
        whole=dict(zip(tiled, whole.scored(tiled_union, args.seed), strict=True)),
        whole_by_class={k: whole.scored_by_class(made, args.seed) for k, made in tiled.items()},
        unet_whole=unet_whole,
    )


def get_args_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.reports.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_data(parser)
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument(
        "--unet", type=Path, help="weights of a U-Net from training.loops.train_unet"
    )
    parser.add_argument("--no-baselines", action="store_true", help="leave out other attributions")
    parser.add_argument("--flips", action="store_true", help="segment the crops' flips too (3.4)")
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    return parser


def main(words: Sequence[str] | None = None) -> str:
    """Evaluate, write the report below --out, and return its Markdown."""
    from training.reports.report import write_report

    given = sys.argv[1:] if words is None else list(words)
    args = get_args_parser().parse_args(given)
    measured = evaluate(args)
    out = args.out / f"{measured.domain.name}-{args.split}"
    return write_report(measured, out, shown_words(given))


if __name__ == "__main__":
    with told():
        print(main())
