"""Reads masks that other tools wrote: images of two values, of any depth."""

import numpy as np
from numpy.typing import NDArray

from lrpseg.errors import ImageError
from lrpseg.images import ImageSource, read_image


def read_mask(source: ImageSource, shape: tuple[int, int] | None = None) -> NDArray[np.bool_]:
    """(H, W) bool, True where there is damage.

    An image of two values counts its higher one (0/1, 0/255, a class index); of one value, whether
    that is above 0; of more (soft edges, JPEG), what is above half of the highest.

    Raises:
        ImageError: not an image, or not of `shape` (height, width).
    """
    image = read_image(source)
    grey = image.max(axis=2)
    if shape is not None and grey.shape != shape:
        raise ImageError(
            f"The mask has {grey.shape[1]}x{grey.shape[0]} pixels and the picture "
            f"{shape[1]}x{shape[0]}. Export it at the picture's size."
        )
    values = np.unique(grey)
    if values.size > 2:
        return grey > values[-1] / 2
    return grey == values[-1] if values[-1] > 0 else np.zeros(grey.shape, bool)
