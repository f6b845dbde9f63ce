"""Tables of segmentation figures in Markdown."""

from collections.abc import Sequence
from dataclasses import astuple

from lrpseg.masks.figures import Figures
from training.reports.segmentation import Score

COLUMNS = (
    "Pooled: all pixels together. AP: average precision of the pooled pixels' likelihood. None "
    "missed: a mask is made of every damaged image, whatever the classifier says. Intervals "
    "resample regions."
)


def beside(ours: Figures, paper: Figures | None) -> str:
    """Cells of IoU, precision and recall, with the paper's in brackets where it has some."""
    cells = [f"{v:.3f}" for v in astuple(ours)]
    if paper:
        cells = [f"{a} ({b:.3f})" for a, b in zip(cells, astuple(paper), strict=True)]
    return " | ".join(cells)


def table(scores: Sequence[Score]) -> list[str]:
    """Lines of a table with a row for each system; `COLUMNS` explains it."""
    lines = [
        "| system | IoU (95 % interval) | precision | recall | pooled: IoU | precision | recall "
        "| AP | IoU, none missed |",
        "|---" * 9 + "|",
    ]
    for s in scores:
        figures = " | ".join(f"{v:.3f}" for v in (*astuple(s.mean)[1:], *astuple(s.pooled)))
        lines.append(
            f"| {s.name} | {s.mean.iou:.3f} ({s.low:.2f}-{s.high:.2f}) | {figures} "
            f"| {s.average_precision:.3f} | {s.anyway.iou:.3f} |"
        )
    return lines
