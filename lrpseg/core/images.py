"""Reads pictures of any kind into one form: (H, W, 3) uint8 RGB, upright, opaque."""

import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lrpseg.core.decoding import (
    MAX_PIXELS,
    Picture,
    check_size,
    from_array,
    from_bytes,
    from_pil,
)
from lrpseg.core.errors import ImageError

__all__ = [
    "MAX_PIXELS", "SUFFIXES", "ImageSource", "Picture", "enlarge_to", "read_image", "read_limited",
    "read_picture",
]  # fmt: skip

ImageSource = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.generic]
"""A path, an encoded file's bytes, a PIL image, or an array (H, W[, 1|3|4]) of uint8 or uint16."""

SUFFIXES = frozenset({
    ".apng", ".avif", ".bmp", ".bw", ".dcx", ".dds", ".dib", ".gif", ".icb", ".icns", ".ico",
    ".im", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc", ".jpe", ".jpeg", ".jpf", ".jpg", ".jpx",
    ".mpo", ".msp", ".pbm", ".pcx", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".qoi",
    ".ras", ".rgb", ".rgba", ".sgi", ".tga", ".tif", ".tiff", ".vda", ".vst", ".webp", ".xbm",
    ".xpm",
})  # fmt: skip
"""Of files that can be read, in small letters."""


def read_image(source: ImageSource) -> NDArray[np.uint8]:
    """Decode `source` into an upright, opaque RGB array.

    Grey becomes three equal channels. Transparent pixels are laid over white, as viewers show them.
    CMYK goes through the file's own colour profile where it has one. 16-bit values are divided by
    257 (65535 becomes 255), never clipped; but where the file says that they have fewer bits, or
    none is above 4095, as cameras of 10 and 12 bits write them, by the largest value of so many
    bits. Where white is zero, it is white. The EXIF orientation is applied. Of an animation and of
    several pages the first is taken, but no thumbnail that comes before the picture.

    Args:
        source: path, encoded bytes, PIL image, or array of shape (H, W), (H, W, 1), (H, W, 3) or
            (H, W, 4) with dtype uint8, uint16 or bool.

    Returns:
        (H, W, 3) uint8, values 0 to 255, C-contiguous, not shared with `source`.

    Raises:
        ImageError: not an image, damaged, empty, too large, or an array of another shape or dtype.
    """
    return read_picture(source).pixels


def read_picture(source: ImageSource, bits: int | None = None) -> Picture:
    """As `read_image`, with what was not plain about it.

    bits: that the values of files of 16 bits have, 8 to 16; None: as the file says, or by its
    values. Values beyond it are taken as 16 bits.
    """
    if isinstance(source, np.ndarray):
        return from_array(source, bits)
    if isinstance(source, Image.Image):
        check_size(source.width, source.height, "The image")
        return from_pil(source, "The image", bits)
    if isinstance(source, bytes):
        return from_bytes(source, "The file", bits)
    path = Path(source)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path}: there is no such file.") from None
    except IsADirectoryError:
        raise ImageError(f"{path} is a folder; give the image files in it.") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{path} cannot be read: {error}.") from error
    return from_bytes(data, str(path), bits)


def read_limited(path: str | os.PathLike[str], limit: int) -> bytes:
    """An uploaded file's bytes; raises `ImageError` where it has more than `limit`, or cannot be
    read."""
    try:
        size = os.path.getsize(path)
        if size > limit:
            raise ImageError(
                f"The file has {size / 1e6:.0f} MB; the limit is {limit / 1e6:.0f} MB."
            )
        return Path(path).read_bytes()
    except OSError as error:
        raise ImageError(f"The upload cannot be read: {error.strerror}. Try again.") from error


def enlarge_to(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Enlarge (H, W, 3) so that neither side is below `side`, keeping its proportions (paper 3.4).

    Returns `image` itself when it is large enough.
    """
    height, width = image.shape[:2]
    scale = side / min(height, width)
    if scale <= 1:
        return image
    size = (max(side, round(width * scale)), max(side, round(height * scale)))
    if size[0] * size[1] > MAX_PIXELS:
        raise ImageError(
            f"The image is {width}x{height} pixels: enlarged to {side} on its short side it would "
            f"have {size[0] * size[1] / 1e6:.0f} megapixels. Cut it into shorter pieces."
        )
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
