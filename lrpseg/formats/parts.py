"""A mask as the parts that become annotations: the whole of it, or its connected components."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Part:
    """Some pixels of a mask: `crop` (h, w) bool is their bounding box, at `left` and `top`."""

    left: int
    top: int
    crop: Mask

    @property
    def width(self) -> int:
        return int(self.crop.shape[1])

    @property
    def height(self) -> int:
        return int(self.crop.shape[0])

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.crop))

    def within(self, shape: tuple[int, int]) -> Mask:
        """(H, W) bool: the part alone, at its place in the picture."""
        mask = np.zeros(shape, bool)
        mask[self.top : self.top + self.height, self.left : self.left + self.width] = self.crop
        return mask


def parts(mask: Mask, per_component: bool) -> list[Part]:
    """The parts of a mask (H, W) bool; none where it is empty."""
    return components(mask) if per_component else whole(mask)


def whole(mask: Mask) -> list[Part]:
    """The mask as one part, cut to its bounding box; none where it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return []
    top, left = int(rows[0]), int(columns[0])
    return [Part(left, top, mask[top : rows[-1] + 1, left : columns[-1] + 1])]


def components(mask: Mask) -> list[Part]:
    """The 8-connected components, in the order of their first pixel, row by row."""
    image = mask.astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(image, connectivity=8)
    found = []
    for index in range(1, count):
        left, top, width, height = (int(value) for value in stats[index, :4])
        crop = labels[top : top + height, left : left + width] == index
        found.append(Part(left, top, crop))
    # OpenCV may number components by the threads that it used; files must not depend on that.
    return sorted(found, key=lambda part: (part.top, part.left + int(part.crop[0].argmax())))
