"""Masks as PNG files, one for each picture, paired by stem: `belt 3/tile.png` of the same path."""

import numpy as np
from PIL import Image

from lrpseg.formats.base import (
    Annotated,
    Content,
    ExportOptions,
    File,
    Format,
    png,
)
from lrpseg.formats.parts import Mask
from lrpseg.masks.render import MASK_COLOUR, mask_image


class Png(Format):
    """8-bit grey, 0 and 255, of the upright picture's size."""

    name = "png"
    title = "PNG masks"
    description = "A black and white PNG per picture: damage is 255, the rest 0."
    files = "STEM.png"
    by_stem = True

    def _encode(self, picture: Annotated, mask: Mask, options: ExportOptions) -> Content:
        data = png(mask_image(mask))
        return Content(int(mask.any()), files=(File(f"{picture.stem}.png", data),))


class IndexedPng(Format):
    """8-bit palette, class index 0 (black) and 1 (coloured), as for training with class indices."""

    name = "png-indexed"
    title = "PNG masks, class indices"
    description = "A palette PNG per picture: the pixel's value is its class, damage is 1."
    files = "STEM.png"
    by_stem = True

    def _encode(self, picture: Annotated, mask: Mask, options: ExportOptions) -> Content:
        image = Image.fromarray(mask.astype(np.uint8))
        image.putpalette([0, 0, 0, *MASK_COLOUR])  # makes it an indexed one
        # Pillow would pack two colours into one bit, which not every reader takes for an index.
        data = png(image, bits=8)
        return Content(int(mask.any()), files=(File(f"{picture.stem}.png", data),))
