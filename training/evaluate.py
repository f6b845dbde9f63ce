"""Measures every system of the paper and writes the report with tables, curves and cases.

    python -m training.evaluate --data DIR --domain magnetic-tile --split test \\
        --unet runs/unet/best.safetensors --out docs/results

Networks are those of the domain that have a checkpoint. Segmentation is scored on the centre crops
of the damaged pictures (paper 3.4 and 4). Prints the tables, and writes report.md, results.json and
PNG files below --out/<domain>-<split>/.
"""

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from lrpseg.checkpoints import load_checkpoint
from lrpseg.devices import pick_device
from lrpseg.domains import Domain, load_domain
from lrpseg.lrp import RULE_SETS
from lrpseg.networks import NETWORKS
from lrpseg.render import save_text
from lrpseg.segmenter import DEFAULT_POOLING, DEFAULT_START
from lrpseg.thresholders import THRESHOLDERS, Fitted
from lrpseg.version import __version__
from training import classification, plots
from training.crops import centre_crop, load_example
from training.datasets import READERS, Example, read
from training.metrics import Figures
from training.paper import SEGMENTATION, UNET
from training.segmentation import Score, Segmented, curve, saturation, score, segment
from training.systems import BASELINES, baseline_maps, lrp_maps

BASELINE_NETWORK = "one-fc"


def lrp_systems(
    domain: Domain, networks: Sequence[str], crops: NDArray[np.uint8], device: torch.device
) -> dict[tuple[str, str, str], Segmented]:
    """Each network x rule set x thresholder, by name; LRP runs once per network and rule set."""
    systems = {}
    for network in networks:
        model = load_checkpoint(domain.checkpoint(network), network).to(device)
        for rules in RULE_SETS:
            explained = lrp_maps(
                model, domain, rules, DEFAULT_START, DEFAULT_POOLING, crops, device
            )
            for thresholder, entry in THRESHOLDERS.items():
                name = f"{NETWORKS[network].title}, {RULE_SETS[rules].title}, {entry.title}"
                systems[network, rules, thresholder] = segment(
                    name, explained.maps, entry.fit, explained.probabilities > 0.5
                )
    return systems


def baseline_systems(
    domain: Domain, network: str, crops: NDArray[np.uint8], device: torch.device
) -> list[Segmented]:
    """Other attributions through the same thresholders, and Otsu on the picture itself."""
    model = load_checkpoint(domain.checkpoint(network), network).to(device)
    found = np.ones(len(crops), bool)
    systems = []
    for name in BASELINES:
        maps = baseline_maps(name, model, domain, crops, device)
        for thresholder in ("simple", "gmm", "bmm"):
            entry = THRESHOLDERS[thresholder]
            systems.append(segment(f"{name}, {entry.title}", maps, entry.fit, found))
    darkness = 255 - crops.mean(axis=-1, dtype=np.float32)
    systems.append(segment("Otsu on the picture", darkness, _otsu, found))
    return systems


def _otsu(darkness: NDArray[np.float32]) -> Fitted:
    low, high = float(darkness.min()), float(darkness.max())
    likelihood = (darkness - low) / max(high - low, 1e-6)
    return Fitted(likelihood, float(np.float32(threshold_otsu(likelihood))), True, 1)


def unet_system(path: Path, crops: NDArray[np.uint8], device: torch.device) -> Segmented:
    """The U-Net baseline, trained on pixel masks (paper 3.2.2)."""
    from training.unet import load_unet, predict

    likelihood = predict(load_unet(path), crops, device)
    found = np.ones(len(crops), bool)
    return Segmented("U-Net (pixel labels)", likelihood, likelihood >= 0.5, found)


def _cells(figures: Figures) -> str:
    return f"{figures.iou:.3f} | {figures.precision:.3f} | {figures.recall:.3f}"


def table(scores: Sequence[Score], paper: dict[str, Figures]) -> list[str]:
    """Markdown lines; `paper` has the paper's figures by system name, where there are some."""
    lines = [
        "| system | IoU (95 % interval) | precision | recall | paper: IoU | precision | recall "
        "| pooled IoU | AP | IoU, none missed |",
        "|---" * 10 + "|",
    ]
    for s in scores:
        other = _cells(paper[s.name]) if s.name in paper else "- | - | -"
        lines.append(
            f"| {s.name} | {s.mean.iou:.3f} ({s.low:.2f}-{s.high:.2f}) | {s.mean.precision:.3f} | "
            f"{s.mean.recall:.3f} | {other} | {s.pooled.iou:.3f} | {s.average_precision:.3f} | "
            f"{s.anyway.iou:.3f} |"
        )
    return lines


def case_rows(
    best: Segmented,
    unet: Segmented | None,
    images: NDArray[np.uint8],
    truth: NDArray[np.bool_],
    ious: NDArray[np.float64],
) -> list[tuple[str, list[NDArray]]]:
    """Best, median and worst two cases by IoU, not hand-picked, for the figure of cases."""
    order = np.argsort(-ious, kind="stable")
    middle = len(order) // 2
    picks = {"best": order[:2], "median": order[middle - 1 : middle + 1], "worst": order[-2:]}
    rows = []
    for label, indices in picks.items():
        for i in indices:
            mask = best.mask[i] & best.found[i]
            pictures = [images[i], truth[i], best.likelihood[i], plots.outlined(images[i], mask)]
            if unet is not None:
                pictures.insert(2, plots.outlined(images[i], unet.mask[i]))
            rows.append((f"{label}: IoU {ious[i]:.2f}", pictures))
    return rows


def evaluate(args: argparse.Namespace) -> str:
    """Measure, write the report's files, and return the report as Markdown."""
    device = pick_device(args.device)
    domain = load_domain(args.domain)
    networks = [n for n in NETWORKS if n in domain.checkpoints]
    data = read(args.domain, args.data, args.seed)
    damaged: list[Example] = [
        e for e in data.splits.get(args.split, ()) if e.damaged and e.mask is not None
    ]
    if not damaged:
        raise SystemExit(f"The split {args.split!r} of {args.domain} has no masks in {args.data}.")
    pairs = [centre_crop(*load_example(e)) for e in damaged]
    images, truth = np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs])
    regions = [e.region for e in damaged]
    out = args.out / f"{args.domain}-{args.split}"

    systems = lrp_systems(domain, networks, images, device)
    scores = {k: score(s, truth, regions, args.seed) for k, s in systems.items()}
    unet = unet_system(args.unet, images, device) if args.unet else None
    others = [] if args.no_baselines else baseline_systems(domain, networks[0], images, device)
    if unet is not None:
        others.insert(0, unet)
    other_scores = [score(s, truth, regions, args.seed) for s in others]

    known = SEGMENTATION.get(args.domain, {})
    paper = {systems[k].name: f for k, f in known.items() if k in systems}
    if unet is not None and args.domain in UNET:
        paper[unet.name] = UNET[args.domain]
    no_skill = float(truth.mean())
    # Picked for the pictures alone; what is the default was chosen on validation data.
    best = max(scores, key=lambda k: scores[k].mean.iou)
    title = f"{domain.title}, {args.split} split"
    lines = [
        f"# {title}",
        "",
        f"`{' '.join(['python', '-m', 'training.evaluate', *args.shown])}`, "
        f"lrpseg {__version__}, torch {torch.__version__}, Python {platform.python_version()}, "
        f"device {device.type}.",
        "",
        f"{len(damaged)} damaged pictures of {len(set(regions))} regions; start {DEFAULT_START}, "
        f"pooling {DEFAULT_POOLING}. Means over images; an image that the classifier calls intact "
        "counts with an empty mask (IoU 0), except in the last column. Intervals resample regions. "
        "AP is the average precision of the pooled pixels' likelihood.",
        "",
        "## Classification (Tables 2 and 4)",
        "",
    ]
    for network in networks:
        lines += [
            classification.evaluate(
                args.data, args.domain, network, args.split, args.seed, args.device
            ),
            "",
        ]
    lines += ["## Segmentation (Tables 3 and 5)", "", *table(list(scores.values()), paper), ""]
    if other_scores:
        lines += ["## Other systems", "", *table(other_scores, paper), ""]
    lines += ["## Precision and recall (Figures 4 to 7)", ""]
    for rules in RULE_SETS:
        curves = {
            systems[k].name.replace(f", {RULE_SETS[rules].title}", ""): (
                curve(systems[k], truth),
                scores[k].average_precision,
            )
            for k in systems
            if k[1] == rules and k[2] != "bmm-literal"
        }
        if unet is not None:
            curves[unet.name] = (curve(unet, truth), other_scores[0].average_precision)
        plots.precision_recall(out / f"curves-{rules}.png", f"{title}, {rules}", curves, no_skill)
        lines += [f"![Precision over recall, {rules}](curves-{rules}.png)", ""]
    saturated = [f"{s.name}: {saturation(s):.0%}" for k, s in systems.items() if k[2] == "gmm"]
    lines += [
        "The GMM's curves end in a horizontal line: its background Gaussians are so narrow that "
        "their densities underflow to zero at moderate relevance, so that the likelihood of many "
        "pixels is exactly 1 and no threshold can raise the precision. Share of the masks' pixels "
        f"with a likelihood of exactly 1: {'; '.join(saturated)}.",
        "",
        "## Cases (Figures 9 and 10)",
        "",
        f"Best, median and worst by IoU of {systems[best].name}, not hand-picked.",
        "",
        "![Cases](cases.png)",
        "",
    ]
    ious = np.array(
        [
            (m & t).sum() / max(1, (m | t).sum())
            for m, t in zip(
                systems[best].mask & systems[best].found[:, None, None], truth, strict=True
            )
        ]
    )
    titles = ["picture", "truth", *(["U-Net"] if unet is not None else []), "likelihood", "mask"]
    plots.cases(out / "cases.png", case_rows(systems[best], unet, images, truth, ious), titles)
    results = {
        "command": args.shown,
        "version": __version__,
        "split": args.split,
        "no_skill": no_skill,
        "lrp": {"/".join(k): asdict(s) for k, s in scores.items()},
        "others": [asdict(s) for s in other_scores],
    }
    save_text(json.dumps(results, indent=1), out / "results.json")
    report = "\n".join(lines)
    save_text(report, out / "report.md")
    return report


def get_args_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--domain", choices=list(READERS), default="magnetic-tile")
    parser.add_argument("--split", choices=["train", "val", "test", "audit"], default="test")
    parser.add_argument("--unet", type=Path, help="weights of a U-Net from training.train_unet")
    parser.add_argument("--no-baselines", action="store_true", help="leave out other attributions")
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    return parser


if __name__ == "__main__":
    given = get_args_parser().parse_args()
    # Shown in the report, without the place where the data lies on one machine.
    shown = sys.argv[1:]
    given.shown = [
        "DIR" if previous == "--data" else word
        for previous, word in zip(["", *shown], shown, strict=False)
    ]
    print(evaluate(given))
