"""How weights are stored: as fp16, or in 8 bits. Whoever reads them gets plain tensors.

In 8 bits a matrix or kernel is whole numbers of -127 to 127 (int8), and beside it, under its name
and ".scale", a number for each output channel (float32) with which they are multiplied: symmetric
quantisation after training (Jacob et al. 2018, DOI 10.1109/CVPR.2018.00286). A channel's scale is
the one of least squared error among several: the highest value's, and such that cut the highest
values off, each fitted to its whole numbers.
"""

from collections.abc import Callable, Collection, Mapping

import torch
from torch import Tensor

from lrpseg.core.errors import CheckpointError
from lrpseg.core.registry import Registry

LEVELS = 127
"""Whole numbers to each side of 0."""
SCALE = ".scale"
SMALL = 8192
"""Matrices of fewer values stay fp16: they are a hundredth of a file, and first layers suffer."""
CUT = [1 - i / 25 for i in range(18)]
"""Shares of a channel's highest value that are tried as the highest that can be stored."""

Tensors = Mapping[str, Tensor]


def in_fp16(tensors: Tensors) -> dict[str, Tensor]:
    """Matrices and kernels as fp16; vectors keep their type: the variances of batch norm would
    overflow."""
    return {
        k: v.detach().to("cpu", torch.float16 if v.ndim >= 2 else v.dtype).contiguous()
        for k, v in tensors.items()
    }


def in_8_bits(tensors: Tensors, fp16: Collection[str] = ()) -> dict[str, Tensor]:
    """As `in_fp16`, but matrices and kernels (C, ...) of `SMALL` values or more, other than those
    named in `fp16` and those of one channel (C = 1), as int8 (C, ...) beside their scales (C,)
    float32; `plain` is the way back.

    Raises:
        CheckpointError: one of them holds NaN or infinite values.
    """
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        large = tensor.ndim >= 2 and tensor.shape[0] > 1 and tensor.numel() >= SMALL
        if not large or name in fp16:
            stored |= in_fp16({name: tensor})
            continue
        if not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"{name} holds NaN or infinite values, which 8 bits cannot. Train it again."
            )
        stored[name], stored[name + SCALE] = quantised(tensor)
    return stored


def plain(stored: Tensors) -> dict[str, Tensor]:
    """What a file holds, as the tensors that it stands for: those in 8 bits as float32, all others
    as they are.

    Raises:
        ValueError: scales are missing, of another shape, or no positive numbers; says whose.
    """
    whole = {name: tensor for name, tensor in stored.items() if tensor.dtype == torch.int8}
    tensors = {}
    for name, tensor in stored.items():
        if name in whole:
            tensors[name] = tensor.float() * _scales(name, stored)
        elif name.removesuffix(SCALE) not in whole:
            tensors[name] = tensor
    return tensors


def _scales(name: str, stored: Tensors) -> Tensor:
    """(C, 1, ...) float32, for the tensor of whole numbers called `name`."""
    whole, scales = stored[name], stored.get(name + SCALE)
    if scales is None:
        raise ValueError(f"{name} is in 8 bits and lacks its scales, {name + SCALE}")
    if whole.ndim < 2 or scales.shape != whole.shape[:1]:
        raise ValueError(
            f"{name + SCALE} has the shape {tuple(scales.shape)}, which does not fit "
            f"{tuple(whole.shape)}"
        )
    if not (torch.isfinite(scales) & (scales > 0)).all():
        raise ValueError(f"{name + SCALE} holds what is no positive number")
    return scales.float().reshape(-1, *[1] * (whole.ndim - 1))


def quantised(values: Tensor) -> tuple[Tensor, Tensor]:
    """Finite float (C, ...) to whole numbers int8 (C, ...), and the scale of each row, (C,) float32
    above 0."""
    rows = values.detach().to("cpu", torch.float64).flatten(1)
    highest = rows.abs().amax(dim=1) / LEVELS
    scales, whole = _as_scale(highest), torch.zeros_like(rows)
    least = torch.full_like(scales, torch.inf)
    tries = [highest * share for share in CUT]
    for i, tried in enumerate([highest, *tries]):
        here = _as_scale(tried)
        found = _whole(rows, here)
        if i > 0:  # the scale that fits these whole numbers best, and those that fit it
            squares = (found * found).sum(dim=1).clamp_(min=1)
            here = _as_scale((rows * found).sum(dim=1) / squares)
            found = _whole(rows, here)
        error = (rows - found * here[:, None]).square_().sum(dim=1)
        better = error < least
        least, scales = torch.where(better, error, least), torch.where(better, here, scales)
        whole[better] = found[better]
    return whole.to(torch.int8).reshape(values.shape).contiguous(), scales.float()


def _as_scale(values: Tensor) -> Tensor:
    """As a file holds them: float32, above 0 also for channels that are 0, and not so high that
    what they scale overflows."""
    bounds = torch.finfo(torch.float32)
    return values.clamp(bounds.tiny, bounds.max / (LEVELS + 1)).float().double()


def _whole(rows: Tensor, scales: Tensor) -> Tensor:
    return (rows / scales[:, None]).round_().clamp_(-LEVELS, LEVELS)


FP16, EIGHT_BITS = "fp16", "8-bit"
PRECISIONS: Registry[Callable[[Tensors], dict[str, Tensor]]] = Registry("precision")
PRECISIONS.add(FP16, in_fp16)
PRECISIONS.add(EIGHT_BITS, in_8_bits)
