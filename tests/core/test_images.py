"""Reading pictures of any kind, and refusing what is none."""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageCms

from lrpseg.core.errors import ImageError
from lrpseg.core.images import MAX_PIXELS, enlarge_to, read_image
from lrpseg.masks.reading import read_mask

RED = (200, 30, 40)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def ramp() -> np.ndarray:
    return np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


def test_grey_becomes_three_equal_channels() -> None:
    read = read_image(encoded(Image.fromarray(ramp())))
    assert read.shape == (3, 4, 3)
    assert read.dtype == np.uint8
    assert all(np.array_equal(read[..., c], ramp()) for c in range(3))


@pytest.mark.parametrize("as_array", [False, True])
def test_sixteen_bits_are_scaled_and_not_clipped(as_array: bool) -> None:
    deep = np.array([[0, 257, 32896, 65535]], np.uint16)
    source = deep if as_array else encoded(Image.fromarray(deep))
    assert read_image(source)[0, :, 0].tolist() == [0, 1, 128, 255]


def test_sixteen_bit_colour_tiff_is_scaled_and_keeps_its_channel_order(tmp_path: Path) -> None:
    deep = np.zeros((5, 6, 3), np.uint16)
    deep[..., 2] = 65535  # OpenCV writes BGR: this is red
    path = tmp_path / "deep.tif"
    assert cv2.imwrite(str(path), deep)
    assert np.unique(read_image(path).reshape(-1, 3), axis=0).tolist() == [[255, 0, 0]]


@pytest.mark.parametrize(("high", "expected"), [(1.0, 255), (255.0, 255), (65535.0, 255)])
def test_float_images_keep_their_scale(high: float, expected: int) -> None:
    values = np.array([[0, high / 2, high]], np.float32)
    read = read_image(encoded(Image.fromarray(values), "TIFF"))[0, :, 0]
    assert read[0] == 0
    assert read[2] == expected
    assert abs(int(read[1]) - 128) <= 1


@pytest.mark.parametrize("suffix", [".hdr", ".tiff"])
def test_colours_in_floats_say_how_to_save_them(suffix: str) -> None:
    written, data = cv2.imencode(suffix, np.full((4, 6, 3), 0.5, np.float32))
    assert written
    with pytest.raises(ImageError, match=r"float32 \(HDR\)\. Save it as PNG"):
        read_image(data.tobytes())


def test_float_image_with_nan_is_refused() -> None:
    with pytest.raises(ImageError, match="NaN"):
        read_image(encoded(Image.fromarray(np.array([[0.0, np.nan]], np.float32)), "TIFF"))


def test_transparent_pixels_are_laid_over_white() -> None:
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[..., :3] = RED
    rgba[0, 0, 3] = 255
    for source in (encoded(Image.fromarray(rgba)), rgba, Image.fromarray(rgba)):
        read = read_image(source)
        assert read[0, 0].tolist() == list(RED)
        assert read[1, 1].tolist() == [255, 255, 255]


def test_palette_with_transparency_and_grey_with_alpha() -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([*RED, 0, 0, 0])
    palette.putpixel((1, 0), 1)
    read = read_image(encoded(palette, transparency=1))
    assert read[0].tolist() == [list(RED), [255, 255, 255]]
    grey_alpha = Image.fromarray(np.array([[[90, 255], [90, 0]]], np.uint8), "LA")
    assert read_image(encoded(grey_alpha))[0].tolist() == [[90] * 3, [255] * 3]


def test_cmyk_is_converted_with_and_without_profile() -> None:
    cmyk = Image.new("CMYK", (4, 4), (0, 255, 255, 0))
    plain = read_image(encoded(cmyk, "JPEG", quality=100))[0, 0].astype(int)
    assert plain[0] > 200 > 60 > plain[1]
    broken = encoded(cmyk, "JPEG", quality=100, icc_profile=b"no profile at all")
    assert np.abs(read_image(broken)[0, 0].astype(int) - plain).max() <= 3
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    wrong_kind = encoded(cmyk, "JPEG", quality=100, icc_profile=profile)
    assert read_image(wrong_kind).shape == (4, 4, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int, tmp_path: Path) -> None:
    upright = np.zeros((20, 30), np.uint8)
    upright[:8, :8] = 250  # the marked corner is top left when shown
    undo = {
        1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
        5: np.transpose, 6: lambda a: np.rot90(a, 1), 7: lambda a: np.rot90(a, 2).T,
        8: lambda a: np.rot90(a, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "rotated.png"
    Image.fromarray(np.ascontiguousarray(undo(upright))).save(path, exif=exif)
    assert np.array_equal(read_image(path)[..., 0], upright)


def test_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (5, 5), c) for c in (RED, (0, 0, 0))]
    data = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])
    image = Image.open(io.BytesIO(data))
    image.seek(1)
    assert read_image(data)[0, 0].tolist() == list(RED)
    assert read_image(image)[0, 0].tolist() == list(RED)
    assert image.tell() == 1  # it is the caller's


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "YCbCr", "HSV", "LAB", "I", "I;16", "F"])
def test_every_mode_gives_rgb(mode: str) -> None:
    image = Image.new(mode, (7, 5))
    assert read_image(image).shape == (5, 7, 3)


def test_result_does_not_share_memory_with_its_source() -> None:
    source = np.zeros((4, 4, 3), np.uint8)
    read_image(source)[...] = 9
    assert source.max() == 0


def claimed_size(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


JPEG = encoded(
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (99, 99, 3), np.uint8)), "JPEG"
)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"hello, I am a text file", "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
        (b"%PDF-1.7 not really", "not an image"),
        (JPEG[: len(JPEG) // 2], "damaged or incomplete"),
        (claimed_size(20_000, 10_000), "megapixels"),
        (claimed_size(13_400, 13_300), "megapixels"),
        (claimed_size(60_000, 60_000), "megapixels"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_no_image_is_refused_with_a_reason(data: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "claimed.png"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=says) as caught:
        read_image(path)
    assert str(path) in str(caught.value)


def test_what_only_opencv_reads_is_measured_before_it_is_decoded() -> None:
    """In a process of its own: OpenCV reads its limit once, and this one may have imported it."""
    code = (
        "import sys; from lrpseg.core.errors import ImageError; "
        "from lrpseg.core.images import read_image\n"
        "try: read_image(sys.stdin.buffer.read())\n"
        "except ImageError as error: print(error)"
    )
    claimed = b"P7\nWIDTH 20000\nHEIGHT 10000\nDEPTH 1\nMAXVAL 255\nENDHDR\n"
    done = subprocess.run(
        [sys.executable, "-c", code], input=claimed, capture_output=True, check=True
    )
    assert done.stdout.startswith(b"The file has more than 178 megapixels. Cut it")


def test_opencv_makes_no_room_for_what_a_cut_png_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*args: object) -> None:
        raise AssertionError("OpenCV was asked")

    data = bytearray(encoded(Image.fromarray(ramp())))
    data[24] = 255  # of the header, so that Pillow knows nothing
    assert data[37:41] == b"IDAT"
    data[33:37] = (2_000_000_000).to_bytes(4, "big")
    monkeypatch.setattr(cv2, "imdecode", decode)
    with pytest.raises(ImageError, match="not an image"):
        read_image(bytes(data))


def test_no_other_program_draws_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*args: object, **options: object) -> None:
        raise AssertionError("Ghostscript was asked")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", run)
    file = io.BytesIO()
    Image.new("L", (30, 20), 99).save(file, "EPS")
    with pytest.raises(ImageError, match="not an image that can be read"):
        read_image(file.getvalue())
    with pytest.raises(ImageError, match="no image or a damaged one"):
        read_mask(file.getvalue())


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        read_image(tmp_path / "nothing.png")
    with pytest.raises(ImageError, match="folder"):
        read_image(tmp_path)
    with pytest.raises(ImageError):
        read_image("a\0b.png")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 5, 3), np.uint8),
        np.zeros((5, 5, 2), np.uint8),
        np.zeros((5,), np.uint8),
        np.zeros((1, 5, 5, 3), np.uint8),
        np.zeros((5, 5, 3), np.float32),
        np.zeros((5, 5), np.int64),
        np.broadcast_to(np.uint8(0), (20_000, 20_000)),
    ],
)
def test_arrays_that_are_no_image_are_refused(array: np.ndarray) -> None:
    with pytest.raises(ImageError):
        read_image(array)


def test_bool_array_is_black_and_white() -> None:
    assert read_image(np.array([[True, False]]))[0].tolist() == [[255] * 3, [0] * 3]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 1), (224, 224)),
        ((100, 300), (224, 672)),
        ((300, 103), (652, 224)),
        ((224, 224), (224, 224)),
        ((500, 400), (500, 400)),
    ],
)
def test_small_images_are_enlarged_in_proportion(
    shape: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert enlarge_to(np.zeros((*shape, 3), np.uint8), 224).shape[:2] == expected


def test_a_sliver_that_would_become_huge_is_refused() -> None:
    with pytest.raises(ImageError, match="shorter pieces"):
        enlarge_to(np.zeros((1, MAX_PIXELS // 224 // 224 + 100, 3), np.uint8), 224)
