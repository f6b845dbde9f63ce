"""Sentences of the page, for someone who never heard of LRP."""

from collections.abc import Mapping
from typing import Any

from lrpseg.domains import Domain
from lrpseg.results import Result

INTRODUCTION = """# lrpseg
A classifier that only learned *damaged* or *intact* decides; the heatmap shows which pixels made \
it decide so; a threshold turns them into a mask."""

HELP = {
    "domain": "What is on the picture. Each kind of surface has networks of its own.",
    "network": "The classifier that decides between damaged and intact.",
    "rule_set": "How the decision is traced back to pixels (layer-wise relevance propagation).",
    "thresholder": "How the heatmap becomes a likelihood of damage for each pixel, and a mask.",
    "threshold": "Pixels of at least this likelihood are in the mask. Lower finds more, higher is "
    "surer.",
    "colormap": "Signed: orange speaks for damage, blue against it. Positive: only what speaks for "
    "it.",
}


def choices(registry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(title, name) of each entry, for a drop-down."""
    return [(entry.title, name) for name, entry in registry.items()]


def verdict(result: Result, domain: Domain) -> str:
    """The classifier's decision in words, as Markdown."""
    word = domain.classes[1] if result.damaged else domain.classes[0]
    text = f"### {word.capitalize()}, probability of damage {_probability(result.probability)}"
    if not result.explained:
        text += "\nThe mask was left empty. *Explain anyway* makes one all the same."
    elif not result.damaged:
        text += "\nClassified intact; the heatmap shows what comes nearest to damage."
    return text


def mask_line(pixels: int, size: int) -> str:
    """How much of the picture is in the mask, as a sentence."""
    if not pixels:
        return "The mask is empty."
    share = 100 * pixels / size
    return f"The mask covers {pixels:,} pixels, {share:.2g} % of the picture."


def _probability(value: float) -> str:
    """Two digits, but never a rounded 0 or 1."""
    if value < 0.005:
        return "under 0.01"
    return "over 0.99" if value > 0.995 else f"{value:.2f}"
