"""Masks as polygons that keep every pixel where the format's reader fills polygons as expected.

A polygon follows the centres of a component's border pixels: OpenCV and Pillow count a polygon's
border as part of it, so that filling gives the component back, down to single pixels and lines of
one pixel. A hole is joined to the border left of it by a seam of width 0 (there and back through
the component's own pixels), since the formats have no word for holes.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lrpseg.formats.parts import Mask, Part, components

Points = NDArray[np.int32]
"""(N, 2) corners x, y in pixels, N at least 3; the last one is joined to the first."""

_MANY_CORNERS = 20_000


def outlines(mask: Mask) -> list[Points]:
    """A polygon for each 8-connected component of a mask (H, W) bool."""
    return [outline(part) for part in components(mask)]


def outline(part: Part) -> Points:
    """The polygon of one connected component; one or two points are repeated to make three."""
    found, tree = cv2.findContours(
        part.crop.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    contours = [np.asarray(contour, np.int32).reshape(-1, 2) for contour in found]
    points = (
        contours[0]
        if len(contours) == 1
        else _joined(part.crop, contours, np.asarray(tree, np.int32)[0, :, 3])
    )
    points = _corners(points)
    if len(points) < 3:
        points = np.concatenate([points, np.repeat(points[-1:], 3 - len(points), axis=0)])
    return points + np.array([part.left, part.top], np.int32)


def fill_opencv(polygons: Sequence[Points], shape: tuple[int, int]) -> Mask:
    """(H, W) bool: the polygons as OpenCV fills them (supervision, Ultralytics, X-AnyLabeling)."""
    canvas = np.zeros(shape, np.uint8)
    for points in polygons:  # one by one: together, overlaps would cancel out
        cv2.fillPoly(canvas, [points], (1,))
    return canvas > 0


def fill_pillow(polygons: Sequence[Points], shape: tuple[int, int]) -> Mask:
    """(H, W) bool: the polygons as Pillow fills them (labelme).

    Pillow's time grows with the square of the corners. OpenCV fills those of `outlines` alike (the
    tests compare the two), and does so here from `_MANY_CORNERS` on.
    """
    if any(len(points) > _MANY_CORNERS for points in polygons):
        return fill_opencv(polygons, shape)
    canvas = Image.new("L", (shape[1], shape[0]))
    draw = ImageDraw.Draw(canvas)
    for points in polygons:
        draw.polygon([(float(x), float(y)) for x, y in points], outline=1, fill=1)
    return np.asarray(canvas) > 0


def _joined(crop: Mask, contours: list[Points], parents: NDArray[np.int32]) -> Points:
    """One closed path along the outer contour and all holes.

    From a hole's leftmost border pixel the seam runs left until the component ends: at the outer
    border, or at a hole that lies further left. So holes form a tree, whose root is the outside.
    """
    regions = cv2.connectedComponents(
        np.pad(~crop, 1, constant_values=True).astype(np.uint8), None, 4
    )[1]
    outside = int(regions[0, 0])
    contour_of = {}
    leftmost = {}
    for index, contour in enumerate(contours):
        if parents[index] < 0:
            contour_of[outside] = index
            continue
        x, y = contour[contour[:, 0].argmin()]
        leftmost[index] = (int(x), int(y))
        contour_of[int(regions[y + 1, x + 2])] = index  # the pixel right of it, in padded places
    keys: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
    hung: dict[int, list[tuple[int, Points]]] = {}
    # From the right to the left, so that a hole has all that hangs on it before it is hung itself.
    for index in sorted(leftmost, key=lambda i: leftmost[i][0], reverse=True):
        x, y = leftmost[index]
        gaps = np.flatnonzero(~crop[y, :x])
        end = int(gaps[-1]) + 1 if gaps.size else 0
        parent = contour_of[int(regions[y + 1, end])]  # the pixel left of the seam's end
        ring = _walk(contours[index], hung.pop(index, []), _find(contours, keys, index, x, y))
        hung.setdefault(parent, []).append((_find(contours, keys, parent, end, y), ring))
    root = contour_of[outside]
    return _walk(contours[root], hung.get(root, []), 0)


def _find(
    contours: list[Points],
    keys: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]],
    index: int,
    x: int,
    y: int,
) -> int:
    """Where the point x, y is in a contour."""
    if index not in keys:
        packed = contours[index][:, 0].astype(np.int64) << 32 | contours[index][:, 1]
        keys[index] = tuple(np.unique(packed, return_index=True))
    values, places = keys[index]
    return int(places[np.searchsorted(values, x << 32 | y)])


def _walk(contour: Points, hung: list[tuple[int, Points]], start: int) -> Points:
    """Around the contour from `start` back to it, with a detour to each ring that hangs on it."""
    pieces = []
    done = 0
    turned = np.roll(contour, -start, axis=0)
    for place, ring in sorted(
        (((place - start) % len(contour), ring) for place, ring in hung), key=lambda pair: pair[0]
    ):
        pieces += [turned[done : place + 1], ring]
        done = place  # the seam comes back to where it left
    pieces += [turned[done:], turned[:1]]
    return np.concatenate(pieces)


def _corners(points: Points) -> Points:
    """Without repeated points and without those in the middle of a straight run."""
    points = (
        points[np.any(points != np.roll(points, 1, axis=0), axis=1)] if len(points) > 1 else points
    )
    if len(points) < 3:
        return points
    # All steps go along one of eight directions, so that their signs tell the direction.
    before = np.sign(points - np.roll(points, 1, axis=0))
    after = np.sign(np.roll(points, -1, axis=0) - points)
    return points[np.any(before != after, axis=1)]
