"""Pictures of results: heatmaps over images, masks as overlays, PNG files."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lrpseg.core.files import atomically
from lrpseg.core.registry import Registry

if TYPE_CHECKING:  # it brings PyTorch along, and comes after masks
    from lrpseg.pipeline.results import Result

MASK_COLOUR = (0, 114, 178)
"""Blue of the Okabe-Ito palette, told apart from grey and brown surfaces with any colour vision."""

THUMBNAIL = 160
"""Length of a thumbnail's longer side in pixels."""

# Signed relevance: blue (against damage) - transparent - orange (for damage). Okabe-Ito ends.
_FOR = np.array((213, 94, 0), np.float32)
_AGAINST = np.array((0, 114, 178), np.float32)


def relevance_scale(relevance: NDArray[np.float32]) -> float:
    """The relevance that is drawn in full colour: the 99.9th percentile of |R|, at least tiny.

    The maximum itself would be one pixel, beside which all else is pale.
    """
    step = max(1, relevance.size // 1_000_000)  # a sample of a huge map does
    sample = np.abs(relevance.ravel()[::step])
    return max(float(np.percentile(sample, 99.9)), float(np.finfo(np.float32).tiny))


def _signed(relevance: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    value = np.clip(relevance / relevance_scale(relevance), -1, 1)
    colour = np.where(value[..., None] >= 0, _FOR, _AGAINST)
    return colour, np.sqrt(np.abs(value))  # the root shows weak relevance too


def _positive(relevance: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    value = np.clip(relevance / relevance_scale(relevance), 0, 1)
    bytes_ = np.rint(value * 255).astype(np.uint8)
    colour = cv2.applyColorMap(bytes_, cv2.COLORMAP_INFERNO)[..., ::-1].astype(np.float32)
    return colour, np.sqrt(value)


COLORMAPS: Registry = Registry("colormap")
COLORMAPS.add("signed", _signed)
COLORMAPS.add("positive", _positive)


def heatmap(result: "Result", colormap: str = "signed", opacity: float = 0.85) -> NDArray[np.uint8]:
    """Relevance over the image, (H, W, 3) uint8; where relevance is 0 the image shows as it is."""
    return blend(result.image, result.relevance, colormap, opacity)


def blend(
    image: NDArray[np.uint8], relevance: NDArray[np.float32], colormap: str, opacity: float = 0.85
) -> NDArray[np.uint8]:
    """`heatmap` of a relevance (H, W) over an image (H, W, 3)."""
    colour, strength = COLORMAPS[colormap](relevance)
    alpha = (opacity * strength)[..., None]
    return np.rint(image * (1 - alpha) + colour * alpha).astype(np.uint8)


def overlay(
    image: NDArray[np.uint8], mask: NDArray[np.bool_], opacity: float = 0.5
) -> NDArray[np.uint8]:
    """The mask in `MASK_COLOUR` over the image, with a full-colour outline; (H, W, 3) uint8."""
    drawn = image.copy()
    colour = np.array(MASK_COLOUR, np.float32)
    drawn[mask] = np.rint(image[mask] * (1 - opacity) + colour * opacity).astype(np.uint8)
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
    drawn[mask & ~inner] = MASK_COLOUR
    return drawn


def mask_image(mask: NDArray[np.bool_]) -> Image.Image:
    """The mask as an 8-bit grey image of 0 and 255."""
    return Image.fromarray(mask.astype(np.uint8) * 255)


def save_png(image: Image.Image, path: Path) -> None:
    """Write a PNG file atomically, making its folder if it is missing."""
    atomically(path, lambda file: image.save(file, format="PNG"))


def save_text(text: str, path: Path) -> None:
    """Write a UTF-8 text file atomically, making its folder if it is missing."""
    atomically(path, lambda file: file.write(text.encode()))


def thumbnail(image: NDArray[np.uint8]) -> bytes:
    """A small JPEG of a picture (H, W, 3), for lists."""
    scale = min(1.0, THUMBNAIL / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    file = io.BytesIO()
    Image.fromarray(np.asarray(small, np.uint8)).save(file, "JPEG", quality=85)
    return file.getvalue()
