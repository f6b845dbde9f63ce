"""Writes what `training.reports.effort` measured: Markdown, a figure, and JSON."""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lrpseg.learning.run import OTHERS
from lrpseg.masks.render import save_text
from lrpseg.version import __version__
from training.reports import plots
from training.reports.annotator import LIMIT, RULES
from training.reports.effort import GOALS, Effort, Measured
from training.reports.effort_methods import BLANK
from training.reports.metrics import interval

Values = NDArray[np.float64]


def ratio_interval(
    values: Values, base: Values, groups: Sequence[str], seed: int = 0, rounds: int = 2000
) -> tuple[float, float]:
    """95 % bootstrap interval of mean(values) / mean(base), resampling whole groups (regions), the
    same for both; see `training.reports.metrics.interval`. `base` is above 0 in each group."""
    names = sorted(set(groups))
    index = np.array([names.index(group) for group in groups])
    above, below = (np.bincount(index, v, len(names)) for v in (values, base))
    drawn = np.random.default_rng(seed).integers(len(names), size=(rounds, len(names)))
    low, high = np.quantile(above[drawn].sum(axis=1) / below[drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


def write_report(m: Measured, out: Path, shown: Sequence[str]) -> str:
    """Write report.md, results.json and effort.png below `out`; returns the Markdown.

    `shown`: the words of the command, as the report shows them.
    """
    rows = _rows(m.methods, m.regions, m.seed)
    by_class = {kind: _rows(of.methods, of.regions, m.seed) for kind, of in m.classes.items()}
    blank = next(e for e in m.methods if e.name == BLANK)
    curve = {count: _figures(e, blank, m.regions, m.seed) for count, e in m.learned.items()}
    plots.effort(
        out / "effort.png",
        f"{m.domain.title}, {m.split}",
        {
            f"IoU {goal:g}": {name: row["goals"][i]["strokes"] for name, row in rows.items()}
            for i, goal in enumerate(GOALS)
        },
        {
            "IoU": {n: row["iou"] for n, row in curve.items()},
            f"strokes to IoU {GOALS[0]:g}": {
                n: row["goals"][0]["strokes"] for n, row in curve.items()
            },
        },
    )
    learned = [*_curve(m, curve), *_batches(m)]
    parts = [*_methods(rows), *_classes(m, by_class), *learned]
    text = "\n".join([*_head(m, shown), *parts, *_rules()])
    results = {
        "command": list(shown),
        "lrpseg": __version__,
        "torch": torch.__version__,
        "split": m.split,
        "start": m.start.name,
        "seed": m.seed,
        "pictures": len(m.regions),
        "regions": len(set(m.regions)),
        "methods": rows,
        **({"classes": by_class} if by_class else {}),
        "batches": [asdict(b) for b in m.batches],
        "learned": {"draws": m.draws, "recipe": asdict(m.recipe), "curve": curve} if curve else {},
    }
    save_text(json.dumps(results, indent=1) + "\n", out / "results.json")
    save_text(text, out / "report.md")
    return text


def _rows(efforts: Sequence[Effort], regions: Sequence[str], seed: int) -> dict[str, Any]:
    """Figures of each method."""
    blank = next(e for e in efforts if e.name == BLANK)
    return {e.name: _figures(e, blank, regions, seed) for e in efforts}


def _figures(e: Effort, blank: Effort, regions: Sequence[str], seed: int) -> dict[str, Any]:
    """Means with 95 % intervals, as (mean, low, high)."""

    def mean(values: Values) -> tuple[float, float, float]:
        return (float(values.mean()), *interval(values.tolist(), regions, seed))

    def ratio(values: Values, base: Values) -> tuple[float, float, float]:
        share = float(values.mean() / base.mean())
        return (share, *ratio_interval(values, base, regions, seed))

    return {
        "about": e.about,
        "iou": mean(e.iou),
        "goals": [
            {
                "goal": goal,
                "strokes": mean(e.strokes[i]),
                "strokes_of_blank": ratio(e.strokes[i], blank.strokes[i]),
                "pixels": mean(e.pixels[i]),
                "pixels_of_blank": ratio(e.pixels[i], blank.pixels[i]),
                "not_reached": int(e.short[i].sum()),
            }
            for i, goal in enumerate(GOALS)
        ],
    }


def _head(m: Measured, shown: Sequence[str]) -> list[str]:
    return [
        f"# The effort that masks save: {m.domain.title}, {m.split} split",
        "",
        "```sh",
        " ".join(["python", "-m", "training.reports.effort", *shown]),
        "```",
        "",
        f"lrpseg {__version__}, torch {torch.__version__}, Python {platform.python_version()}, "
        f"seed {m.seed}.",
        "",
        f"A simulated annotator corrects {len(m.regions)} damaged crops of {len(set(m.regions))} "
        "regions. In brackets 95 % intervals that resample regions; \"of blank\" is the ratio of "
        "the means.",
        "",
    ]  # fmt: skip


def _methods(rows: dict[str, dict[str, Any]]) -> list[str]:
    lines = ["## Strokes and pixels from each method's mask", ""]
    lines += [f"- {name}: {row['about']}." for name, row in rows.items()]
    lines += _tables(rows)
    return [*lines, "", "![Strokes by method, and the learning curve](effort.png)", ""]


def _classes(m: Measured, by_class: dict[str, dict[str, Any]]) -> list[str]:
    lines: list[str] = []
    for kind, rows in by_class.items():
        regions = m.classes[kind].regions
        shown = f"{len(regions)} crops of {len(set(regions))} regions show it."
        lines += [f"## {kind} by itself", "", shown, *_tables(rows), ""]
    return lines


def _tables(rows: dict[str, dict[str, Any]]) -> list[str]:
    lines: list[str] = []
    for i, goal in enumerate(GOALS):
        lines += [
            "",
            f"Until the IoU is {goal:g}:",
            "",
            f"| start | its IoU | strokes | of blank | pixels | of blank | not within {LIMIT} |",
            "|---" * 7 + "|",
        ]
        for name, row in rows.items():
            cells = _cells(row["goals"][i])
            lines.append(f"| {name} | {_two(row['iou'])} | {cells} |")
    return lines


def _curve(m: Measured, curve: dict[int, dict[str, Any]]) -> list[str]:
    if not curve:
        return []
    first = curve[0]["iou"][0]
    lines = [
        "## After learning from corrections",
        "",
        f"The self-trained network{_whose(m)} learns from corrected crops of the training split "
        f"(`lrpseg learn`'s code, {m.recipe.steps} steps at {m.recipe.lr:g}, "
        f"{m.recipe.blend:g} of the way to the learned weights; {OTHERS} other "
        "pictures of it lie there uncorrected), then proposes masks for the same "
        f"{len(m.regions)} crops, none of which was corrected. {_draws(m)} of "
        "corrected crops. Masks are where the likelihood is 0.5 or more, also in crops that are "
        "classified intact.",
    ]
    for i, goal in enumerate(GOALS):
        lines += [
            "",
            f"| corrected | IoU | change | strokes to IoU {goal:g} | of blank | pixels | of blank "
            f"| not within {LIMIT} |",
            "|---" * 8 + "|",
        ]
        for count, row in curve.items():
            change = f"{row['iou'][0] - first:+.3f}"
            cells = _cells(row["goals"][i])
            lines.append(f"| {count} | {_two(row['iou'])} | {change} | {cells} |")
    return [*lines, ""]


def _draws(m: Measured) -> str:
    return "From one draw" if m.draws == 1 else f"Means of {m.draws} draws"


def _whose(m: Measured) -> str:
    if m.start.name == m.domain.name:
        return ""
    return f" of another domain ({m.start.title}), which never saw this surface,"


def _batches(m: Measured) -> list[str]:
    if not m.batches:
        return []
    return [
        f"Within a batch: the network learns from {m.batches[0].corrected} corrected crops of this "
        "split, and proposes masks for the others, which lie beside them uncorrected. Where a "
        "region was photographed several times, others may show a region that was corrected.",
        "",
        "| draw | others | of a corrected region | their IoU before | after | change |",
        "|---" * 6 + "|",
        *(
            f"| {i + 1} | {b.others} | {b.seen} | {b.before:.3f} | {b.after:.3f} "
            f"| {b.after - b.before:+.3f} |"
            for i, b in enumerate(m.batches)
        ),
        "",
    ]


def _rules() -> list[str]:
    return ["## The annotator's rules", "", RULES.strip(), ""]


def _cells(figures: dict[str, Any]) -> str:
    def share(key: str) -> str:
        mean, low, high = figures[key]
        return f"{mean:.0%} ({low:.0%}-{high:.0%})"

    def number(key: str, digits: int) -> str:
        mean, low, high = figures[key]
        return f"{mean:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"

    return " | ".join(
        [
            number("strokes", 1), share("strokes_of_blank"), number("pixels", 0),
            share("pixels_of_blank"), str(figures["not_reached"]),
        ]
    )  # fmt: skip


def _two(figures: tuple[float, float, float]) -> str:
    mean, low, high = figures
    return f"{mean:.3f} ({low:.2f}-{high:.2f})"
