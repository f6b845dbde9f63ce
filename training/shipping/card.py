"""Prints the model card and the report of what was shipped, from the recipe and the figures."""

import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import jinja2

from lrpseg.domains import DOMAIN_FILE
from lrpseg.masks.render import save_text
from lrpseg.pipeline.curves import FILE_NAME
from training.data.datasets import DataSet
from training.loops.calibration import in_words
from training.loops.loop import read_metrics
from training.reports import classification
from training.reports.classification import Classification
from training.shipping.recipe import START, Recipe

TEMPLATE = Path(__file__).with_name("card.md.jinja")
SHOWN = 8
"""Rows of the table of masks: the best."""


def write_texts(recipe: Recipe, out: Path, dataset: DataSet, scores: Classification | None) -> None:
    """Write NETWORK.md and NETWORK-report.md into the domain's folder `out`; scores: None for what
    only segments."""
    points = out / FILE_NAME
    measured = [] if scores is None else [classification.table(scores)]
    if points.is_file():
        held = json.loads(points.read_text("utf-8"))
        measured.append("\n".join(masks_table(held, recipe.network)))
    runs = [out / "training" / f"run-{i}" for i in range(1, 1 + len(recipe.trainings))]
    histories = [read_metrics(run) for run in runs if (run / "metrics.json").is_file()]
    lines = [_trained(i, held) for i, held in enumerate(histories, 1)]
    if scores is None and histories:
        measured.append(_figures(histories[-1]["val"]))
    save_text(_card(recipe, out, dataset, lines, measured), out / f"{recipe.network}.md")
    report = [f"# {recipe.card.title}: training and validation", "", *measured]
    for i, held in enumerate(histories, 1):
        report += ["", f"## Training {i}", "", *history_table(held["history"])]
    save_text("\n".join(report) + "\n", out / f"{recipe.network}-report.md")


def masks_table(held: dict[str, Any], network: str) -> list[str]:
    """The best of a file of operating points by mean IoU of their own thresholds: of all damage
    together, and of each class."""
    classes = list(dict.fromkeys(c.get("class", "") for c in held["curves"]))
    lines = [
        f"Masks on the {held['images']} damaged {held['split']} crops of {held['regions']} "
        "regions, at the thresholders' own thresholds; 95 % intervals resample regions:",
        "",
        "| class | rule set, thresholder, refiner | IoU | precision | recall | AP |",
        "|---" * 6 + "|",
    ]
    for name in classes:
        curves = [
            c for c in held["curves"] if c["network"] == network and c.get("class", "") == name
        ]
        for c in sorted(curves, key=lambda c: -c["own"]["iou"][0])[:SHOWN]:
            own = c["own"]
            lines.append(
                f"| {name or 'all'} | {c['rule_set']}, {c['thresholder']}, {c['refiner']} "
                f"| {own['iou'][0]:.3f} ({own['iou_low'][0]:.2f}-{own['iou_high'][0]:.2f}) "
                f"| {own['precision'][0]:.3f} | {own['recall'][0]:.3f} "
                f"| {c['average_precision']:.3f} |"
            )
    return lines


def history_table(history: list[dict[str, Any]]) -> list[str]:
    """A row for each epoch, a column for each figure."""
    if not history:
        return []
    names = list(history[0])
    rows = [[str(h["epoch"]), *(f"{h[n]:.4f}" for n in names[1:])] for h in history]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|", *lines]


def _card(
    recipe: Recipe, out: Path, dataset: DataSet, trainings: list[str], measured: list[str]
) -> str:
    listed = {
        split: ", ".join(f"{n} {kind}" for kind, n in sorted(Counter(e.kind for e in of).items()))
        for split, of in dataset.splits.items()
        if of
    }
    starts = any(getattr(t, "init", "") == START for t in recipe.trainings)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    template = environment.from_string(TEMPLATE.read_text("utf-8"))
    return (
        template.render(
            card=recipe.card,
            recipe=recipe.name,
            data=list(listed.items()),
            start=" --start START" if starts else "",
            tables=_without_texts(recipe.text),
            trainings=trainings,
            calibration=_calibrated(recipe, out),
            measured=measured,
        ).rstrip()
        + "\n"
    )


def _without_texts(text: str) -> str:
    """A recipe without its [card], which the card has printed."""
    before, _, rest = text.partition("[card]")
    at = rest.find("\n[[training]]")
    kept = (before + rest[at + 1 :]) if at >= 0 else text
    tomllib.loads(kept)  # still a recipe
    return kept


def _trained(number: int, held: dict[str, Any]) -> str:
    history = held["history"]
    figure = next((n for n in ("val/balanced_accuracy", "val/iou") if n in history[-1]), None)
    best = "" if figure is None else f", {figure} of the last {history[-1][figure]:.3f}"
    return f"Training {number}: {len(history)} epochs{best}."


def _calibrated(recipe: Recipe, out: Path) -> str:
    from lrpseg.models.checkpoints import read_tensors

    entry = json.loads((out / DOMAIN_FILE).read_text("utf-8"))
    held = entry.get("calibration", {}).get(recipe.network)
    where = "when it is loaded (`calibration` in `domain.json`)"
    if held is None:
        stored = read_tensors(out / f"{recipe.network}.safetensors")[1].get("calibration")
        held, where = (json.loads(stored) if stored else None), "in the weights"
    if held is None:
        return ""
    several = isinstance(held["slope"], list)
    names = [str(c if isinstance(c, str) else c["name"]) for c in entry["classes"]]
    words = in_words(held["slope"], held["offset"], names if several else names[:1])
    return f"Its probability was fitted to val's labels, {where}: {words}."


def _figures(named: dict[str, float]) -> str:
    listed = ", ".join(f"{name.removeprefix('val/')} {value:.3f}" for name, value in named.items())
    return f"On val: {listed}."
