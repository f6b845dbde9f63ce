"""Writes what `evaluate` measured: Markdown with the paper's tables, plots, and JSON."""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lrpseg.lrp import RULE_SETS
from lrpseg.masks.render import save_text
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.settings import BEST, Settings
from lrpseg.thresholders import THRESHOLDERS
from lrpseg.version import __version__
from training.reports import plots
from training.reports.evaluate import ByClass, Evaluation, key_of, title
from training.reports.paper import CLASSIFICATION, SEGMENTATION, SURFACE, UNET
from training.reports.peers import UNET_NAME
from training.reports.segmentation import Score, curve, ious, saturation
from training.reports.tables import COLUMNS, beside, table

SYSTEM = ("network", "rule_set", "thresholder")
"""Settings that tell the systems of this report apart."""

PAPER_THRESHOLDERS = ("simple", "gmm", "bmm")

DIFFERENCES = {
    "magnetic-tile": """\
- Starting weights of the convolutions: distilled from VGG-16, not torchvision's VGG-11.
- Training adds zoom, brightness, contrast and noise to the paper's crops and flips, label
  smoothing, and averaged weights; for 128N also damage that is drawn into intact pictures, and
  probabilities calibrated on val. The epoch is chosen on crops and on whole pictures.
- Classes crack and blowhole alone, and splits by physical region: a region's up to six exposures
  never fall into two splits. The paper does not say how it split; near-identical pictures in both
  would raise its figures.
- The BMM's sentences are ambiguous: its reading was chosen on val (docs/choices.md).""",
    "concrete-crack": """\
- The paper's sewer pipes are private. These are other pictures (256x256 concrete patches), other
  masks and other damage: the paper's figures in the tables are an orientation, no comparison.
- Starting weights of the convolutions: distilled from VGG-16, not torchvision's VGG-11.
- Training adds zoom, brightness, contrast, colour and noise to the paper's crops and flips.
- The BMM's sentences are ambiguous: its reading was chosen on the tiles' val (docs/choices.md).""",
}


def write_report(e: Evaluation, out: Path, shown: Sequence[str]) -> str:
    """Write report.md, results.json and the plots below `out`; returns the Markdown.

    `shown`: the words of the command, as the report shows them.
    """
    text = "\n".join(
        [
            *_head(e, shown),
            *_summary(e),
            *_classification(e),
            *_segmentation(e),
            *_others(e),
            *_whole(e),
            *_curves(e, out),
            *_cases(e, out),
        ]
    )
    results = {
        "command": list(shown),
        "lrpseg": __version__,
        "torch": torch.__version__,
        "split": e.split,
        "seed": e.seed,
        "no_skill": _no_skill(e),
        "default": {name: getattr(e.choice, name) for name in BEST},
        "classification": [asdict(c) for c in e.classification],
        "lrp": {key_of(k, *SYSTEM): asdict(s) for k, s in e.scores.items()},
        "others": [asdict(s) for s in e.other_scores],
        "whole": {key_of(k, *SYSTEM): asdict(s) for k, s in e.whole.items()},
        "unet_whole": asdict(e.unet_whole) if e.unet_whole else None,
    }
    if e.crops.classes:
        results |= {
            name: {
                key_of(k, *SYSTEM): {c: asdict(s) for c, s in by_class.items()}
                for k, by_class in held.items()
            }
            for name, held in (("classes", e.by_class), ("whole_classes", e.whole_by_class))
        }
    save_text(json.dumps(results, indent=1) + "\n", out / "results.json")
    save_text(text, out / "report.md")
    return text


def _head(e: Evaluation, shown: Sequence[str]) -> list[str]:
    return [
        f"# {e.domain.title}, {e.split} split",
        "",
        "```sh",
        " ".join(["python", "-m", "training.reports.evaluate", *shown]),
        "```",
        "",
        f"lrpseg {__version__}, torch {torch.__version__}, Python {platform.python_version()}, "
        f"device {e.device.type}, seed {e.seed}.",
        "",
    ]


def _best(scores: dict[Settings, Score]) -> Settings:
    return max(scores, key=lambda k: scores[k].mean.iou)


def _summary(e: Evaluation) -> list[str]:
    """What a reader wants to know on the first screen."""
    surface = SURFACE.get(e.domain.name, "its own data")
    published = SEGMENTATION.get(e.domain.name, {})
    best, default = _best(e.scores), e.scores[e.choice]
    lines = ["## In short", ""]
    top = max(e.classification, key=lambda c: c.crops.balanced_accuracy.value)
    line = f"- Best classifier: {NETWORKS[top.network].title}, balanced accuracy "
    line += f"{top.crops.balanced_accuracy} on crops with flips"
    rates = CLASSIFICATION.get(e.domain.name)
    if rates:
        line += f" (paper's best, on {surface}: {max(r[0] for r in rates.values()):.1%})"
    lines.append(f"{line}.")
    line = f"- Best LRP mask: {title(best)}, mean IoU {_iou(e.scores[best])}"
    if published:
        line += f" (paper's best, on {surface}: {max(f.iou for f in published.values()):.3f})"
    lines.append(f"{line}.")
    lines.append(
        f"- The default, chosen on val: {title(e.choice)}, mean IoU {_iou(default)}; on whole, "
        f"tiled pictures {_iou(e.whole[e.choice])}."
    )
    for unet in e.other_scores[:1]:
        if e.unet is not None:
            gap = e.scores[best].mean.iou - unet.mean.iou
            lines.append(
                f"- {UNET_NAME}, {e.unet.width} channels at full resolution: mean IoU "
                f"{_iou(unet)}; the best LRP mask is {abs(gap):.3f} "
                f"{'above' if gap >= 0 else 'below'} it."
            )
    lines += [*_reproduced(e), "", "What differs from the paper, and why:", ""]
    lines += [DIFFERENCES.get(e.domain.name, "- Another data set."), ""]
    return lines


def _reproduced(e: Evaluation) -> list[str]:
    """The paper's qualitative findings, each counted over networks and rule sets."""
    by_name = {(k.network, k.rule_set, k.thresholder): s for k, s in e.scores.items()}
    pairs = sorted({(k.network, k.rule_set) for k in e.scores})

    def held(claim: str, test) -> str:  # type: ignore[no-untyped-def]
        true = sum(test(*(by_name[n, r, t].mean for t in PAPER_THRESHOLDERS)) for n, r in pairs)
        return f"- Paper: {claim}. Here in {true} of {len(pairs)} networks and rule sets."

    return [
        held(
            "the GMM has the highest recall and the lowest precision",
            lambda s, g, b: (
                g.recall >= max(s.recall, b.recall) and g.precision <= min(s.precision, b.precision)
            ),
        ),
        held(
            "Simple has a higher recall than the BMM, the BMM a higher precision",
            lambda s, g, b: s.recall > b.recall and b.precision > s.precision,
        ),
    ]


def _iou(score: Score) -> str:
    return f"{score.mean.iou:.3f} (95 % interval {score.low:.2f}-{score.high:.2f})"


def _classification(e: Evaluation) -> list[str]:
    rates = CLASSIFICATION.get(e.domain.name, {})
    surface = SURFACE.get(e.domain.name, "")
    lines = [
        "## Classification (Tables 2 and 4)",
        "",
        e.classification[0].about.split(": ", 1)[1].capitalize(),
        "",
        "| network | pictures | balanced accuracy | TPR | TNR "
        f"| paper ({surface}): balanced accuracy | TPR | TNR |",
        "|---" * 8 + "|",
    ]
    for result in e.classification:
        for row in result.rows:
            known = rates.get(result.network) if row is result.crops else None
            other = " | ".join(f"{v:.1%}" for v in known) if known else "| | "
            lines.append(
                f"| {NETWORKS[result.network].title} | {row.pictures} | {row.balanced_accuracy} "
                f"| {row.tpr} | {row.tnr} | {other} |"
            )
    return [*lines, ""]


def _segmentation(e: Evaluation) -> list[str]:
    """The paper's Tables 3 and 5, and one row a system with intervals."""
    published = SEGMENTATION.get(e.domain.name, {})
    by_name = {(k.network, k.rule_set, k.thresholder): s for k, s in e.scores.items()}
    lines = [
        "## Segmentation (Tables 3 and 5)",
        "",
        f"{len(e.crops.images)} damaged crops of {len(set(e.crops.regions))} regions; start "
        f"{e.choice.start}, pooling {e.choice.pooling}. Means over images; an image that the "
        "classifier calls intact counts with an empty mask (IoU 0). In brackets the paper's "
        f"figure, on {SURFACE.get(e.domain.name, 'its own data')}. {COLUMNS}",
        "",
        "| | " + " | ".join(f"{r.title}: IoU | precision | recall" for r in RULE_SETS.values())
        + " |",
        "|---" * (1 + 3 * len(RULE_SETS)) + "|",
    ]  # fmt: skip
    for network in dict.fromkeys(k.network for k in e.scores):
        for thresholder in PAPER_THRESHOLDERS:
            names = [(network, rules, thresholder) for rules in RULE_SETS]
            cells = [beside(by_name[n].mean, published.get(n)) for n in names]
            name = f"{NETWORKS[network].title}, {THRESHOLDERS[thresholder].title}"
            lines.append(f"| {name} | {' | '.join(cells)} |")
    if e.unet is not None:
        cell = beside(e.other_scores[0].mean, UNET.get(e.domain.name))
        lines.append(f"| {UNET_NAME} | {' | '.join([cell] * len(RULE_SETS))} |")
    return [*lines, "", *table(list(e.scores.values())), "", *_classes(e.by_class)]


def _classes(by_class: dict[Settings, ByClass]) -> list[str]:
    """A row for each system and class, where there are several."""
    rows = [s for held in by_class.values() for s in held.values()]
    if not rows:
        return []
    return ["Each class by itself, on the pictures that show it:", "", *table(rows), ""]


def _others(e: Evaluation) -> list[str]:
    if not e.other_scores:
        return []
    return [
        "## Is LRP worth it? Other systems on the same crops",
        "",
        f"Attributions of {NETWORKS[e.choice.network].title} through the same thresholders, and "
        f"Otsu's threshold on the picture itself, beside the default.",
        "",
        *table([e.scores[e.choice], *e.other_scores]),
        "",
    ]


def _whole(e: Evaluation) -> list[str]:
    scores = [*e.whole.values(), *([e.unet_whole] if e.unet_whole else [])]
    return [
        "## Whole pictures, tiled as a user gets them",
        "",
        f"The same {scores[0].images} damaged pictures uncut, with overlapping tiles, merged.",
        "",
        *table(scores),
        "",
        *_classes(e.whole_by_class),
    ]


def _no_skill(e: Evaluation) -> float:
    return float(np.mean([t.mean() for t in e.crops.truth]))


def _curves(e: Evaluation, out: Path) -> list[str]:
    lines = ["## Precision and recall (Figures 4 to 7)", ""]
    for rules, entry in RULE_SETS.items():
        curves = {
            e.lrp[k].name.replace(f", {entry.title}", ""): (
                curve(e.lrp[k], e.crops.truth),
                s.average_precision,
            )
            for k, s in e.scores.items()
            if k.rule_set == rules and k.thresholder in PAPER_THRESHOLDERS
        }
        if e.unet is not None:
            unet = curve(e.others[0], e.crops.truth)
            curves[UNET_NAME] = (unet, e.other_scores[0].average_precision)
        heading = f"{e.domain.title}, {e.split}, {entry.title}"
        plots.precision_recall(out / f"curves-{rules}.png", heading, curves, _no_skill(e))
        lines += [f"![Precision over recall, {entry.title}](curves-{rules}.png)", ""]
    certain = [f"{s.name}: {saturation(s):.0%}" for k, s in e.lrp.items() if k.thresholder == "gmm"]
    return [
        *lines,
        "The GMM's curves end in a horizontal line: its background Gaussians are so narrow that "
        "their densities underflow to zero at moderate relevance, so that the likelihood of many "
        "pixels is exactly 1 and no threshold can raise the precision. Share of the masks' pixels "
        f"with a likelihood of exactly 1: {'; '.join(certain)}.",
        "",
    ]


def _cases(e: Evaluation, out: Path) -> list[str]:
    """Best, median and worst two pictures of the default by IoU, not hand-picked."""
    system, images, truth = e.lrp[e.choice], e.crops.images, e.crops.truth
    reached = ious(system, truth)
    order = np.argsort(-reached, kind="stable")
    middle = len(order) // 2
    picks = {"best": order[:2], "median": order[middle - 1 : middle + 1], "worst": order[-2:]}
    rows: list[tuple[str, list[NDArray]]] = []
    for label, indices in picks.items():
        for i in indices:
            mask = plots.outlined(images[i], system.used(i))
            pictures = [images[i], truth[i], plots.heated(e.relevance[i]), mask]
            if e.unet is not None:
                pictures.insert(2, plots.outlined(images[i], e.others[0].mask[i]))
            rows.append((f"{label}: IoU {reached[i]:.2f}", pictures))
    titles = ["picture", "truth", *(["U-Net"] if e.unet is not None else []), "heatmap", "mask"]
    plots.cases(out / "cases.png", rows, titles)
    return [
        "## Cases (Figures 9 and 10)",
        "",
        f"Best, median and worst by IoU of {title(e.choice)}, not hand-picked. A mask is empty "
        "where the classifier says intact.",
        "",
        "![Cases](cases.png)",
        "",
    ]
