"""Decodes a picture's file, image or array into 8 bits of red, green and blue."""

import contextlib
import io
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps, TiffImagePlugin, UnidentifiedImageError

from lrpseg.core import MAX_PIXELS, depth
from lrpseg.core.errors import ImageError
from lrpseg.core.opening import open_image
from lrpseg.core.pages import to_picture


@dataclass(frozen=True, eq=False)
class Picture:
    """pixels: (H, W, 3) uint8, upright and opaque. notes: a few words on each thing that was not
    plain about reading it, such as "read as 12 bits (by its values, of which the highest is 3900)";
    what stands before the bracket is the kind."""

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...] = ()


def check_size(width: int, height: int, name: str) -> None:
    if width < 1 or height < 1:
        raise ImageError(f"{name} is empty ({width}x{height} pixels).")
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{name} has {width * height / 1e6:.0f} megapixels ({width}x{height}); the limit is "
            f"{MAX_PIXELS / 1e6:.0f}. Cut it into parts or scale it down."
        )


def _too_large(name: str) -> ImageError:
    """Of a picture whose size is not told."""
    return ImageError(
        f"{name} has more than {MAX_PIXELS / 1e6:.0f} megapixels. "
        "Cut it into parts or scale it down."
    )


def from_bytes(data: bytes, name: str, bits: int | None) -> Picture:
    if not data:
        raise ImageError(f"{name} is empty (0 bytes).")
    try:
        with open_image(data) as image:
            check_size(image.width, image.height, name)
            return from_pil(image, name, bits, data)
    except UnidentifiedImageError:
        return _from_opencv(data, name, bits)
    except Image.DecompressionBombError:
        raise _too_large(name) from None
    except ImageError:
        raise
    except Exception as error:  # reading a damaged header may raise anything
        raise ImageError(f"{name} is damaged or incomplete: {error}.") from error


def _from_opencv(data: bytes, name: str, bits: int | None) -> Picture:
    """What Pillow does not know, such as TIFF with 16 bits in each of three channels."""
    decoded = _decoded(data, name)
    if decoded is None:
        raise ImageError(
            f"{name} is not an image that can be read. Use PNG, JPEG, TIFF, WebP or BMP."
        )
    if decoded.ndim == 3 and decoded.dtype not in (np.uint8, np.uint16):
        # What its values mean, and so where white is, no file of this kind says.
        raise ImageError(
            f"{name} holds colours as {decoded.dtype} (HDR). Save it as PNG, JPEG or TIFF with 8 "
            "or 16 bits a colour."
        )
    said = _tags(data)
    if decoded.ndim == 2:
        values, notes = depth.grey(decoded, bits or said.bits)
        return _white_is_zero(from_array(values), said, notes)
    return from_array(decoded, bits or said.bits)


def _decoded(data: bytes, name: str) -> NDArray[np.generic] | None:
    """What OpenCV makes of a file, as grey, RGB or RGBA of the file's own depth; None: nothing."""
    if _is_cut_png(data):
        return None
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE_PIXELS" in str(error):
            raise _too_large(name) from None
        return None
    if decoded is not None and decoded.ndim == 3 and decoded.shape[2] >= 3:
        return np.asarray(decoded[..., [2, 1, 0, 3][: decoded.shape[2]]])  # OpenCV gives BGR
    return None if decoded is None else np.asarray(decoded)


def _is_cut_png(data: bytes) -> bool:
    """Whether a file is a PNG with a part that says to be longer than the file: OpenCV makes room
    for what parts say, gigabytes for a file of a few kilobytes."""
    at = 8  # behind the signature
    while data.startswith(b"\x89PNG\r\n\x1a\n") and at < len(data):
        at += 12 + int.from_bytes(data[at : at + 4], "big")
        if at > len(data):
            return True
    return False


def _tags(data: bytes) -> depth.Said:
    """What the first page of a TIFF says of its values; nothing of another file."""
    try:
        file = io.BytesIO(data)
        tags = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
        file.seek(tags.next)
        tags.load(file)
    except Exception:  # it is none, or a damaged one
        return depth.Said()
    return depth.said_by_tags(tags)


def from_pil(image: Image.Image, name: str, bits: int | None, data: bytes | None = None) -> Picture:
    shown = image.tell()
    try:
        notes = to_picture(image)
        check_size(image.width, image.height, name)  # of this page
        said = depth.said_by(image, data)
        deep = data is not None and ";16" in str(getattr(image, "tile", ""))
        image.load()
        found = _pixels(_upright(image), said, bits)
        if deep and (dim := _dim_colours(image, data, name, said, bits)) is not None:
            found = dim
        return Picture(found.pixels, notes + found.notes)
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(f"{name} does not fit into memory. Cut it into parts.") from None
    except Exception as error:  # Pillow's plug-ins raise whatever a damaged file makes of them
        raise ImageError(f"{name} is damaged or incomplete: {error}.") from error
    finally:
        with contextlib.suppress(Exception):
            image.seek(shown)  # whoever gave an animation finds it as it was


def _dim_colours(
    image: Image.Image, data: bytes | None, name: str, said: depth.Said, bits: int | None
) -> Picture | None:
    """Colours of 16 bits that use the lower ones alone, of which Pillow keeps the upper 8; None for
    all others, which have 16 without doubt."""
    if data is None or image.mode not in ("RGB", "RGBA", "LA"):
        return None
    bands = image.getextrema()[: -1 if image.mode.endswith("A") else None]
    high = max(int(band[1]) for band in bands)  # type: ignore[index]
    if (high + 1) << 8 > 1 << max(depth.UNSURE, bits or said.bits or 0):
        return None
    values = _decoded(data, name)
    if (
        values is None
        or values.dtype != np.uint16
        or values.shape[:2] != (image.height, image.width)
    ):
        return None
    found = from_array(values, bits or said.bits)
    turned = _upright_array(image, found.pixels)
    return Picture(turned, found.notes)


def _upright_array(image: Image.Image, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pixels that were decoded as they lie in the file, as its EXIF turns them."""
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    if orientation == 1:
        return pixels
    lying = Image.fromarray(pixels)
    lying.getexif()[ExifTags.Base.Orientation] = orientation
    return np.array(ImageOps.exif_transpose(lying), dtype=np.uint8)


def _upright(image: Image.Image) -> Image.Image:
    """`image` itself where its EXIF does not turn it: a large picture is not copied for nothing."""
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    return ImageOps.exif_transpose(image) if turned else image


def _pixels(image: Image.Image, said: depth.Said, bits: int | None) -> Picture:
    """An upright image as an opaque RGB array."""
    if image.mode == "RGB" and not image.has_transparency_data:
        return Picture(np.array(image, dtype=np.uint8))
    if image.mode.startswith("I") or image.mode == "F":
        values, notes = depth.grey(np.asarray(image), bits or said.bits)
        return _white_is_zero(from_array(values), said, notes)
    if image.mode == "CMYK":
        return Picture(np.array(_cmyk_to_rgb(image), dtype=np.uint8), ("read from CMYK",))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        clear = int(rgba.getchannel("A").getextrema()[0]) < 255  # type: ignore[arg-type]
        notes = ("read over white (it is transparent)",) if clear else ()
        laid = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
        return Picture(np.array(laid, dtype=np.uint8), notes)
    told = ("read with white as zero",) if said.white else ()  # Pillow has turned it already
    return Picture(np.array(image.convert("RGB"), dtype=np.uint8), told)


def _white_is_zero(picture: Picture, said: depth.Said, notes: tuple[str, ...]) -> Picture:
    """Deep grey whose file says that zero is white, turned: no decoder does it beyond 8 bits."""
    if not said.white:
        return Picture(picture.pixels, notes)
    return Picture(255 - picture.pixels, (*notes, "read with white as zero"))


def _cmyk_to_rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a profile that cannot be used is as good as none
    return image.convert("RGB")


def from_array(array: NDArray[np.generic], bits: int | None = None) -> Picture:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ImageError(
            f"An image array has shape (H, W) or (H, W, 1, 3 or 4); this one has {array.shape}."
        )
    check_size(array.shape[1], array.shape[0], "The image array")
    notes: tuple[str, ...] = ()
    if array.dtype == np.uint16:
        colours = 3 if array.ndim == 3 and array.shape[2] == 4 else None
        array, notes = depth.eight_bits(np.asarray(array, np.uint16), bits, colours)
    elif array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    elif array.dtype != np.uint8:
        raise ImageError(
            f"An image array is uint8 (0 to 255) or uint16; this one is {array.dtype}. "
            "Scale it to 0..255 and convert it with .astype(numpy.uint8)."
        )
    if array.ndim == 2:
        array = array[..., None]
    if array.shape[2] == 1:
        return Picture(np.asarray(np.repeat(array, 3, axis=2), np.uint8), notes)
    if array.shape[2] == 4:
        rgba = Image.fromarray(np.ascontiguousarray(array), "RGBA")
        laid = _pixels(rgba, depth.Said(), None)
        return Picture(laid.pixels, notes + laid.notes)
    return Picture(np.array(array, dtype=np.uint8, order="C"), notes)
