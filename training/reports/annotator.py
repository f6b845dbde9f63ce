"""A simulated annotator who corrects a mask with a round brush; pure functions on arrays.

- A stroke adds or erases with a round brush: the pixels whose distance from the brush's centre is
  at most its radius, 0, 1, 2, 4, 8 or 16 pixels. It is one dab, or a drag along a straight line of
  any length in one of 8 directions: dabs 1 to 2.2 pixels apart. Centres lie inside the picture.
- The annotator knows the truth and takes the stroke that reduces the number of wrong pixels most,
  among the best dab and the best drag of each brush (adding or erasing, of each radius), without
  those that would lower the IoU. Of equal ones: adding before erasing, then the smaller brush, then
  a dab, then the direction that is listed first, then the start that is further up, then left.
  A drag has no dab at its ends that gains nothing.
- It ends when the IoU reaches the goal, or after 200 strokes, which then count.
- Painted pixels are those under the strokes, once for each stroke, also where nothing changes.
- Every mask is corrected by the same rules, the blank one too. The page has more: thresholds,
  polygons, filling and curved strokes. What those save is not in the figures.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Offsets = tuple[tuple[int, int], ...]

RULES = (__doc__ or "").partition("\n\n")[2]
"""The rules in words, as reports show them."""

RADII = (0, 1, 2, 4, 8, 16)
"""Of the brush, in pixels: 1, 3, 5, 9, 17 and 33 pixels wide, as the page's brush can be."""

STEPS = ((0, 1), (1, 2), (1, 1), (2, 1), (1, 0), (2, -1), (1, -1), (1, -2))
"""From one dab of a drag to the next, (down, right): 8 directions, about 22.5 degrees apart."""

LIMIT = 200
"""Strokes after which the annotator gives up."""


@dataclass(frozen=True)
class Stroke:
    """`dabs` dabs of a brush from `start` (row, column) on, each `step` after the one before."""

    erase: bool
    radius: int
    start: tuple[int, int]
    step: tuple[int, int] = STEPS[0]
    dabs: int = 1

    def pixels(self, shape: tuple[int, int]) -> Mask:
        """(H, W) bool: what the brush covers."""
        canvas = np.zeros(shape, bool)
        disk = np.array(_disk(self.radius))
        for i in range(self.dabs):
            rows, columns = (disk + self.start + np.array(self.step) * i).T
            inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
            canvas[rows[inside], columns[inside]] = True
        return canvas

    def on(self, mask: Mask) -> Mask:
        """The mask after the stroke."""
        return mask & ~self.pixels(mask.shape) if self.erase else mask | self.pixels(mask.shape)


@dataclass(frozen=True)
class Correction:
    """What was done to a mask: IoU before the first stroke and after each, pixels painted so far
    (0 first), and the strokes."""

    ious: tuple[float, ...]
    painted: tuple[int, ...]
    strokes: tuple[Stroke, ...]

    def reached(self, goal: float) -> bool:
        """Whether the IoU reached `goal`."""
        return self.ious[-1] >= goal

    def effort(self, goal: float) -> tuple[int, int]:
        """(strokes, pixels painted) until the IoU was `goal`; all of them where it never was."""
        done = next((i for i, iou in enumerate(self.ious) if iou >= goal), len(self.strokes))
        return done, self.painted[done]


def correct(mask: Mask, truth: Mask, goal: float, limit: int = LIMIT) -> Correction:
    """Correct `mask` towards `truth`, both (H, W), until their IoU is `goal`; see `RULES`.

    Raises:
        ValueError: the shapes differ.
    """
    if mask.shape != truth.shape:
        raise ValueError(f"the mask has shape {mask.shape} and the truth {truth.shape}")
    mask = mask.copy()
    gains = Gains(mask, truth)
    ious, painted, strokes = [iou(mask, truth)], [0], list[Stroke]()
    while ious[-1] < goal and len(strokes) < limit:
        stroke = gains.best()
        covered = stroke.pixels(mask.shape)
        mask[covered] = not stroke.erase
        gains.update(covered)
        strokes.append(stroke)
        ious.append(iou(mask, truth))
        painted.append(painted[-1] + int(np.count_nonzero(covered)))
    return Correction(tuple(ious), tuple(painted), tuple(strokes))


def iou(mask: Mask, truth: Mask) -> float:
    """tp / (tp + fp + fn); 1 where both masks are empty."""
    union = np.count_nonzero(mask | truth)
    return int(np.count_nonzero(mask & truth)) / int(union) if union else 1.0


class Gains:
    """How many wrong pixels each stroke would set right, less those that it would set wrong.

    A drag's gain is that of its first dab, plus for each further dab that of the crescent which it
    adds: a pixel of two dabs of a disk is in all those between, as disks are convex. The best end
    of a drag is the largest sum of crescents ahead (Kadane), for all starts at once.
    """

    def __init__(self, mask: Mask, truth: Mask) -> None:
        """`mask` is kept: after a change to it, call `update`."""
        self._mask, self._truth = mask, truth
        height, width = mask.shape
        # The largest sum: a drag from corner to corner. Half the bytes are half the time.
        largest = (2 * max(RADII) + 1) * (height + width) * 2
        kind = np.int16 if largest < np.iinfo(np.int16).max else np.int32
        self._values = np.zeros((2, height + 2 * _EDGE, width + 2 * _EDGE), kind)
        # Indexed by mode (add, erase), radius, [step,] row and column of a dab's centre.
        self._dabs = np.zeros((2, len(RADII), height, width), kind)
        self._crescents = np.zeros((2, len(RADII), len(STEPS), height, width), kind)
        self.update(np.ones(mask.shape, bool))

    def update(self, changed: Mask) -> None:
        """Count anew where pixels have changed."""
        height, width = changed.shape
        top, bottom, left, right = _bounds(changed)
        window = np.s_[top:bottom, left:right]
        mask, truth = self._mask[window], self._truth[window]
        inside = self._values[:, _EDGE:-_EDGE, _EDGE:-_EDGE]
        inside[0][window] = np.where(mask, 0, np.where(truth, 1, -1))
        inside[1][window] = np.where(mask, np.where(truth, -1, 1), 0)
        for i, radius in enumerate(RADII):
            y, x = max(0, top - radius), max(0, left - radius)
            size = (min(height, bottom + radius) - y, min(width, right + radius) - x)
            self._sum(self._dabs[:, i], _disk(radius), y, x, size)
            for j, step in enumerate(STEPS):
                self._sum(self._crescents[:, i, j], _crescent(radius, step), y, x, size)

    def _sum(self, out: NDArray, offsets: Offsets, y: int, x: int, size: tuple[int, int]) -> None:
        """Sum of the values at `offsets` from each centre in a window, written into `out`."""
        total = np.zeros((2, *size), out.dtype)
        for down, right in offsets:
            first, second = y + _EDGE + down, x + _EDGE + right
            total += self._values[:, first : first + size[0], second : second + size[1]]
        out[:, y : y + size[0], x : x + size[1]] = total

    def best(self) -> Stroke:
        """The stroke to take; raises `ValueError` where no pixel is wrong."""
        wrong = self._mask != self._truth
        if not wrong.any():
            raise ValueError("nothing is wrong: there is no stroke to take")
        # A dab that sees no wrong pixel gains nothing: centres near wrong ones are enough.
        top, bottom, left, right = _bounds(wrong)
        reach = max(RADII)
        top, left = max(0, top - reach), max(0, left - reach)
        window = np.s_[..., top : bottom + reach, left : right + reach]
        dabs = self._dabs[window]
        ahead = [
            _ahead(self._crescents[:, :, j][window], step) for j, step in enumerate(STEPS)
        ]  # fmt: skip
        found: list[tuple[int, Stroke]] = []
        for mode, (i, radius) in product((0, 1), enumerate(RADII)):
            one, at = _highest(dabs[mode, i])
            found.append((one, Stroke(bool(mode), radius, (at[0] + top, at[1] + left))))
            sums = [dabs[mode, i] + a[mode, i] for a in ahead]
            j = int(np.argmax([total.max() for total in sums]))
            at, count = _shortest(sums[j], ahead[j][mode, i], STEPS[j])
            start = (at[0] + top, at[1] + left)
            found.append((int(sums[j].max()), Stroke(bool(mode), radius, start, STEPS[j], count)))
        before = iou(self._mask, self._truth)
        for gain, stroke in sorted(found, key=lambda pair: -pair[0]):  # stable: ties by order
            if gain > 0 and iou(stroke.on(self._mask), self._truth) > before:
                return stroke
        raise AssertionError("a dab of one pixel always helps")


@lru_cache
def _disk(radius: int) -> Offsets:
    reach = range(-radius, radius + 1)
    return tuple((y, x) for y, x in product(reach, reach) if y * y + x * x <= radius * radius)


@lru_cache
def _crescent(radius: int, step: tuple[int, int]) -> Offsets:
    """Offsets in a dab that are not in the dab one step before it."""
    before = {(y - step[0], x - step[1]) for y, x in _disk(radius)}
    return tuple(offset for offset in _disk(radius) if offset not in before)


_EDGE = max(RADII)
"""Pixels around the picture, where nothing is gained or lost."""


def _bounds(mask: Mask) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of the pixels that are set, ends exclusive."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _ahead(crescents: NDArray, step: tuple[int, int]) -> NDArray:
    """(..., H, W): the largest sum of the crescents one, two, ... steps after each centre, or 0."""
    down, right = step
    if not down:  # along the rows: the same with rows and columns exchanged
        return _ahead(crescents.swapaxes(-1, -2), (right, down)).swapaxes(-1, -2)
    best = np.zeros(crescents.shape, crescents.dtype)
    height, width = crescents.shape[-2:]
    here = np.s_[..., max(0, -right) : width - max(0, right)]
    there = np.s_[..., max(0, right) : width - max(0, -right)]
    for y in range(height - down - 1, -1, -1):
        following = crescents[..., y + down, :][there] + best[..., y + down, :][there]
        np.maximum(following, 0, out=best[..., y, :][here])
    return best


def _highest(gain: NDArray) -> tuple[int, tuple[int, int]]:
    index = int(np.argmax(gain))
    return int(gain.ravel()[index]), divmod(index, gain.shape[1])


def _shortest(gain: NDArray, ahead: NDArray, step: tuple[int, int]) -> tuple[tuple[int, int], int]:
    """(start, dabs) of the best drag: without dabs at either end that gain nothing.

    Args: gain (H, W) of the best drag from each start, ahead (H, W) its part after the first dab.
    """
    best, (y, x) = _highest(gain)
    while ahead[y, x] > 0 and gain[y + step[0], x + step[1]] == best:
        y, x = y + step[0], x + step[1]
    start, count = (y, x), 1
    while ahead[y, x] > 0:
        count, y, x = count + 1, y + step[0], x + step[1]
    return start, count
