"""Pictures segmented in two ways: figures of each, and how far both agree."""

from collections.abc import Sequence

import numpy as np

from lrpseg.domains import Domain
from lrpseg.masks.figures import Mask, count, iou
from lrpseg.pipeline.results import Result
from training.data.crops import load_example
from training.data.datasets import Example
from training.reports.classification import Classification, classified, reliability
from training.reports.metrics import interval


def head(ways: str) -> list[str]:
    """The first lines of a table of `row`s; ways: what the way's column is called."""
    names = ("network", ways, "balanced accuracy", "TPR", "TNR", "ECE", "IoU")
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]


def row(
    network: str,
    way: str,
    examples: Sequence[Example],
    results: Sequence[Result],
    truths: Sequence[Mask | None],
) -> str:
    """Figures of one way: balanced accuracy, true positive and negative rate, expected calibration
    error, and mean IoU with the truth of those that show damage, an empty mask's being 0."""
    damaged = np.array([e.damaged for e in examples])
    probability = np.array([r.probability for r in results])
    rates = classified(way, damaged, [e.region for e in examples], probability)
    whole = Classification(network, "", (rates,), reliability(damaged, probability))
    found, regions = [], []
    for example, result, truth in zip(examples, results, truths, strict=True):
        if truth is not None and truth.any():
            found.append(count(result.mask, truth).iou)
            regions.append(example.region)
    low, high = interval(found, regions)
    cells = (
        network, way, str(rates.balanced_accuracy), str(rates.tpr), str(rates.tnr),
        f"{whole.calibration_error:.3f}", f"{np.mean(found):.3f} ({low:.2f}-{high:.2f})",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def agreement(told: str, one: Sequence[Result], other: Sequence[Result]) -> str:
    """A line on how far both agree on the same pictures; told: what is compared."""
    pairs = list(zip(one, other, strict=True))
    both = [iou(a.mask, b.mask) for a, b in pairs if a.damaged and b.damaged]
    unlike = sum(a.damaged != b.damaged for a, b in pairs)
    apart = max(abs(a.probability - b.probability) for a, b in pairs)
    lowest = f"{np.mean(both):.3f} (lowest {min(both):.3f}, {len(both)} pictures)" if both else "-"
    return (
        f"- {told}: {unlike} of {len(pairs)} pictures are called differently; IoU of both masks "
        f"{lowest}; probabilities differ by {apart:.4f} at most"
    )


def truth_of(example: Example) -> Mask | None:
    """Its true mask, (H, W); None where it has none."""
    return load_example(example, 1)[1] if example.masked else None


def counted(examples: Sequence[Example], split: str, domain: Domain, crops: bool = False) -> str:
    """What the table is of: whole pictures, or centre crops."""
    regions = len({e.region for e in examples})
    told = f"centre crops of {split}" if crops else f"whole {split} pictures"
    return f"{len(examples)} {told} of {regions} regions, {domain.title}:"
