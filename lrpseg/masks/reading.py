"""Reads masks that other tools wrote: images of two values, of any depth."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lrpseg.core.errors import ImageError
from lrpseg.formats.errors import FormatError
from lrpseg.formats.reading.pngs import read_png


def read_mask(source: Path | bytes, shape: tuple[int, int] | None = None) -> NDArray[np.bool_]:
    """(H, W) bool, True where there is damage; see `read_png` for what counts as damage.

    Raises:
        ImageError: not an image, or not of `shape` (height, width).
    """
    try:
        mask = read_png(source)
    except FormatError as error:
        raise ImageError(str(error)) from error
    if shape is not None and mask.shape != shape:
        raise ImageError(
            f"The mask has {mask.shape[1]}x{mask.shape[0]} pixels and the picture "
            f"{shape[1]}x{shape[0]}. Export it at the picture's size."
        )
    return mask
