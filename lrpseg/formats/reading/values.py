"""What the values of an image file say as a mask: which are damage, and which say nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lrpseg.core.errors import ImageError
from lrpseg.core.images import MAX_PIXELS
from lrpseg.core.opening import open_image
from lrpseg.formats.errors import FormatError
from lrpseg.formats.parts import Mask
from lrpseg.formats.reading.base import Reading, Size
from lrpseg.formats.reading.kinds import PICTURE
from lrpseg.masks.reading import read_indices

_CLASSES = 31
"""Grey values up to this one, and no others, are numbers of classes."""

_UNKNOWN = 255
"""Beside numbers of classes: pixels of which nothing is known, as in Pascal VOC."""

_FEW = 12
"""So many values are named one by one in a note."""

_LOSSY = frozenset({".jpg", ".jpeg", ".jfif", ".jpe", ".webp"})
"""Files whose small values are noise."""

_SAMPLES = 250_000


@dataclass(frozen=True, eq=False)
class Marked:
    """mask: (H, W) bool. indices: (H, W) of whole numbers where the file has numbers of classes,
    and `numbers` those that are there. ignored: (H, W) bool, or None. notes: how the values were
    read, where that is not plain."""

    mask: Mask
    indices: NDArray[np.integer] | None = None
    numbers: tuple[int, ...] = ()
    ignored: Mask | None = None
    notes: tuple[str, ...] = ()

    def makers(self, names: Mapping[int, str]) -> dict[str, Callable[[], Mask]]:
        """How to make the mask of each number; the label is its name, or the number itself."""
        if self.indices is None:
            return {}
        values = self.indices
        return {names.get(n, str(n)): partial(np.equal, values, n) for n in self.numbers}


def image_size(path: Path) -> Size:
    """(height, width) by the file's header; no pixel is read.

    Raises `FormatError` where there is none, or for more than `MAX_PIXELS`.
    """
    try:
        with open_image(path) as image:
            size = image.height, image.width
    except Image.DecompressionBombError:
        size = (MAX_PIXELS, 2)
    except Exception as error:  # Pillow's plug-ins raise whatever a damaged file makes of them
        raise FormatError(f"{path} is no image or a damaged one. Export it as PNG.") from error
    if size[0] * size[1] > MAX_PIXELS:
        raise FormatError(f"{path} has more than {MAX_PIXELS / 1e6:.0f} megapixels.")
    return size


def marked(path: Path, options: Reading) -> Marked:
    """The mask in an image file.

    Palette images count their indices, every one but 0. Grey images of few small values (0, 1, 2)
    are read by number as well, and 255 beside such numbers is not known; other images as
    `lrpseg.masks.reading.read_mask` has it. `options` may say which values count and which are not
    known.

    Raises:
        FormatError: no image, a picture instead of a mask, or colours where values are asked for.
    """
    palette, values = _numbers(path)
    if values is None:
        if options.values or options.ignore:
            raise FormatError(
                f"{path} has colours: values of pixels say nothing there. Export it in grey, or "
                "leave --values and --ignore out."
            )
        _refuse_picture(path, None)
        return Marked(_plain(path))
    there = [int(n) for n in np.unique(values)]
    ignored = np.isin(values, options.ignore) if options.ignore else None
    known = [n for n in there if n not in options.ignore]
    if options.values:
        numbers = tuple(n for n in known if n in options.values)
        return Marked(np.isin(values, numbers), values, numbers, ignored)
    if palette:
        return _counted(values, known, ignored, ())
    return _grey(path, values, known, ignored)


def _grey(
    path: Path, values: NDArray[np.integer], known: list[int], ignored: Mask | None
) -> Marked:
    """A grey image whose values nobody has explained."""
    small = [n for n in known if n != _UNKNOWN]
    if len(known) > 2 and max(small) <= _CLASSES and path.suffix.lower() not in _LOSSY:
        told = f"Grey values {_listed(known)} were read as numbers of classes"
        if _UNKNOWN in known:
            unknown = values == _UNKNOWN
            ignored = unknown if ignored is None else ignored | unknown
            return _counted(values, small, ignored, (f"{told}, and 255 as not known.",))
        return _counted(values, small, ignored, (f"{told}.",))
    if len(known) <= 2:
        highest = known[-1] if known else 0
        mask = np.asarray(values == highest) if highest > 0 else np.zeros(values.shape, bool)
        return Marked(mask, ignored=ignored)
    _refuse_picture(path, values)
    half = known[-1] / 2
    told = f"values above {half:g} were taken for damage; --values says otherwise."
    what = f"Of the grey values {_listed(known)}," if len(known) <= _FEW else "Soft edges:"
    mask = np.asarray(values > half)
    if ignored is not None:
        mask &= ~ignored
    return Marked(mask, ignored=ignored, notes=(f"{what} {told}",))


def _counted(
    values: NDArray[np.integer], known: list[int], ignored: Mask | None, notes: tuple[str, ...]
) -> Marked:
    numbers = tuple(n for n in known if n)
    mask = np.asarray(values != 0)
    if ignored is not None:
        mask &= ~ignored
    return Marked(mask, values, numbers, ignored, notes)


def _numbers(path: Path) -> tuple[bool, NDArray[np.integer] | None]:
    """Whether the file has a palette, and (H, W) its indices or grey values; None for colours,
    transparency, and values that are no whole numbers of 0 to 65535."""
    try:
        with open_image(path) as image:
            if image.mode == "P":
                return True, np.array(image, np.uint8)
            if image.mode not in ("1", "L", "I;16", "I;16B", "I"):
                return False, None
            values = np.asarray(image)
    except Exception as error:  # Pillow's plug-ins raise whatever a damaged file makes of them
        raise FormatError(f"{path} is no image or a damaged one. Export it as PNG.") from error
    if values.dtype == np.bool_:
        return False, values.astype(np.uint8)
    if values.dtype.itemsize > 2:
        if values.size and (values.min() < 0 or values.max() > 65535):
            return False, None
        values = values.astype(np.uint16)
    return False, values


def _plain(path: Path) -> Mask:
    try:
        return np.asarray(read_indices(path) != 0)
    except ImageError as error:
        raise FormatError(str(error)) from error


def _refuse_picture(path: Path, values: NDArray[np.integer] | None) -> None:
    """Raise where an image looks like a picture: of many shades, most neither dark nor light, or of
    very many colours."""
    colours = None
    if values is None:
        try:
            with open_image(path) as image:
                if image.mode not in ("RGB", "YCbCr", "CMYK", "LAB", "HSV"):
                    return  # transparency says what is damage
                colours = np.asarray(image.convert("RGB"))
                values = colours.max(axis=2)
        except Exception as error:  # as above
            raise FormatError(f"{path} is no image or a damaged one. Export it as PNG.") from error
    step = max(1, int((values.size / _SAMPLES) ** 0.5))
    many = False
    if colours is not None:
        shades = colours[::step, ::step].reshape(-1, 3).astype(np.uint32) @ (1 << 16, 1 << 8, 1)
        many = np.unique(shades).size > max(256, shades.size // 10)
    some = values[::step, ::step].astype(np.float64)
    low, high = some.min(), some.max()
    between = (some > low + (high - low) / 8) & (some < high - (high - low) / 8)
    if many or (np.unique(some).size > 2 * _CLASSES and between.mean() > 0.25):
        raise FormatError(
            f"{path.name} looks like a picture, not like a mask. If it is one, say which values "
            "are damage (--values).",
            PICTURE,
        )


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:_FEW])) + (", ..." if len(numbers) > _FEW else "")
