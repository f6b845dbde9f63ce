"""What is said about a picture: the verdict, and what to trust."""

import numpy as np
from numpy.typing import NDArray

from lrpseg.domains import Domain
from lrpseg.domains.picture_kind import unlike
from lrpseg.pipeline.operating_curve import OperatingPoints
from lrpseg.workspace import Item


def verdict(item: Item, domain: Domain | None) -> str:
    """The decision in words, and whether network and witness disagree; `domain` is None where it is
    no longer there."""
    decision, doubt = _decision(item, domain), _doubt(item)
    if decision and doubt and not decision.endswith("."):
        decision += "."
    return f"{decision} {doubt}".strip()


def _doubt(item: Item) -> str:
    """What each of the two says where they disagree; "" where they do not."""
    layer = next((layer for layer in item.layers if layer.doubtful), None)
    if layer is None or layer.network is None or layer.witness is None:
        return ""
    told = (
        f"Doubtful: the network alone says {probability_words(layer.network)}, the witness "
        f"{probability_words(layer.witness)}."
    )
    if not item.by_witness:
        return told
    return f"{told} The heatmap shows what comes nearest to damage for the network."


def _decision(item: Item, domain: Domain | None) -> str:
    if domain is None:
        return f"{item.settings.domain} is no longer here: the mask stays, choose another domain."
    if item.probability is None:
        return ""
    found = [layer for layer in item.layers if layer.damaged]
    if found:
        return "; ".join(
            f"{_called(layer.name, domain).capitalize()}, {probability_words(layer.probability)}"
            for layer in found
            if layer.probability is not None
        )
    intact, p = domain.intact.capitalize(), probability_words(item.probability)
    if not item.explained:
        return f"{intact}, {p}: mask left empty."
    return f"{intact}, {p}: the heatmap shows what comes nearest to damage."


def _called(name: str, domain: Domain) -> str:
    """What a class is called in a sentence; of the only one as it has always been."""
    several = len(domain.classes) > 1 and name in domain.classes
    return domain.classes[name].title if several else name


def points_note(
    points: OperatingPoints | None, item: Item, image: NDArray[np.uint8] | None
) -> str | None:
    """Why the operating points may not hold for this picture, if there is a reason."""
    if points is None:
        return "Nothing was measured with these settings: what to expect is not known."
    if item.by_witness:
        return "Measured on damage that the network sees: of this, what to expect is not known."
    if points.stale:
        return "The network has changed since this was measured: take it as a rough guide."
    differs = [] if image is None else unlike(image, points.pictures)
    if differs:
        return (
            f"This picture is {' and '.join(differs)} than any that was measured: what to expect "
            "is not known."
        )
    if item.width > 2 * 224 or item.height > 2 * 224:
        return "Measured on crops of 224 pixels; on large pictures expect more false alarms."
    return None


def probability_words(value: float) -> str:
    """Two digits, but never a rounded 0 or 1."""
    if value < 0.005:
        return "p < 0.01"
    return "p > 0.99" if value > 0.995 else f"p = {value:.2f}"
