"""Reads masks from images: of two values, of any depth, by palette index, by transparency."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lrpseg.core.errors import ImageError
from lrpseg.core.images import MAX_PIXELS
from lrpseg.core.opening import open_image

Mask = NDArray[np.bool_]


def read_mask(source: Path | bytes, shape: tuple[int, int] | None = None) -> Mask:
    """(H, W) bool, True where there is damage.

    Palette images count their indices, not their colours: every one but 0. Where the alpha channel
    varies, what is opaque counts, if it has one colour; if it has more, its brighter half. Other
    images of two values count the higher one, whatever the depth; of one value, whether that is
    above 0; of more (soft edges, JPEG), what is above half of the highest.

    Raises:
        ImageError: no image, damaged, larger than `lrpseg.core.images.MAX_PIXELS`, or not of
            `shape` (height, width).
    """
    values = read_indices(source)
    mask = np.asarray(values != 0)
    if shape is not None and mask.shape != shape:
        raise ImageError(
            f"The mask has {mask.shape[1]}x{mask.shape[0]} pixels and the picture "
            f"{shape[1]}x{shape[0]}. Export it at the picture's size."
        )
    return mask


def read_indices(source: Path | bytes) -> NDArray[np.uint8] | Mask:
    """(H, W) uint8, the indices of a palette image; of any other image (H, W) bool, its mask as in
    `read_mask`, which says what is raised."""
    shown = "The mask" if isinstance(source, bytes) else str(source)
    try:
        with open_image(source) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ImageError(f"{shown} has more than {MAX_PIXELS / 1e6:.0f} megapixels.")
            image.load()
            if image.mode == "P":
                return np.array(image, np.uint8)
            if image.mode in ("LA", "PA", "RGBA", "La", "RGBa"):
                pixels = np.asarray(image.convert("RGBA"))
                return _transparent(pixels[..., :3].max(axis=2), pixels[..., 3])
            if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
                return _higher(np.asarray(image.convert("L")))
            pixels = np.asarray(image)
            return _higher(pixels.max(axis=2) if pixels.ndim == 3 else pixels)
    except ImageError:
        raise
    except Image.DecompressionBombError:
        raise ImageError(f"{shown} has more than {MAX_PIXELS / 1e6:.0f} megapixels.") from None
    except Exception as error:  # Pillow's plug-ins raise whatever a damaged file makes of them
        raise ImageError(f"{shown} is no image or a damaged one. Export it as PNG.") from error


def _transparent(values: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> Mask:
    opaque = alpha >= 128
    if opaque.all():
        return _higher(values)
    inside = values[opaque]
    if not inside.size or inside.min() == inside.max():
        return opaque
    return opaque & _higher(np.where(opaque, values, inside.min()))


def _higher(values: NDArray[np.generic]) -> Mask:
    if values.dtype == np.bool_:
        return np.asarray(values, bool)
    if not np.isfinite(values).all():
        raise ImageError("The mask holds NaN or infinite values. Export it as 8 bits.")
    found = np.unique(values)
    if found.size > 2:
        return np.asarray(values > found[-1] / 2, bool)
    if found.size == 1:
        return np.full(values.shape, bool(found[0] > 0))
    return np.asarray(values == found[-1], bool)
