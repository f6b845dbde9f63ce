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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from lrpseg.core.devices import pick_device
from lrpseg.domains import Domain, load_domain
from lrpseg.domains.weights import load_classifier
from lrpseg.lrp import DEFAULT_POOLING, DEFAULT_START, RULE_SETS
from lrpseg.models.networks import INPUT_SIZE, NETWORKS, classifiers
from lrpseg.pipeline.operating_points import Choice, default_choice
from lrpseg.pipeline.segmenter import load
from lrpseg.pipeline.tiling import TileGrid
from lrpseg.refiners import DEFAULT_REFINER
from lrpseg.thresholders import THRESHOLDERS, Fitted
from training.command import told
from training.data.crops import centre_crop, flipped, load_example
from training.data.datasets import READERS, Example, read
from training.loops.unet import UNet, load_unet, predict
from training.reports import classification
from training.reports.classification import Classification
from training.reports.metrics import Mask
from training.reports.segmentation import Score, Segmented, score, segment
from training.reports.systems import BASELINES, baseline_maps, lrp_maps

Systems = dict[Choice, Segmented]
UNET_NAME = "U-Net (pixel labels)"


@dataclass(frozen=True, eq=False)
class Pictures:
    """N damaged pictures, (H, W, 3) uint8 each, with true masks (H, W) and regions."""

    images: Sequence[NDArray[np.uint8]]
    truth: Sequence[Mask]
    regions: Sequence[str]

    def scored(self, systems: Sequence[Segmented], seed: int) -> list[Score]:
        return [score(s, self.truth, self.regions, seed) for s in systems]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that was measured on one split, for the report.

    lrp, whole: by classifier, rule set and thresholder, without a refiner, on crops and on whole
    pictures; others: what is not LRP, on crops, the U-Net first where there is one; unet_whole: the
    U-Net on whole pictures; choice: the best of these on validation images; relevance: its
    maps on the crops (N, 224, 224).
    """

    domain: Domain
    split: str
    seed: int
    device: torch.device
    unet: UNet | None
    classification: Sequence[Classification]
    crops: Pictures
    choice: Choice
    relevance: NDArray[np.float32]
    lrp: Systems
    scores: dict[Choice, Score]
    others: Sequence[Segmented]
    other_scores: Sequence[Score]
    whole: dict[Choice, Score]
    unet_whole: Score | None


def title(choice: Choice) -> str:
    """A system's name in tables."""
    return (
        f"{NETWORKS[choice.network].title}, {RULE_SETS[choice.rule_set].title}, "
        f"{THRESHOLDERS[choice.thresholder].title}"
    )


def crops_of(examples: Sequence[Example], flips: bool) -> Pictures:
    """Centre crops of 224 pixels; with `flips` each is followed by its two flips (paper 3.4)."""
    images, truth, regions = [], [], []
    for example in examples:
        image, mask = centre_crop(*load_example(example))
        for which in range(3 if flips else 1):
            images.append(np.ascontiguousarray(flipped(image, which)))
            truth.append(np.ascontiguousarray(flipped(mask, which)))
            regions.append(example.region)
    return Pictures(images, truth, regions)


def whole_of(examples: Sequence[Example]) -> Pictures:
    """The pictures themselves, enlarged where a side is under 224 pixels."""
    pairs = [load_example(e) for e in examples]
    truth = [mask for _, mask in pairs if mask is not None]
    return Pictures([image for image, _ in pairs], truth, [e.region for e in examples])


def lrp_systems(
    domain: Domain, networks: Sequence[str], crops: NDArray[np.uint8], device: torch.device
) -> Iterator[tuple[Choice, Segmented, NDArray[np.float32]]]:
    """Each network x rule set x thresholder, with its relevance; LRP runs once for all
    thresholders."""
    for network in networks:
        model = load_classifier(domain, network).to(device)
        for rules in RULE_SETS:
            explained = lrp_maps(
                model, domain, rules, DEFAULT_START, DEFAULT_POOLING, crops, device
            )
            found = explained.probabilities > 0.5
            for thresholder, entry in THRESHOLDERS.items():
                choice = Choice(network, rules, thresholder, DEFAULT_REFINER)
                made = segment(title(choice), explained.maps, entry.fit, found)
                yield choice, made, explained.maps


def whole_scores(
    domain: Domain, networks: Sequence[str], pictures: Pictures, device: str, seed: int
) -> dict[Choice, Score]:
    """Each system on whole, tiled pictures, by the very code that a user runs."""
    found: dict[Choice, Score] = {}
    for network in networks:
        for rules in RULE_SETS:
            segmenter = load(str(domain.folder), network=network, rule_set=rules, device=device)
            results = list(segmenter.stream(pictures.images, explain_intact=True))
            damaged = np.array([r.damaged for r in results])
            for thresholder, entry in THRESHOLDERS.items():
                choice = Choice(network, rules, thresholder, DEFAULT_REFINER)
                maps = (r.relevance for r in results)
                made = segment(title(choice), maps, entry.fit, damaged)
                found[choice] = score(made, pictures.truth, pictures.regions, seed)
    return found


def baseline_systems(
    domain: Domain, network: str, crops: NDArray[np.uint8], found: Mask, device: torch.device
) -> Iterator[Segmented]:
    """Other attributions of the same classifier through the same thresholders, and Otsu on the
    picture itself. `found` (N,): what the classifier calls damaged."""
    model = load_classifier(domain, network).to(device)
    for name in BASELINES:
        maps = baseline_maps(name, model, domain, crops, device)
        for thresholder in ("simple", "gmm", "bmm"):
            entry = THRESHOLDERS[thresholder]
            yield segment(f"{name}, {entry.title}", maps, entry.fit, found)
    darkness = 255 - crops.mean(axis=-1, dtype=np.float32)
    yield segment("Otsu on the picture", darkness, _otsu, found)


def _otsu(darkness: NDArray[np.float32]) -> Fitted:
    low, high = float(darkness.min()), float(darkness.max())
    likelihood = (darkness - low) / max(high - low, 1e-6)
    return Fitted(likelihood, float(np.float32(threshold_otsu(likelihood))), True, 1)


def unet_system(unet: UNet, pictures: Pictures, device: torch.device) -> Segmented:
    """The U-Net baseline, trained on pixel masks (paper 3.2.2); larger pictures are tiled."""
    likelihoods = []
    for image in pictures.images:
        grid = TileGrid(*image.shape[:2])
        merged = np.zeros(image.shape[:2], np.float32)
        tiles = list(grid)
        cut = np.stack([t.of(image) for t in tiles])
        for tile, likelihood in zip(tiles, predict(unet, cut, device), strict=True):
            grid.add(merged, tile, likelihood)
        likelihoods.append(merged)
    masks = [likelihood >= 0.5 for likelihood in likelihoods]
    return Segmented(UNET_NAME, likelihoods, masks, np.ones(len(masks), bool))


def evaluate(args: argparse.Namespace) -> Evaluation:
    """Measure all systems; arguments as `get_args_parser` defines them."""
    device = pick_device(args.device)
    domain = load_domain(args.domain)
    networks = [n for n in classifiers(NETWORKS) if n in domain.checkpoints]
    examples = read(args.domain, args.data, args.seed).splits.get(args.split, ())
    damaged = [e for e in examples if e.damaged and e.mask is not None]
    if not damaged:
        raise SystemExit(f"The split {args.split!r} of {args.domain} has no masks in {args.data}.")
    crops, whole = crops_of(damaged, args.flips), whole_of(damaged)
    images = np.stack(crops.images)
    choice = default_choice(domain, refiner=DEFAULT_REFINER, classifiers_only=True)

    systems: Systems = {}
    relevance = np.zeros((len(images), INPUT_SIZE, INPUT_SIZE), np.float32)
    for key, system, maps in lrp_systems(domain, networks, images, device):
        systems[key] = system
        if key == choice:
            relevance = maps
    unet = load_unet(args.unet) if args.unet else None
    others = [unet_system(unet, crops, device)] if unet else []
    if not args.no_baselines:
        found = systems[choice].found
        others += baseline_systems(domain, choice.network, images, found, device)
    unet_whole = None
    if unet:
        made = unet_system(unet, whole, device)
        unet_whole = score(made, whole.truth, whole.regions, args.seed)
    return Evaluation(
        domain=domain,
        split=args.split,
        seed=args.seed,
        device=device,
        unet=unet,
        classification=[
            classification.measure(
                examples, args.domain, network, args.split, args.seed, args.device
            )
            for network in networks
        ],
        crops=crops,
        choice=choice,
        relevance=relevance,
        lrp=systems,
        scores=dict(zip(systems, crops.scored(list(systems.values()), args.seed), strict=True)),
        others=others,
        other_scores=crops.scored(others, args.seed),
        whole=whole_scores(domain, networks, whole, args.device, args.seed),
        unet_whole=unet_whole,
    )


def get_args_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.reports.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--domain", choices=list(READERS), default="magnetic-tile")
    parser.add_argument("--split", choices=["train", "val", "test", "audit"], default="test")
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
    # Shown in the report, without the place where the data lies on one machine.
    shown = ["DIR" if before == "--data" else w for before, w in zip(["", *given], given)]  # noqa: B905
    return write_report(evaluate(args), args.out / f"{args.domain}-{args.split}", shown)


if __name__ == "__main__":
    with told():
        print(main())
