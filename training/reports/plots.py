"""Pictures of the report: precision-recall curves (Figures 4 to 7) and cases (Figures 9, 10)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # files alone: no window, no display needed
import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from lrpseg.masks.render import blend, overlay

# Okabe-Ito: told apart with any colour vision.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


def precision_recall(
    path: Path, title: str, curves: dict[str, tuple[Curve, float]], no_skill: float
) -> None:
    """Save precision over recall; `curves` maps a name to ((recall, precision), AP)."""
    figure, axes = plt.subplots(figsize=(6.4, 5.2), layout="constrained")
    for index, (name, ((recall, precision), average)) in enumerate(curves.items()):
        style = "--" if index >= len(_COLOURS) else "-"
        colour = _COLOURS[index % len(_COLOURS)]
        axes.plot(recall, precision, style, color=colour, label=f"{name} (AP {average:.3f})")
    axes.axhline(no_skill, color="black", linewidth=0.8, label=f"no skill ({no_skill:.3f})")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1), title=title)
    axes.legend(fontsize=8)
    _save(figure, path)


def cases(path: Path, rows: Sequence[tuple[str, Sequence[NDArray]]], titles: Sequence[str]) -> None:
    """Save a grid of pictures: each row has a label and one (H, W[, 3]) array per title."""
    figure, grid = plt.subplots(
        len(rows),
        len(titles),
        figsize=(2.1 * len(titles), 2.2 * len(rows)),
        squeeze=False,
        layout="constrained",
    )
    for axes_row, (label, pictures) in zip(grid, rows, strict=True):
        for axes, picture in zip(axes_row, pictures, strict=True):
            axes.imshow(picture, cmap="gray", interpolation="nearest")
            axes.set(xticks=[], yticks=[])
        axes_row[0].set_ylabel(label, fontsize=8)
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=9)
    _save(figure, path)


def reliability(
    path: Path, title: str, curves: dict[str, Sequence[tuple[float, float, int]]]
) -> None:
    """Save damaged share over probability; `curves` maps a name to its bins' (probability, damaged
    share, pictures). A circle's area is the share of the pictures: most bins hold next to none, and
    their ups and downs mean as much."""
    figure, axes = plt.subplots(figsize=(4.8, 4.4), layout="constrained")
    axes.plot((0, 1), (0, 1), color="black", linewidth=0.8, label="perfect")
    for (name, points), colour in zip(curves.items(), _COLOURS, strict=False):
        probability, damaged, pictures = (np.array(values) for values in zip(*points, strict=True))
        axes.plot(probability, damaged, "-", color=colour, linewidth=0.6, alpha=0.5)
        area = 8 + 900 * pictures / pictures.sum()
        axes.scatter(probability, damaged, area, color=colour, alpha=0.45, linewidths=0)
        axes.plot([], [], "o", color=colour, label=name)
    axes.set(xlabel="probability of damage", ylabel="share that is damaged", title=title)
    axes.legend(fontsize=8, title="area: share of the pictures", title_fontsize=8)
    _save(figure, path)


Bar = tuple[float, float, float]
"""A mean with the low and high end of its interval."""


def effort(
    path: Path,
    title: str,
    strokes: dict[str, dict[str, Bar]],
    curves: dict[str, dict[int, Bar]],
) -> None:
    """Save bars of strokes (by goal, then method), and lines over the number of corrections (by
    what is measured); lines without points are left out."""
    shown = {name: points for name, points in curves.items() if points}
    figure, grid = plt.subplots(
        1, 1 + len(shown), figsize=(6 + 3.4 * len(shown), 3.6), squeeze=False, layout="constrained"
    )
    axes = grid[0, 0]
    height = 0.8 / len(strokes)
    for index, (goal, bars) in enumerate(strokes.items()):
        means, errors = _with_errors(list(bars.values()))
        places = np.arange(len(bars)) + index * height
        axes.barh(places, means, height, xerr=errors, label=goal, color=_COLOURS[index])
        axes.set_yticks(places - index * height / 2, list(bars))
    axes.invert_yaxis()
    axes.set(xlabel="strokes (mean, 95 % interval)", title=title)
    axes.legend(fontsize=8)
    for axes, (name, points) in zip(grid[0, 1:], shown.items(), strict=True):
        means, errors = _with_errors(list(points.values()))
        axes.errorbar(list(points), means, errors, marker="o", capsize=3, color=_COLOURS[2])
        axes.set(xlabel="learned corrections", title=name, xticks=list(points))
        axes.set_ylim(bottom=0)
    _save(figure, path)


def faithfulness(
    path: Path,
    title: str,
    steps: Sequence[int],
    curves: dict[str, dict[str, Sequence[Bar]]],
    bars: dict[str, dict[str, Bar]],
    points: Mapping[str, Sequence[tuple[float, float]]],
) -> None:
    """Save falls of the log-odds over the number of perturbed regions (by heatmap, then order, each
    at `steps`), their means as bars, and what each mask keeps of the fall over its IoU (by kind of
    mask)."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(16, 5.2), layout="constrained")
    styles = dict(zip(("most", "least", "random"), ("-", ":", "--"), strict=True))
    for (name, orders), colour in zip(curves.items(), _COLOURS, strict=False):
        for order, found in orders.items():
            means, errors = _with_errors(list(found))
            left.plot(steps, means, styles[order], color=colour, label=f"{name}: {order}")
            left.fill_between(steps, means - errors[0], means + errors[1], color=colour, alpha=0.1)
    left.set_xscale("log", base=2)
    left.set(xlabel="regions replaced", ylabel="fall of the log-odds", title=title, xticks=steps)
    left.xaxis.set_major_formatter("{x:.0f}")
    left.legend(fontsize=7, loc="upper left")
    height = 0.8 / len(styles)
    for index, order in enumerate(styles):
        means, errors = _with_errors([found[order] for found in bars.values()])
        places = np.arange(len(bars)) + index * height
        middle.barh(places, means, height, xerr=errors, label=order, color=_COLOURS[index])
    middle.set_yticks(np.arange(len(bars)) + height, list(bars), fontsize=7)
    middle.invert_yaxis()
    middle.set(xlabel="fall (mean over the steps, 95 % interval)")
    middle.legend(fontsize=8)
    for (name, reached), colour in zip(points.items(), _COLOURS, strict=False):
        right.scatter(*np.array(reached).T, color=colour, alpha=0.8, label=name)
    right.axhline(1, color="black", linewidth=0.8)
    right.set(xlabel="IoU of the masks", ylabel="fall in a mask's order, of that by relevance")
    right.legend(fontsize=8)
    _save(figure, path)


def _with_errors(bars: Sequence[Bar]) -> tuple[NDArray, NDArray]:
    """Means (n,), and distances (2, n) to the ends of their intervals."""
    mean, low, high = np.array(bars).T
    return mean, np.maximum(0, np.stack([mean - low, high - mean]))


def outlined(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The mask over its picture, (H, W, 3) uint8."""
    return overlay(image, mask)


def heated(relevance: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Signed relevance (H, W) on white, (H, W, 3) uint8: orange for damage, blue against it."""
    white = np.full((*relevance.shape, 3), 255, np.uint8)
    return blend(white, relevance, "signed", opacity=1)


def _save(figure: plt.Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
