"""Opens image files with Pillow, but for those that it gives to another program."""

import io
from pathlib import Path

from PIL import Image, UnidentifiedImageError

_OTHER_PROGRAMS = frozenset({"EPS"})
"""Pillow runs Ghostscript for PostScript, which is a program of its own in each file."""


def open_image(source: Path | bytes) -> Image.Image:
    """As `PIL.Image.open`: what fails is told by the same errors; what another program would have
    to draw is no image (`UnidentifiedImageError`)."""
    image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
    if image.format in _OTHER_PROGRAMS:
        image.close()
        raise UnidentifiedImageError(f"{image.format} is no image of pixels")
    return image
