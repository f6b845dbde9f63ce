"""Values of more than 8 bits become 8: by what the file says of them, else by their range.

Cameras of 10 and 12 bits write files of 16, whose upper bits are empty. Divided by 257 as values of
16 bits are, such a picture would be nearly black.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lrpseg.core.errors import ImageError

DEPTHS = range(8, 17)
"""Bits that a value may have."""

_USUAL = (8, 10, 12)
"""Bits that are told by the values alone; what goes beyond has 16."""

UNSURE = 14
"""Bits that are told by the file alone, or by whoever reads it. A picture of 16 bits whose values
all fit into 12 would be nearly black, which nobody means; one whose values fit into 14 is only
dark, as many are that were exposed too short."""

_BITS_PER_SAMPLE, _PHOTOMETRIC, _DESCRIPTION, _LARGEST = 258, 262, 270, 281
"""Tags of TIFF."""

_WHITE_IS_ZERO = 0
_OME = re.compile(r"""SignificantBits=["'](\d{1,2})["']""")
_ROWS = 256


@dataclass(frozen=True)
class Said:
    """What a file says of its values. bits: that they have, None where it says nothing; white: that
    zero is white."""

    bits: int | None = None
    white: bool = False


def told(bits: int, said: int | None, high: int) -> tuple[str, ...]:
    """What is to be said of values that were read as `bits`; of 16 nothing, unless they may have
    14."""
    if bits == 16:
        unsure = said is None and 1 << _USUAL[-1] <= high < 1 << UNSURE
        why = f"the highest is {high}; if it has {UNSURE}, it is four times too dark"
        return (f"read as 16 bits ({why})",) if unsure else ()
    why = "as was said" if said == bits else f"by its values, of which the highest is {high}"
    return (f"read as {bits} bits ({why})",)


def depth(high: int, said: int | None) -> int:
    """How many bits values up to `high` have: `said`, if they fit; else told by `high`."""
    if said is not None and high < 1 << said:
        return said
    if said is not None:
        return 16
    return next((bits for bits in _USUAL if high < 1 << bits), 16) if high else 16


@lru_cache(maxsize=9)
def _table(bits: int) -> NDArray[np.uint8]:
    """What each 16-bit value becomes."""
    largest = (1 << bits) - 1
    values = np.arange(65536, dtype=np.float32) / (257 if bits == 16 else largest / 255)
    return np.round(values.clip(0, 255)).astype(np.uint8)


def eight_bits(
    values: NDArray[np.uint16], said: int | None = None, colours: int | None = None
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """uint16 values of any shape as uint8, and what is to be said of it.

    said: the bits that they have, where somebody knows. colours: so many of the last axis decide;
    what follows them (transparency) always has 16 bits.
    """
    seen = values if colours is None else values[..., :colours]
    high = int(seen.max(initial=0))
    bits = depth(high, said)
    scaled = _table(bits)[values]
    if colours is not None and bits != 16:
        scaled[..., colours:] = _table(16)[values[..., colours:]]
    return scaled, told(bits, said, high)


def grey(
    values: NDArray[np.generic], said: int | None = None
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """(H, W) grey of 16 or 32 bits or floats as uint8, and what is to be said of it.

    Raises `ImageError` for NaN, infinite and negative values, and for those beyond 65535.
    """
    if values.dtype == np.uint8:
        return np.asarray(values, np.uint8), ()
    if values.dtype == np.uint16:
        return eight_bits(np.asarray(values, np.uint16), said)
    if not np.isfinite(values).all():
        raise ImageError("The image holds NaN or infinite values. Export it as 8 or 16 bits.")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 65535:
        raise ImageError(
            f"The image holds values from {low:g} to {high:g}. Export it as 8 or 16 bits."
        )
    floats = values.dtype.kind == "f"
    scale = 255 if floats and high <= 1 else 1
    small = floats and high <= 255
    whole = np.empty(values.shape, np.uint8 if small else np.uint16)
    for first in range(0, len(values), _ROWS):  # in parts: as float64 it has eight times the size
        part = slice(first, first + _ROWS)
        whole[part] = np.round(values[part].astype(np.float64) * scale)
    if small:
        return whole.astype(np.uint8), (
            f"read as values of 0 to {1 if scale > 1 else 255} (floats)",
        )
    # Pillow opens some 16-bit files as 32-bit integers: those keep their 16-bit scale.
    return eight_bits(whole.astype(np.uint16), said)


def said_by(image: Image.Image, data: bytes | None = None) -> Said:
    """What an opened image says of its values; `data` is its file."""
    if image.format == "PPM":  # Pillow has spread its values over 16 bits
        return Said(16)
    if image.format == "PNG" and data is not None:
        return Said(_png_bits(data))
    return said_by_tags(getattr(image, "tag_v2", None) or {})


def said_by_tags(tags: Mapping[int, Any]) -> Said:
    """The same by the tags of a TIFF."""
    white = tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    own = _number(tags.get(_BITS_PER_SAMPLE))
    if own in DEPTHS and own not in (8, 16):
        return Said(own, white)
    significant = _OME.search(str(tags.get(_DESCRIPTION) or "")[:100_000])
    if significant and int(significant[1]) in DEPTHS:
        return Said(int(significant[1]), white)
    largest = _number(tags.get(_LARGEST))
    if largest is not None and 255 <= largest <= 65535:
        return Said(largest.bit_length(), white)
    return Said(None, white)


def _number(value: object) -> int | None:
    first = value[0] if isinstance(value, tuple) and value else value
    return first if isinstance(first, int) else None


def _png_bits(data: bytes) -> int | None:
    """The significant bits of a PNG's chunk `sBIT`."""
    for kind, body in _chunks(data):
        if kind == b"sBIT" and body and body[0] in DEPTHS:
            return body[0]
        if kind == b"IDAT":
            break
    return None


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    while place + 8 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        yield data[place + 4 : place + 8], data[place + 8 : place + 8 + min(length, 16)]
        place += 12 + length
