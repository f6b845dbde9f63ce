"""Masks from image files, paired with pictures by path without suffix."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lrpseg.core.images import MAX_PIXELS
from lrpseg.formats.errors import FormatError
from lrpseg.formats.parts import Mask
from lrpseg.formats.reading.base import OnError, ReadMask, guarded

SUFFIXES = frozenset({".png", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".jpg", ".jpeg"})


def read_pngs(
    source: Path, *, index: int | None = None, ending: str = "", on_error: OnError | None = None
) -> Iterator[ReadMask]:
    """A mask for each image file: `source` itself, or those below the folder `source` by name.

    Args:
        index: the class index that counts in palette images; without it, every one but 0.
        ending: is cut off the names, such as "_mask" in MVTec's layout.
        on_error: is told of files that cannot be read; without it, the first one ends the reading.

    Raises:
        FormatError: there is no image file, or one cannot be used as a mask.
    """
    folder, found = (source.parent, [source]) if source.is_file() else (source, source.rglob("*"))
    files = sorted(p for p in found if p.suffix.lower() in SUFFIXES and p.is_file())
    if not files:
        raise FormatError(f"{source} holds no masks ({', '.join(sorted(SUFFIXES))}).")
    for path in files:
        name = path.relative_to(folder).with_suffix("").as_posix().removesuffix(ending)
        yield from guarded(name, lambda p=path, n=name: ReadMask(n, read_png(p, index)), on_error)  # type: ignore[misc]


def read_png(source: Path | bytes, index: int | None = None) -> Mask:
    """(H, W) bool from one image.

    Palette images count their indices, not their colours: `index`, or every one but 0. Where the
    alpha channel varies, what is opaque counts, if it has one colour; if it has more, its brighter
    half. Other images of two values count the higher one, whatever the depth; of one value, whether
    that is above 0; of more (soft edges, JPEG), what is above half of the highest.

    Raises:
        FormatError: no image, damaged, or larger than `lrpseg.core.images.MAX_PIXELS`.
    """
    shown = "The mask" if isinstance(source, bytes) else str(source)
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            if image.width * image.height > MAX_PIXELS:
                raise FormatError(f"{shown} has more than {MAX_PIXELS / 1e6:.0f} megapixels.")
            image.load()
            if image.mode == "P":
                values = np.asarray(image)
                return np.asarray(values > 0 if index is None else values == index)
            if image.mode in ("LA", "PA", "RGBA", "La", "RGBa"):
                pixels = np.asarray(image.convert("RGBA"))
                return _transparent(pixels[..., :3].max(axis=2), pixels[..., 3])
            if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
                return _higher(np.asarray(image.convert("L")))
            pixels = np.asarray(image)
            return _higher(pixels.max(axis=2) if pixels.ndim == 3 else pixels)
    except FormatError:
        raise
    except Image.DecompressionBombError:
        raise FormatError(f"{shown} has more than {MAX_PIXELS / 1e6:.0f} megapixels.") from None
    except Exception as error:  # Pillow's plug-ins raise whatever a damaged file makes of them
        raise FormatError(f"{shown} is no image or a damaged one. Export it as PNG.") from error


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
        raise FormatError("The mask holds NaN or infinite values. Export it as 8 bits.")
    found = np.unique(values)
    if found.size > 2:
        return np.asarray(values > found[-1] / 2, bool)
    if found.size == 1:
        return np.full(values.shape, bool(found[0] > 0))
    return np.asarray(values == found[-1], bool)
