"""Which page of a file is the picture, where it holds several."""

import contextlib

from PIL import Image

_LOOKED_AT = 64
"""Pages whose sizes are compared."""

_SUBFILE = 254
"""The tag of TIFF that says what a page is; its lowest bit: a smaller copy of another one."""

_ANIMATIONS = frozenset({"GIF", "PNG", "WEBP", "AVIF", "FLI"})

_THUMBNAIL = 4
"""A first page with less than one part in so many of the largest one's pixels is a thumbnail."""


def to_picture(image: Image.Image) -> tuple[str, ...]:
    """Seek the page that is the picture; returns what is to be said of it.

    That is the first one; but for a TIFF or an MPO that begins with a thumbnail, by its tag or by
    its size: there it is the first of the largest pages.
    """
    if image.format == "PSD":  # it shows all layers together until a layer is sought
        return ()
    image.seek(0)
    count = 1
    with contextlib.suppress(Exception):  # what follows the first page may be damaged
        count = getattr(image, "n_frames", 1)
    if count < 2:
        return ()
    if image.format in _ANIMATIONS:
        return (f"read of an animation: its first picture (of {count})",)
    if image.format not in ("TIFF", "MPO"):
        return (f"read of several pages: the first one (of {count})",)
    page = _page(image, min(count, _LOOKED_AT))
    image.seek(page)
    if page:
        return (f"read behind a thumbnail: page {page + 1} (of {count})",)
    if image.format == "MPO":  # what follows a phone's photograph belongs to it
        return ()
    return (f"read of several pages: the first one (of {count})",) if _others(image, count) else ()


def _page(image: Image.Image, count: int) -> int:
    sizes, small = [], False
    for number in range(count):
        try:
            image.seek(number)
        except Exception:  # as above
            break
        sizes.append(image.width * image.height)
        if not number:
            small = _is_copy(image)
    largest = max(sizes)
    if (small or sizes[0] * _THUMBNAIL < largest) and sizes[0] < largest:
        return sizes.index(largest)
    return 0


def _is_copy(image: Image.Image) -> bool:
    """Whether a page of a TIFF says that it is a smaller copy."""
    kind = (getattr(image, "tag_v2", None) or {}).get(_SUBFILE, 0)
    return isinstance(kind, int) and bool(kind & 1)


def _others(image: Image.Image, count: int) -> bool:
    """Whether there are pages beside the first that are no smaller copies of it."""
    try:
        for number in range(1, min(count, _LOOKED_AT)):
            image.seek(number)
            if not _is_copy(image):
                return True
    except Exception:  # as above
        return True
    finally:
        image.seek(0)
    return count > _LOOKED_AT
