"""Run lengths of masks: COCO's (column by column, packed into text) and plain ones.

COCO's packing is defined by `rleToString` and `rleFrString` in
https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c. It is written out here, and
tested against pycocotools, so that nobody needs a compiled library for it, and because that library
trusts what it is given: sizes in a foreign file would be allocated before they are checked.
"""

import numpy as np
from numpy.typing import NDArray

from lrpseg.formats.errors import FormatError

Mask = NDArray[np.bool_]


def runs(flat: Mask) -> NDArray[np.int64]:
    """Lengths of the runs of a flat mask, the first one of background (0 where there is none).

    >>> runs(np.array([False, True, True, False])), runs(np.array([True, False]))
    (array([1, 2, 1]), array([0, 1, 1]))
    """
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    bounds = np.concatenate(([0], edges, [flat.size]))
    lengths = np.diff(bounds)
    return np.concatenate(([0], lengths)) if flat.size and flat[0] else lengths


def from_runs(lengths: NDArray[np.int64], size: int) -> Mask:
    """The flat mask of `size` pixels; raises `FormatError` where the lengths do not add up."""
    # Summed as floats too: foreign numbers could wrap around to the right sum.
    total = float(lengths.astype(np.float64).sum()) if lengths.size else 0.0
    if lengths.size and int(lengths.min()) < 0:
        raise FormatError("A run length is negative: the file is damaged. Export it again.")
    if total != size:
        raise FormatError(
            f"The run lengths add up to {total:.0f} pixels and the mask has {size}: the file is "
            "damaged or its size is wrong. Export it again."
        )
    return np.repeat(np.arange(lengths.size) % 2 == 1, lengths)


def coco_counts(mask: Mask) -> str:
    """COCO's packed `counts` of a mask (H, W), as ASCII text.

    >>> coco_counts(np.array([[False, True], [True, False]]))
    '121'
    """
    lengths = runs(mask.ravel(order="F"))
    values = lengths.copy()
    values[3:] -= lengths[1:-2]  # COCO stores from the fourth on the difference to the last but one
    columns = []
    open_ = np.ones(values.size, bool)
    while open_.any():
        low = values & 31
        values = values >> 5  # arithmetic: the sign stays
        more = np.where(low & 16, values != -1, values != 0)
        columns.append(np.where(open_, (low | np.where(more, 32, 0)) + 48, 0))
        open_ &= more
    letters = np.stack(columns, axis=1).astype(np.uint8).ravel()
    return letters[letters > 0].tobytes().decode("ascii")


def from_coco_counts(counts: str, height: int, width: int) -> Mask:
    """The mask (H, W) of packed `counts`; raises `FormatError` for what is no such text.

    >>> from_coco_counts("121", 2, 2).astype(int)
    array([[0, 1],
           [1, 0]])
    """
    try:
        letters = np.frombuffer(counts.encode("ascii"), np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError:
        letters = np.array([-1])
    bad = letters.size and (letters.min() < 0 or letters.max() > 63 or letters[-1] & 32)
    if bad:
        raise FormatError("The packed run lengths of a mask are damaged. Export the file again.")
    ends = np.flatnonzero((letters & 32) == 0)
    starts = np.concatenate(([0], ends[:-1] + 1)) if ends.size else ends
    sizes = ends - starts + 1
    if sizes.size and sizes.max() > 10:  # 50 bits, far beyond any picture
        raise FormatError("A run length of a mask is impossibly long. Export the file again.")
    position = np.arange(letters.size) - np.repeat(starts, sizes)
    values = np.zeros(ends.size, np.int64)
    if ends.size:
        values = np.add.reduceat((letters & 31) << (5 * position), starts)
        negative = (letters[ends] & 16) != 0
        values = np.where(negative, values - (np.int64(1) << (5 * sizes)), values)
    # Undo the differences: two interleaved running sums, that of the first run stands alone.
    lengths = values.copy()
    lengths[1::2] = np.cumsum(values[1::2])
    lengths[2::2] = np.cumsum(values[2::2])
    return from_runs(lengths, height * width).reshape((height, width), order="F")
