"""Files that are not plain: fewer bits than they have room for, white as zero, several pages."""

import io
import struct
import zlib
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lrpseg.core import depth
from lrpseg.core.images import SUFFIXES, read_image, read_picture
from tests.core.test_images import encoded

TILE = np.arange(20, 240, dtype=np.uint8).reshape(10, 22)
"""A picture of 8 bits."""


def camera(bits: int) -> np.ndarray:
    """The same tile from a camera of so many bits, in 16."""
    return np.round(TILE.astype(np.float64) * ((1 << bits) - 1) / 255).astype(np.uint16)


def tiff(*pages: tuple[np.ndarray, dict[int, int]], order: str = "<") -> bytes:
    """A TIFF of grey or coloured pages, each with more tags."""
    file = bytearray((b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8))
    for place, (values, more) in enumerate(pages):
        count = values.shape[2] if values.ndim == 3 else 1
        kind = {"f": 3, "i": 2}.get(values.dtype.kind, 1)
        tags = {
            254: 0, 256: values.shape[1], 257: values.shape[0], 258: 8 * values.dtype.itemsize,
            259: 1, 262: 2 if count > 1 else 1, 277: count, 278: values.shape[0],
            279: values.nbytes, 339: kind, **more,
        }  # fmt: skip
        start = len(file)
        after = start + 2 + 12 * (len(tags) + 1) + 4
        bits = b""
        if count > 1:
            bits = struct.pack(order + f"{count}H", *[tags[258]] * count)
        data = values.astype(values.dtype.newbyteorder(order)).tobytes()
        tags[273] = after + len(bits)
        end = tags[273] + len(data) + len(data) % 2
        file += struct.pack(order + "H", len(tags))
        for tag, value in sorted(tags.items()):
            if tag == 258 and count > 1:
                file += struct.pack(order + "HHII", tag, 3, count, after)
            else:
                file += struct.pack(order + "HHII", tag, 4, 1, value)
        file += struct.pack(order + "I", end if place + 1 < len(pages) else 0)
        file += bytes(after - len(file)) + bits + data + bytes(len(data) % 2)
    return bytes(file)


def png(values: np.ndarray, significant: int | None = None) -> bytes:
    """A PNG of 16 bits, with the chunk `sBIT` where that is given."""
    done, data = cv2.imencode(".png", values)
    assert done
    if significant is None:
        return data.tobytes()
    body = b"sBIT" + bytes([significant])
    chunk = struct.pack(">I", 1) + body + struct.pack(">I", zlib.crc32(body))
    return data.tobytes()[:33] + chunk + data.tobytes()[33:]


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("kind", ["array", "png", "tiff", "big-endian", "colours", "rgb-tiff"])
def test_a_tile_of_any_camera_is_the_same_tile(bits: int, kind: str) -> None:
    values = camera(bits)
    sources = {
        "array": values,
        "png": png(values),
        "tiff": tiff((values, {})),
        "big-endian": tiff((values, {}), order=">"),
        "colours": png(np.repeat(values[..., None], 3, axis=2)),
        "rgb-tiff": tiff((np.repeat(values[..., None], 3, axis=2), {})),
    }
    read = read_picture(sources[kind])
    assert np.abs(read.pixels[..., 1].astype(int) - TILE).max() <= (1 if bits == 8 else 0)
    (note,) = read.notes
    assert note.startswith(f"read as {bits} bits (by its values")


@pytest.mark.parametrize("kind", ["array", "png", "tiff"])
def test_values_of_sixteen_bits_are_what_they_were(kind: str) -> None:
    values = np.arange(0, 65536, 13, dtype=np.uint16).reshape(1, -1)
    source = {"array": values, "png": png(values), "tiff": tiff((values, {}))}[kind]
    read = read_picture(source)
    assert read.notes == ()
    assert np.array_equal(read.pixels[..., 0], np.round(values / np.float32(257)).astype(np.uint8))


@pytest.mark.parametrize("high", [4095, 4096, 16383, 16384])
@pytest.mark.parametrize("kind", ["array", "png", "rgb-png", "rgb-tiff"])
def test_fourteen_bits_are_not_guessed_and_that_is_said(high: int, kind: str) -> None:
    values = np.linspace(0, high, 220).astype(np.uint16).reshape(10, 22)
    colours = np.repeat(values[..., None], 3, axis=2)
    sources = {
        "array": values, "png": png(values), "rgb-png": png(colours),
        "rgb-tiff": tiff((colours, {})),
    }  # fmt: skip
    read = read_picture(sources[kind])
    if high in (4096, 16383):
        assert np.array_equal(read.pixels[..., 0], np.round(values / 257).astype(np.uint8))
        told = f"the highest is {high}; if it has 14, it is four times too dark"
        assert read.notes == (f"read as 16 bits ({told})",)
        assert read_picture(sources[kind], bits=16).notes == ()
        assert read_picture(sources[kind], bits=14).pixels.max() == round(high * 255 / 16383)
    else:
        assert [note[:15] for note in read.notes] == ["read as 12 bits"] * (high < 4096)


def test_transparency_of_a_dim_picture_stays() -> None:
    values = np.zeros((2, 3, 4), np.uint16)
    values[..., :3], values[..., 3] = 4095, 65535
    values[0, 0, 3] = 0
    for source in (png(values), values):
        read = read_picture(source)
        assert (read.pixels == 255).all()
        assert len(read.notes) == 2
    dark = values.copy()
    dark[..., :3] = 2048
    assert read_image(png(dark))[1, 1].tolist() == [128] * 3
    assert read_image(png(dark))[0, 0].tolist() == [255] * 3


def test_what_the_file_says_counts_more_than_its_values() -> None:
    dark = np.array([[0, 100, 1000]], np.uint16)
    assert read_image(tiff((dark, {})))[0, 2, 0] == 249  # by its values: 10 bits
    for source, bits in (
        (tiff((dark, {281: 4095})), 12),
        (tiff((dark, {281: 16383})), 14),
        (tiff((dark, {281: 65535})), 16),
        (png(dark, 12), 12),
        (png(dark, 14), 14),
    ):
        read = read_picture(source)
        assert read.pixels[0, 2, 0] == round(1000 * 255 / ((1 << bits) - 1))
        assert ("as was said" in "".join(read.notes)) == (bits < 16)
    full = np.array([[0, 65520]], np.uint16)  # the upper bits are used: nothing is to be done
    assert read_picture(png(full, 12)).pixels[0, 1, 0] == 255
    assert read_picture(png(full, 12)).notes == ()
    said = read_picture(dark, bits=12)
    assert said.pixels[0, 2, 0] == 62
    assert read_picture(full, bits=12).pixels[0, 1, 0] == 255


def test_packed_twelve_bits() -> None:
    """Two values in three bytes, as Pillow's raw mode I;12 has it."""
    values = np.array([[0, 4095, 2048, 100]], np.uint16)
    packed = b"".join(
        bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in
        list(pairwise(values[0].tolist()))[::2]
    )  # fmt: skip
    page = (np.frombuffer(packed, np.uint8).reshape(1, -1), {256: 4, 258: 12})
    read = read_picture(tiff(page))
    assert read.pixels[0, :, 0].tolist() == [0, 255, 128, 6]
    assert read.notes == ("read as 12 bits (as was said)",)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_white_as_zero_at_every_depth(dtype: type, order: str) -> None:
    values = np.array([[0, 51, 255]]) * (257 if dtype == np.uint16 else 1)
    read = read_picture(tiff((values.astype(dtype), {262: 0}), order=order))
    assert read.pixels[0, :, 0].tolist() == [255, 204, 0]
    assert read.notes[-1] == "read with white as zero"
    plain = read_picture(tiff((values.astype(dtype), {262: 1}), order=order))
    assert plain.pixels[0, :, 0].tolist() == [0, 51, 255]


def test_white_as_zero_of_twelve_bits() -> None:
    read = read_picture(tiff((4095 - camera(12), {262: 0})))
    assert np.array_equal(read.pixels[..., 0], TILE)


LARGE, SMALL = np.full((40, 60), 200, np.uint8), np.full((10, 15), 50, np.uint8)


def test_a_thumbnail_before_the_picture() -> None:
    for more in ({}, {254: 1}):
        read = read_picture(tiff((SMALL, more), (LARGE, {})))
        assert np.array_equal(read.pixels[..., 0], LARGE)
        assert read.notes == ("read behind a thumbnail: page 2 (of 2)",)
    nearly = np.full((30, 50), 50, np.uint8)
    read = read_picture(tiff((nearly, {254: 1}), (LARGE, {})))
    assert read.pixels.shape == (40, 60, 3)
    file = io.BytesIO()
    Image.fromarray(SMALL).save(file, "MPO", save_all=True, append_images=[Image.fromarray(LARGE)])
    assert read_image(file.getvalue()).shape == (40, 60, 3)


def test_several_pages_are_told() -> None:
    read = read_picture(tiff((LARGE, {}), (LARGE, {}), (SMALL, {})))
    assert read.pixels.shape == (40, 60, 3)
    assert read.notes == ("read of several pages: the first one (of 3)",)
    pyramid = read_picture(tiff((LARGE, {}), (SMALL, {254: 1})))
    assert (pyramid.pixels.shape, pyramid.notes) == ((40, 60, 3), ())
    frames = [Image.fromarray(LARGE), Image.fromarray(LARGE // 2)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert read_picture(data).notes == ("read of an animation: its first picture (of 2)",)
    image = Image.open(io.BytesIO(tiff((SMALL, {}), (LARGE, {}))))
    assert read_image(image).shape == (40, 60, 3)
    assert image.tell() == 0  # it is the caller's


def test_a_page_that_is_damaged_costs_itself_alone() -> None:
    whole = tiff((LARGE, {}), (LARGE, {}))
    assert read_image(whole[: len(whole) - 2420]).shape == (40, 60, 3)


def test_an_exif_rotation_of_a_dim_picture(tmp_path: Path) -> None:
    values = np.zeros((20, 30, 3), np.uint16)
    values[:8, :8] = 4095
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 3
    image = Image.open(io.BytesIO(png(values)))
    image.save(file, "PNG", exif=exif)
    chunk = file.getvalue()
    at = chunk.index(b"eXIf") - 4
    length = int.from_bytes(chunk[at : at + 4], "big") + 12
    turned = png(values)[:33] + chunk[at : at + length] + png(values)[33:]
    assert (read_image(turned)[-8:, -8:] == 255).all()
    assert not read_image(turned)[:8, :8].any()


def test_ordinary_files_have_no_notes() -> None:
    files = [encoded(Image.fromarray(TILE), kind) for kind in ("PNG", "JPEG", "TIFF", "BMP")]
    for source in (TILE, *files, encoded(Image.new("P", (2, 2)))):
        assert read_picture(source).notes == ()
    assert read_picture(encoded(Image.new("CMYK", (2, 2)), "JPEG")).notes == ("read from CMYK",)
    assert read_picture(np.zeros((2, 2), np.uint16)).notes == ()


def test_portable_maps_keep_their_scale() -> None:
    data = b"P5 3 1 4095\n" + struct.pack(">3H", 0, 100, 200)
    assert read_image(data)[0, :, 0].tolist() == [0, 6, 12]


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_suffix_is_one_of_a_format_that_is_read(suffix: str) -> None:
    formats = Image.registered_extensions()
    kind = "JPEG" if suffix == ".mpo" else formats[suffix]  # begins as one
    if kind == "AVIF" and kind not in Image.OPEN:
        pytest.skip("this Pillow reads no AVIF")
    assert kind in Image.OPEN
    if kind not in Image.SAVE or kind in ("MSP", "XBM"):
        return
    grey = Image.fromarray(np.full((32, 32), 128, np.uint8))
    data = encoded(grey if kind not in ("QOI", "AVIF") else grey.convert("RGB"), kind)
    read = read_image(data)
    assert read.ndim == 3
    assert read.dtype == np.uint8


@pytest.mark.parametrize(
    ("high", "said", "bits"),
    [(0, None, 16), (255, None, 8), (256, None, 10), (1024, None, 12), (4096, None, 16),
     (4095, 12, 12), (4096, 12, 16), (100, 16, 16), (9000, 14, 14)],
)  # fmt: skip
def test_depths(high: int, said: int | None, bits: int) -> None:
    assert depth.depth(high, said) == bits
