"""Writes what `training.reports.faithfulness` measured: Markdown, a figure, and JSON."""

import argparse
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lrpseg.lrp import DEFAULT_POOLING, DEFAULT_START, POOLINGS, RULE_SETS, STARTS
from lrpseg.lrp.faithfulness import REGION, STEPS, WINDOW
from lrpseg.masks.render import save_text
from lrpseg.models.networks import NETWORKS
from lrpseg.version import __version__
from training.reports import plots
from training.reports.beyond import name_of
from training.reports.effort_report import ratio_interval
from training.reports.evaluate import key_of
from training.reports.faithfulness import Heatmap, Masked, Measured
from training.reports.faithfulness_cases import Values
from training.reports.metrics import interval

FIGURE = "faithfulness.png"


def write_report(
    m: Measured, there: int, args: argparse.Namespace, device: torch.device, shown: Sequence[str]
) -> str:
    """Write report.md, results.json and the figure below `args.out`; returns the Markdown. there:
    damaged crops of the split, of which some may have been left out."""
    out = args.out / f"{m.domain.name}-{args.split}-faithfulness"
    _figure(m, args, out)
    side = m.cases.images.shape[1]
    area = ", ".join(f"{count * REGION**2 / side**2:.1%}" for count in STEPS)
    text = "\n".join(
        [
            f"# {m.domain.title}, {args.split} split: faithfulness",
            "",
            "```sh",
            f"python -m training.reports.faithfulness {' '.join(shown)}",
            "```",
            "",
            f"lrpseg {__version__}, torch {torch.__version__}, Python "
            f"{platform.python_version()}, device {device}, seed {args.seed}.",
            "",
            f"{len(m.cases.images)} of {there} damaged crops, of {len(set(m.cases.regions))} "
            "regions; 95 % intervals resample regions. The true masks take "
            f"{m.cases.truth.mean():.1%} of the crops.",
            "",
            f"Fall: of the classifier's log-odds, mean over {', '.join(map(str, STEPS))} regions "
            f"of {REGION}x{REGION} pixels ({area} of the crop) that are replaced by the mean of "
            f"{WINDOW}x{WINDOW} pixels around each pixel. Log-odds before: {_starts(m)}.",
            *_rounding(m, args.bfloat16),
            "",
            f"![Falls]({FIGURE})",
            "",
            *_heatmaps(m, args.seed),
            *_masks(m, args.seed),
            *_forgetting(m, args),
        ]
    )
    save_text(json.dumps(_stored(m, args, shown), indent=1) + "\n", out / "results.json")
    save_text(text, out / "report.md")
    return text


def _starts(m: Measured) -> str:
    found = {NETWORKS[n].title: before.mean() for n, before in m.before.items()}
    return ", ".join(f"{title} {mean:.1f} on average" for title, mean in found.items())


def _rounding(m: Measured, bfloat16: bool) -> list[str]:
    if not bfloat16:
        return []
    most = max(m.rounding.values())
    return [f"Perturbed crops ran in 16 bits, which moves the log-odds by up to {most:.2f}."]


def _heatmaps(m: Measured, seed: int) -> list[str]:
    lines = [
        "## Heatmaps",
        "",
        "Mass: share of the positive relevance in the true mask. Rank: share of the most relevant "
        "pixels, as many as the mask has, in it. Conservation error: what relevance lost or gained "
        "on its way, of what it started from. Fall with the most relevant regions first, with the "
        "least relevant first, and in a random order.",
        "",
        "| classifier, rule set | start | pooling | mass | rank | conservation error | fall, most "
        "| least | random |",
        "|---" * 9 + "|",
    ]
    for s, h in m.heatmaps.items():
        name = f"{NETWORKS[s.network].title}, {RULE_SETS[s.rule_set].title}"
        cells = [name, STARTS[s.start].name, POOLINGS[s.pooling].name]
        cells += [_mean(h.mass, m, seed), _mean(h.rank, m, seed), _ratio(h.lost, h.start, m, seed)]
        cells += [_mean(fall.mean(axis=1), m, seed) for fall in h.falls.values()]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _masks(m: Measured, seed: int) -> list[str]:
    lines = [
        "## Masks",
        "",
        "Mass, rank and fall as above, of the likelihood that a thresholder and a refiner make, "
        "with the most likely regions first; kept: this fall, of that by the relevance that the "
        "method saw. IoU: of a mask of every crop, whatever the classifier says. Where a network "
        "proposes masks by itself, relevance and log-odds are those of its classifier. True mask: "
        "the regions with most of its pixels first.",
        "",
        "| system | IoU | mass | rank | fall | kept |",
        "|---" * 6 + "|",
    ]
    for network, falls in m.truth.items():
        fall = _mean(falls.mean(axis=1), m, seed)
        lines.append(f"| True mask, of {NETWORKS[network].title} | 1 | 1 | 1 | {fall} |  |")
    for s, k in m.masks.items():
        figures = (k.iou, k.mass, k.rank, k.falls.mean(axis=1))
        cells = [name_of(s), *(_mean(values, m, seed) for values in figures)]
        cells.append(_ratio(k.falls.mean(axis=1), k.beside.mean(axis=1), m, seed))
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _forgetting(m: Measured, args: argparse.Namespace) -> list[str]:
    lines = [
        "## Networks that forget",
        "",
        "Rank correlation of the heatmap's magnitudes with those of a network whose layers are "
        f"new, from the last one down to the one that is named; start {DEFAULT_START}, mean over "
        f"{args.few} of the crops. Lower is better.",
        "",
    ]
    networks = dict.fromkeys(s.network for s in m.forgetting)
    for network in networks:
        rows = {s: found for s, found in m.forgetting.items() if s.network == network}
        names = next(iter(rows.values()))[0]
        lines += [
            f"| {NETWORKS[network].title}: rule set, pooling | {' | '.join(names)} |",
            "|---" * (len(names) + 1) + "|",
        ]
        for s, (_, values) in rows.items():
            cells = [f"{RULE_SETS[s.rule_set].title}, {POOLINGS[s.pooling].name}"]
            cells += [f"{v:.2f}" for v in values.mean(axis=0)]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return lines


def _known(values: Values, m: Measured) -> tuple[Values, list[str]]:
    """The values that are numbers, and their regions."""
    there = np.isfinite(values)
    return values[there], [m.cases.regions[i] for i in np.flatnonzero(there).tolist()]


def _bar(values: Values, m: Measured, seed: int) -> plots.Bar:
    """Mean and interval of those that are numbers; NaN where none is."""
    known, regions = _known(values, m)
    if not len(known):
        return float("nan"), float("nan"), float("nan")
    return float(known.mean()), *interval(known.tolist(), regions, seed)


def _mean(values: Values, m: Measured, seed: int) -> str:
    mean, low, high = _bar(values, m, seed)
    return f"{mean:.2f} ({low:.2f} to {high:.2f})" if np.isfinite(mean) else "-"


def _ratio(values: Values, base: Values, m: Measured, seed: int) -> str:
    """Of the sums: single crops whose base is next to nothing must not decide."""
    if not base.sum() > 0:
        return "-"
    low, high = ratio_interval(values, base, m.cases.regions, seed)
    return f"{values.sum() / base.sum():.0%} ({low:.0%} to {high:.0%})"


def _figure(m: Measured, args: argparse.Namespace, out: Path) -> None:
    """Falls by number of regions, bars of each heatmap, and IoU beside fall of each mask."""
    curves: dict[str, dict[str, Sequence[plots.Bar]]] = {}
    bars: dict[str, dict[str, plots.Bar]] = {}
    for s, h in m.heatmaps.items():
        falls = {order: f.mean(axis=1) for order, f in h.falls.items()}
        name = f"{s.network}, {s.rule_set}, {s.start}, {s.pooling}"
        bars[name] = {order: _bar(fall, m, args.seed) for order, fall in falls.items()}
        if (s.start, s.pooling) == (DEFAULT_START, DEFAULT_POOLING):
            curves[f"{s.network}, {s.rule_set}"] = {
                order: [_bar(f[:, i], m, args.seed) for i in range(len(STEPS))]
                for order, f in h.falls.items()
            }
    points: dict[str, list[tuple[float, float]]] = {}
    for s, k in m.masks.items():
        kept = float(k.falls.mean() / k.beside.mean()) if k.beside.mean() > 0 else float("nan")
        name = "self-trained" if NETWORKS[s.network].proposes else "LRP"
        points.setdefault(f"{name}, {s.refiner}", []).append((float(k.iou.mean()), kept))
    title = f"{m.domain.name}, {args.split}"
    plots.faithfulness(out / FIGURE, title, STEPS, curves, bars, points)


def _stored(m: Measured, args: argparse.Namespace, shown: Sequence[str]) -> dict[str, Any]:
    def heatmap(h: Heatmap) -> dict[str, Any]:
        lost = _known(h.lost / h.start, m)[0]
        return {
            "mass": _bar(h.mass, m, args.seed),
            "rank": _bar(h.rank, m, args.seed),
            "conservation_error": float(h.lost.sum() / h.start.sum()),
            "conservation_error_median": float(np.median(lost)) if len(lost) else None,
            "falls": {order: f.mean(axis=0).tolist() for order, f in h.falls.items()},
            "fall": {o: _bar(f.mean(axis=1), m, args.seed) for o, f in h.falls.items()},
        }

    def mask(k: Masked) -> dict[str, Any]:
        return {
            "iou": _bar(k.iou, m, args.seed),
            "mass": _bar(k.mass, m, args.seed),
            "rank": _bar(k.rank, m, args.seed),
            "falls": k.falls.mean(axis=0).tolist(),
            "fall": _bar(k.falls.mean(axis=1), m, args.seed),
            "fall_by_relevance": float(k.beside.mean()),
        }

    heat = ("network", "rule_set", "start", "pooling")
    return {
        "command": list(shown),
        "lrpseg": __version__,
        "torch": torch.__version__,
        "split": args.split,
        "seed": args.seed,
        "crops": len(m.cases.images),
        "regions": len(set(m.cases.regions)),
        "steps": list(STEPS),
        "truth": {n: f.mean(axis=0).tolist() for n, f in m.truth.items()},
        "heatmaps": {key_of(s, *heat): heatmap(h) for s, h in m.heatmaps.items()},
        "masks": {key_of(s): mask(k) for s, k in m.masks.items()},
        "forgetting": {
            key_of(s, *heat): dict(zip(names, values.mean(axis=0).tolist(), strict=True))
            for s, (names, values) in m.forgetting.items()
        },
    }
