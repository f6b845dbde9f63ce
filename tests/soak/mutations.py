"""Picture files of all common kinds, and what damage makes of them: each by its number and seed."""

import random
import struct
import zlib
from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
from PIL import Image

from tests.core.test_depth import tiff
from tests.core.test_images import encoded
from tests.shapes import surface

Mutation = Callable[[bytes, random.Random], bytes]
PNG = b"\x89PNG\r\n\x1a\n"
EXTREMES = (0, 1, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@cache
def bases() -> tuple[bytes, ...]:
    """Small pictures that can be read, of as many kinds as Pillow and OpenCV write here."""
    rgb = Image.fromarray(surface(70, 90))
    grey, alpha = rgb.convert("L"), rgb.copy()
    alpha.putalpha(grey)
    deep = np.asarray(grey).astype(np.uint16) * 257
    colours = np.repeat(deep[..., None], 3, axis=2)
    turned = Image.Exif()
    turned[0x0112] = 6
    found = [
        *(encoded(i, "PNG") for i in (rgb, grey, alpha, rgb.quantize(9), grey.convert("1"))),
        encoded(grey, "PNG", save_all=True, append_images=[grey.rotate(9)]),
        *(encoded(i, "JPEG", exif=turned) for i in (rgb, grey, rgb.convert("CMYK"))),
        encoded(rgb, "JPEG", progressive=True, subsampling=2),
        encoded(rgb, "MPO", save_all=True, append_images=[rgb.rotate(9)]),
        *(encoded(rgb, "TIFF", compression=c) for c in (None, "tiff_lzw", "jpeg", "packbits")),
        encoded(grey.convert("1"), "TIFF", compression="group4"),
        encoded(Image.fromarray(deep), "TIFF", compression="tiff_adobe_deflate"),
        encoded(Image.fromarray(deep.astype(np.float32)), "TIFF"),
        tiff((deep, {}), (deep // 2, {254: 1})),
        tiff((colours, {}), order=">"),
        *(encoded(i, "GIF") for i in (grey, rgb.quantize(5))),
        encoded(grey, "GIF", save_all=True, append_images=[grey.rotate(9)]),
        *(encoded(alpha, "WEBP", lossless=lossless) for lossless in (True, False)),
        encoded(rgb, "WEBP", save_all=True, append_images=[rgb.rotate(9)]),
        *(encoded(i, "BMP") for i in (rgb, grey, grey.convert("1"), alpha)),
        *(encoded(rgb, kind) for kind in ("PPM", "TGA", "PCX", "SGI", "IM", "ICO", "ICNS", "DDS")),
        encoded(rgb, "JPEG2000"),
        encoded(Image.fromarray(deep), "PPM"),
        encoded(grey.convert("1"), "XBM"),
    ]
    if "AVIF" in Image.SAVE:
        found.append(encoded(rgb, "AVIF"))
    for suffix in (".png", ".tif", ".ppm", ".hdr"):
        values = colours if suffix != ".hdr" else colours.astype(np.float32) / 65535
        done, data = cv2.imencode(suffix, values)
        found += [data.tobytes()] if done else []
    return tuple(found)


def mutated(seed: int, number: int) -> bytes:
    """A damaged picture: one to three mutations of one of `bases`."""
    chance = random.Random(f"picture {seed} {number}")
    data = chance.choice(bases())
    for _ in range(chance.choice((1, 1, 2, 3))):
        data = chance.choice(MUTATIONS)(data, chance)
    return data


def _flip(data: bytes, chance: random.Random) -> bytes:
    """Bits, anywhere."""
    held = bytearray(data)
    for _ in range(chance.choice((1, 2, 8, 50))):
        if held:
            held[chance.randrange(len(held))] ^= 1 << chance.randrange(8)
    return bytes(held)


def _header(data: bytes, chance: random.Random) -> bytes:
    """Bytes of the beginning, where sizes and kinds stand."""
    held = bytearray(data)
    for _ in range(chance.choice((1, 2, 5))):
        if held:
            held[chance.randrange(4, 64) % len(held)] = chance.randrange(256)
    return bytes(held)


def _extreme(data: bytes, chance: random.Random) -> bytes:
    """A number that is as large or small as it can be."""
    at = chance.randrange(len(data) + 1)
    kind = chance.choice(("<I", ">I", "<H", ">H"))
    value = struct.pack(kind, chance.choice(EXTREMES) & (0xFFFF if kind[1] == "H" else 0xFFFFFFFF))
    return data[:at] + value + data[at + len(value) :]


def _cut(data: bytes, chance: random.Random) -> bytes:
    """The end is missing."""
    return data[: chance.randrange(len(data) + 1)]


def _hole(data: bytes, chance: random.Random) -> bytes:
    """Something in the middle is missing, or nothing but zeros."""
    a, b = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    return data[:a] + chance.choice((b"", bytes(b - a))) + data[b:]


def _swap(data: bytes, chance: random.Random) -> bytes:
    """Two parts change places."""
    a, b, c = sorted(chance.randrange(len(data) + 1) for _ in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def _twice(data: bytes, chance: random.Random) -> bytes:
    """A part comes twice."""
    a, b = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    return data[:b] + data[a:b] + data[b:]


def _splice(data: bytes, chance: random.Random) -> bytes:
    """The head of another kind, or of the same one."""
    other = chance.choice(bases())
    at = chance.choice((4, 12, 32, 100))
    return other[:at] + data[chance.choice((0, at)) :]


def _chunks(data: bytes, chance: random.Random) -> bytes:
    """Chunks of a PNG are changed, dropped, repeated or swapped, and say that they are whole: what
    reads them gets beyond their check sums."""
    if not data.startswith(PNG):
        return _flip(data, chance)
    chunks, at = [], len(PNG)
    while at + 8 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    if not chunks:
        return data
    place = chance.randrange(len(chunks))
    kind, body = chunks[place]
    chunks[place : place + 1] = chance.choice((
        [(kind, chance.choice((_flip, _extreme, _cut))(body, chance))],
        [],
        [chunks[place]] * 2,
        [chunks[chance.randrange(len(chunks))], chunks[place]],
        [(chance.choice((b"PLTE", b"tRNS", b"iCCP", b"sBIT", b"acTL", b"eXIf", b"zTXt")), body),
         chunks[place]],
    ))  # fmt: skip
    return PNG + b"".join(map(chunk, chunks))


def chunk(held: tuple[bytes, bytes]) -> bytes:
    """A chunk of a PNG, of its kind and body."""
    kind, body = held
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


MUTATIONS: tuple[Mutation, ...] = (
    _flip, _header, _extreme, _extreme, _cut, _hole, _swap, _twice, _splice, _chunks, _chunks,
)  # fmt: skip
