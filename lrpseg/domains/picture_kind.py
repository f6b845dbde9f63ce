"""Tells whether a picture is of the kind that figures were measured on, by a few plain numbers.

No proof that a picture belongs to a domain, but a photograph of something else, a colour picture
among grey ones or a night shot among bright ones is noticed.
"""

from collections.abc import Iterable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

TRAITS = {
    "brightness": ("darker", "brighter"),
    "contrast": ("flatter", "richer in contrast"),
    "colour": ("less colourful", "more colourful"),
    "sharpness": ("smoother", "more finely structured"),
}
"""What is compared, and how a picture below or above the measured range is called."""

Range = tuple[float, float]


def traits(image: NDArray[np.uint8]) -> dict[str, float]:
    """The numbers of one picture (H, W, 3) uint8, all in grey levels (0 to 255).

    brightness: mean grey; contrast: standard deviation of grey; colour: mean difference of the
    highest and lowest channel; sharpness: mean absolute difference of neighbouring pixels.
    """
    height, width = image.shape[:2]
    step = max(1, int((height * width / 4e6) ** 0.5))  # a sample of a huge picture does
    sample = np.ascontiguousarray(image[::step, ::step])
    grey = cv2.cvtColor(sample, cv2.COLOR_RGB2GRAY).astype(np.float32)
    rows = image[:: max(1, height // 512)].astype(np.int16)  # neighbours must stay neighbours
    steps = np.abs(np.diff(rows.mean(axis=2), axis=1)) if width > 1 else np.zeros(1)
    spread = sample.max(axis=2).astype(np.float32) - sample.min(axis=2)
    return {
        "brightness": float(grey.mean()),
        "contrast": float(grey.std()),
        "colour": float(spread.mean()),
        "sharpness": float(steps.mean()),
    }


def ranges(images: Iterable[NDArray[np.uint8]]) -> dict[str, Range]:
    """Lowest and highest number of each trait among the measured pictures."""
    measured = [traits(image) for image in images]
    return {
        name: (
            round(min(t[name] for t in measured), 2),
            round(max(t[name] for t in measured), 2),
        )
        for name in TRAITS
    }


def unlike(image: NDArray[np.uint8], measured: Mapping[str, Range]) -> list[str]:
    """In what words `image` lies outside of the measured ranges; empty where it does not.

    A range is widened by a quarter of its length, and by 5 grey levels, before it is outside.
    """
    found = []
    for name, value in traits(image).items():
        if name not in measured:
            continue
        low, high = measured[name]
        slack = (high - low) / 4 + (1 if name == "sharpness" else 5)
        if value < low - slack:
            found.append(TRAITS[name][0])
        elif value > high + slack:
            found.append(TRAITS[name][1])
    return found
