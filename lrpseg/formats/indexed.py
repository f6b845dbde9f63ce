"""Palette pictures, whose pixel value is a class's number, and the label map that names them.

`labelmap.txt` is Pascal VOC's as CVAT writes it, a line of `name:r,g,b:parts:actions` for each
class: https://docs.cvat.ai/docs/dataset_management/formats/format-smask/.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lrpseg.core.errors import OptionError
from lrpseg.formats.base import png
from lrpseg.formats.options import ExportOptions

_BACKGROUND = "background"


def class_png(numbers: NDArray[np.uint8], options: ExportOptions) -> bytes:
    """Numbers of classes (H, W), 0 for none, as an 8-bit PNG with the classes' colours."""
    colours = [channel for entry in options.labels for channel in entry.colour]
    return indexed_png(numbers, [0, 0, 0, *colours])


def indexed_png(numbers: NDArray[np.uint8], palette: list[int]) -> bytes:
    """Numbers (H, W) as an 8-bit PNG; `palette` has r, g, b of each number in turn."""
    image = Image.fromarray(numbers)
    image.putpalette(palette)  # makes it an indexed one
    # Pillow would pack two colours into one bit, which not every reader takes for an index.
    return png(image, bits=8)


LABELMAP_FILE = "labelmap.txt"


def labelmap(options: ExportOptions) -> str:
    """The text of `labelmap.txt`."""
    lines = [f"{c.name}:{','.join(map(str, c.colour))}::\n" for c in options.labels]
    return f"# label:color_rgb:parts:actions\n{_BACKGROUND}:0,0,0::\n" + "".join(lines)


def labelmap_names(lines: Iterable[str]) -> tuple[str, ...]:
    """The names that the lines of a `labelmap.txt` give to the numbers 0, 1, ...; none where they
    do not begin with the background, or one is there twice.

    >>> labelmap_names(["# label:color_rgb:parts:actions", "background:0,0,0::", "crack:9,9,9::"])
    ('background', 'crack')
    """
    names = tuple(line.split(":")[0] for line in lines if not line.startswith("#"))
    usual = names[:1] == (_BACKGROUND,) and len(set(names)) == len(names)
    return names if usual else ()


def check_labelmap(options: ExportOptions) -> None:
    """Raise `OptionError` where a class's name cannot stand in `labelmap.txt`."""
    for entry in options.labels:
        if ":" in entry.name or entry.name.startswith("#") or entry.name == _BACKGROUND:
            raise OptionError(
                f"The class name {entry.name!r} cannot stand in labelmap.txt: it must hold no "
                "':', not begin with '#' and not be 'background'. Choose another label."
            )


def check_colours(options: ExportOptions) -> None:
    """Raise `OptionError` where two classes, or one and the background, share a colour."""
    named = {(0, 0, 0): "the background"}
    for entry in options.labels:
        other = named.setdefault(entry.colour, entry.name)
        if other is not entry.name:
            raise OptionError(
                f"The class {entry.name!r} has the colour {entry.hex} of {other}: this format "
                "tells classes by their colours. Give each its own."
            )
