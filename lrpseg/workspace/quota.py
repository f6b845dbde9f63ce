"""What a visitor of a hosted page may take of the machine that all share."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from lrpseg.core.errors import ImageError
from lrpseg.core.files import folder_bytes
from lrpseg.core.opening import open_image
from lrpseg.workspace.errors import UnavailableError

MAP_BYTES = 4
"""Of each pixel of an analysis that is kept: float32."""


@dataclass(frozen=True)
class Quota:
    """Limits of each visitor, and of all together.

    pixels: of a picture: the networks look at each of them, and all wait for that. size: bytes of a
    workspace on the disk, with the heatmaps that are still to be made. visitors: workspaces at
    once. total: bytes of all workspaces. free: bytes of the disk that stay free. idle: seconds
    since its last use, after which a workspace with pictures may go to make room for others; an
    empty one may at once.
    """

    pixels: int = 25_000_000
    size: int = 2_000_000_000
    visitors: int = 500
    total: int = 50_000_000_000
    free: int = 500_000_000
    idle: float = 3600

    def check_picture(self, data: bytes) -> None:
        """Raise `ImageError` for a file with too many pixels, by its header: a small file may hold
        a large picture, and is not decoded to find out."""
        size = pixel_size(data)
        if size is not None:
            self.check_pixels(*size)

    def check_pixels(self, height: int, width: int) -> None:
        """Raise `ImageError` for a picture of too many pixels."""
        if height * width > self.pixels:
            raise ImageError(
                f"The picture has {height * width / 1e6:.0f} megapixels ({width}x{height}); on "
                f"this page, which many share, it may have {self.pixels / 1e6:.0f}. Cut it into "
                "parts, or run lrpseg on your own computer."
            )

    def check_bytes(self, folder: Path, more: int) -> None:
        """Raise `UnavailableError` where the workspace in `folder` has no room for `more` bytes."""
        size = folder_bytes(folder)
        if size + more > self.size:
            raise UnavailableError(
                f"This workspace holds {size / 1e9:.1f} GB, and a visitor gets "
                f"{self.size / 1e9:.1f} GB: there is no room for this. Export what is done, then "
                "delete some pictures."
            )


def check_size(mask: bytes, shape: tuple[int, int]) -> None:
    """Raise `ImageError` where a mask's header says that it is not of `shape` (height, width), nor
    that on its side: what cannot fit is not decoded."""
    size = pixel_size(mask)
    if size is not None and sorted(size) != sorted(shape):
        raise ImageError(
            f"The mask has {size[1]}x{size[0]} pixels and the picture {shape[1]}x{shape[0]}. "
            "Export it at the picture's size."
        )


def pixel_size(data: bytes) -> tuple[int, int] | None:
    """(height, width) of an image file as its header says; None where that cannot be told."""
    try:
        with open_image(data) as image:
            return image.height, image.width
    except Image.DecompressionBombError as error:
        raise ImageError("The picture has too many pixels. Cut it into parts.") from error
    except Exception:  # reading a damaged header may raise anything
        return None
