"""Reads pictures of any kind into one form: (H, W, 3) uint8 RGB, upright, opaque."""

import contextlib
import io
import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

from lrpseg.core.errors import ImageError

ImageSource = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.generic]
"""A path, an encoded file's bytes, a PIL image, or an array (H, W[, 1|3|4]) of uint8 or uint16."""

MAX_PIXELS = 178_000_000
"""Larger pictures are refused before they are decoded (Pillow refuses from 178.9 megapixels on)."""

_EIGHT_BITS = np.round(np.arange(65536, dtype=np.float32) / 257).astype(np.uint8)
"""What a 16-bit value becomes."""

_ROWS = 256


def read_image(source: ImageSource) -> NDArray[np.uint8]:
    """Decode `source` into an upright, opaque RGB array.

    Grey becomes three equal channels. Transparent pixels are laid over white, as viewers show them.
    CMYK goes through the file's own colour profile where it has one. 16-bit values are divided by
    257 (65535 becomes 255), never clipped. The EXIF orientation is applied. Of an animation the
    first frame is taken.

    Args:
        source: path, encoded bytes, PIL image, or array of shape (H, W), (H, W, 1), (H, W, 3) or
            (H, W, 4) with dtype uint8, uint16 or bool.

    Returns:
        (H, W, 3) uint8, values 0 to 255, C-contiguous, not shared with `source`.

    Raises:
        ImageError: not an image, damaged, empty, too large, or an array of another shape or dtype.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        _check_size(source.width, source.height, "The image")
        return _from_pil(source, "The image")
    if isinstance(source, bytes):
        return _from_bytes(source, "The file")
    path = Path(source)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path}: there is no such file.") from None
    except IsADirectoryError:
        raise ImageError(f"{path} is a folder; give the image files in it.") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{path} cannot be read: {error}.") from error
    return _from_bytes(data, str(path))


def read_limited(path: str | os.PathLike[str], limit: int) -> bytes:
    """An uploaded file's bytes; raises `ImageError` where it has more than `limit`, or cannot be
    read."""
    try:
        size = os.path.getsize(path)
        if size > limit:
            raise ImageError(
                f"The file has {size / 1e6:.0f} MB; the limit is {limit / 1e6:.0f} MB."
            )
        return Path(path).read_bytes()
    except OSError as error:
        raise ImageError(f"The upload cannot be read: {error.strerror}. Try again.") from error


def enlarge_to(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Enlarge (H, W, 3) so that neither side is below `side`, keeping its proportions (paper 3.4).

    Returns `image` itself when it is large enough.
    """
    height, width = image.shape[:2]
    scale = side / min(height, width)
    if scale <= 1:
        return image
    size = (max(side, round(width * scale)), max(side, round(height * scale)))
    if size[0] * size[1] > MAX_PIXELS:
        raise ImageError(
            f"The image is {width}x{height} pixels: enlarged to {side} on its short side it would "
            f"have {size[0] * size[1] / 1e6:.0f} megapixels. Cut it into shorter pieces."
        )
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _check_size(width: int, height: int, name: str) -> None:
    if width < 1 or height < 1:
        raise ImageError(f"{name} is empty ({width}x{height} pixels).")
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{name} has {width * height / 1e6:.0f} megapixels ({width}x{height}); the limit is "
            f"{MAX_PIXELS / 1e6:.0f}. Cut it into parts or scale it down."
        )


def _from_bytes(data: bytes, name: str) -> NDArray[np.uint8]:
    if not data:
        raise ImageError(f"{name} is empty (0 bytes).")
    try:
        with Image.open(io.BytesIO(data)) as image:
            _check_size(image.width, image.height, name)
            return _from_pil(image, name)
    except UnidentifiedImageError:
        return _from_opencv(data, name)
    except Image.DecompressionBombError:
        raise ImageError(
            f"{name} has more than {MAX_PIXELS / 1e6:.0f} megapixels. "
            "Cut it into parts or scale it down."
        ) from None
    except ImageError:
        raise
    except Exception as error:  # reading a damaged header may raise anything
        raise ImageError(f"{name} is damaged or incomplete: {error}.") from error


def _from_opencv(data: bytes, name: str) -> NDArray[np.uint8]:
    """What Pillow does not know, such as TIFF with 16 bits in each of three channels."""
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        decoded = None
    if decoded is None:
        raise ImageError(
            f"{name} is not an image that can be read. Use PNG, JPEG, TIFF, WebP or BMP."
        )
    if decoded.ndim == 3 and decoded.shape[2] >= 3:
        order = [2, 1, 0, 3][: decoded.shape[2]]  # OpenCV gives BGR
        decoded = decoded[..., order]
    return _from_array(np.asarray(decoded))


def _from_pil(image: Image.Image, name: str) -> NDArray[np.uint8]:
    shown = image.tell()
    try:
        image.seek(0)
        image.load()
        return np.array(_to_rgb(_upright(image)), dtype=np.uint8)
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(f"{name} does not fit into memory. Cut it into parts.") from None
    except Exception as error:  # Pillow's plug-ins raise whatever a damaged file makes of them
        raise ImageError(f"{name} is damaged or incomplete: {error}.") from error
    finally:
        with contextlib.suppress(Exception):
            image.seek(shown)  # whoever gave an animation finds it as it was


def _upright(image: Image.Image) -> Image.Image:
    """`image` itself where its EXIF does not turn it: a large picture is not copied for nothing."""
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    return ImageOps.exif_transpose(image) if turned else image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_from_array(_deep_grey(np.asarray(image))))
    if image.mode == "CMYK":
        return _cmyk_to_rgb(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def _deep_grey(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Grey of 16 or 32 bits or floats to uint8 or uint16, by the range that its values tell."""
    if values.dtype == np.uint16:
        return values
    if not np.isfinite(values).all():
        raise ImageError("The image holds NaN or infinite values. Export it as 8 or 16 bits.")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 65535:
        raise ImageError(
            f"The image holds values from {low:g} to {high:g}. Export it as 8 or 16 bits."
        )
    # Pillow opens some 16-bit files as 32-bit integers: those keep their 16-bit scale.
    floats = values.dtype.kind == "f"
    scale = 255 if floats and high <= 1 else 1
    whole = np.empty(values.shape, np.uint8 if floats and high <= 255 else np.uint16)
    for first in range(0, len(values), _ROWS):  # in parts: as float64 it has eight times the size
        part = slice(first, first + _ROWS)
        whole[part] = np.round(values[part].astype(np.float64) * scale)
    return whole


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


def _from_array(array: NDArray[np.generic]) -> NDArray[np.uint8]:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ImageError(
            f"An image array has shape (H, W) or (H, W, 1, 3 or 4); this one has {array.shape}."
        )
    _check_size(array.shape[1], array.shape[0], "The image array")
    if array.dtype == np.uint16:
        array = _EIGHT_BITS[array]
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
        return np.repeat(array, 3, axis=2)
    if array.shape[2] == 4:
        return np.array(_to_rgb(Image.fromarray(np.ascontiguousarray(array), "RGBA")))
    return np.array(array, dtype=np.uint8, order="C")
