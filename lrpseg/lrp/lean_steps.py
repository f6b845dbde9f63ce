"""The steps of the lean engine that have no weights: pools, sums, what changes the shape.

Each is made from a module, runs forward and keeps what its way back needs, and shares relevance
out among its inputs as Zennit's `Norm` does, by their part in the output. Inputs are not negative.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lrpseg.lrp.graph import Add, Node
from lrpseg.lrp.lean_rules import Back, Linear, above, root_mean_square, stabilize
from lrpseg.lrp.options import Pooling
from lrpseg.lrp.rules import STABILIZER

Inputs = tuple[Tensor, ...]


class Step(Protocol):
    """One node of the graph; read-only."""

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor | None]:
        """Its output, and what `back` needs besides, one row for each sample."""
        ...

    def back(self, inputs: Inputs, z: Tensor, kept: Tensor | None, relevance: Tensor) -> Inputs:
        """The relevance of each input, in new tensors; z: what `forward` gave."""
        ...


@dataclass(frozen=True)
class LayerStep:
    """A convolution or linear layer with its rule; a ReLU may follow."""

    linear: Linear
    bias: Tensor
    relu: bool
    needs_rms: bool
    rule: Back

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor | None]:
        z = self.linear(inputs[0], self.bias)
        rms = root_mean_square(z) if self.needs_rms else None
        # z^B alone needs the pre-activation itself where the ReLU lets through: same value.
        return (z.relu_() if self.relu else z), rms

    def back(self, inputs: Inputs, z: Tensor, kept: Tensor | None, relevance: Tensor) -> Inputs:
        return (self.rule(inputs[0], z, kept, relevance),)


@dataclass(frozen=True)
class AddStep:
    """a + b, after which a ReLU may follow."""

    relu: bool

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor | None]:
        z = inputs[0] + inputs[1]
        return (z.relu_() if self.relu else z), None

    def back(self, inputs: Inputs, z: Tensor, kept: Tensor | None, relevance: Tensor) -> Inputs:
        share = relevance / (
            z + STABILIZER if self.relu else stabilize(z, z.new_tensor(STABILIZER))
        )
        return inputs[0] * share, inputs[1] * share


@dataclass(frozen=True)
class MaxStep:
    """A max-pool: its relevance goes to the maximum, or is shared as by an average pool."""

    pool: nn.MaxPool2d
    average: bool

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor | None]:
        p = self.pool
        options = (p.kernel_size, p.stride, p.padding, p.dilation, p.ceil_mode)
        if self.average:
            return F.max_pool2d(inputs[0], *options), None
        z, indices = F.max_pool2d(inputs[0], *options, return_indices=True)
        return z, indices

    def back(self, inputs: Inputs, z: Tensor, kept: Tensor | None, relevance: Tensor) -> Inputs:
        (a,), p = inputs, self.pool
        kernel, stride, padding = pair(p.kernel_size), pair(p.stride), pair(p.padding)
        apart = kernel == stride and padding == (0, 0)  # each value is in one window at most
        if not self.average:
            assert kept is not None
            if apart:
                return (F.max_unpool2d(relevance, kept, kernel, output_size=a.shape[2:]),)
            # One value may be the maximum of several windows.
            found = relevance.new_zeros(a.shape).flatten(2)
            return (found.scatter_add_(2, kept.flatten(2), relevance.flatten(2)).view(a.shape),)
        fits = all(side % k == 0 for side, k in zip(a.shape[2:], kernel, strict=True))
        if apart and fits and kernel[0] == kernel[1]:
            share = relevance / (kernel[0] ** 2 * above(F.avg_pool2d(a, kernel)))
            return (F.interpolate(share, scale_factor=kernel[0], mode="nearest").mul_(a),)
        options = (kernel, stride, padding, p.ceil_mode, True)
        share = relevance / above(F.avg_pool2d(a, *options))
        return (torch.ops.aten.avg_pool2d_backward(share, a, *options, None).mul_(a),)


@dataclass(frozen=True)
class AverageStep:
    """An average pool."""

    pool: nn.AvgPool2d

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor | None]:
        return self.pool(inputs[0]), None

    def back(self, inputs: Inputs, z: Tensor, kept: Tensor | None, relevance: Tensor) -> Inputs:
        (a,), p = inputs, self.pool
        share = relevance / (z + STABILIZER)
        options = (pair(p.kernel_size), pair(p.stride), pair(p.padding), p.ceil_mode)
        found = torch.ops.aten.avg_pool2d_backward(
            share, a, *options, p.count_include_pad, p.divisor_override
        )
        return (found.mul_(a),)


@dataclass(frozen=True)
class AdaptiveStep:
    """An average pool to a given size; of size 1: a global one."""

    pool: nn.AdaptiveAvgPool2d

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor | None]:
        return self.pool(inputs[0]), None

    def back(self, inputs: Inputs, z: Tensor, kept: Tensor | None, relevance: Tensor) -> Inputs:
        share = relevance / (z + STABILIZER)
        return (torch.ops.aten._adaptive_avg_pool2d_backward(share, inputs[0]).mul_(inputs[0]),)


@dataclass(frozen=True)
class FlattenStep:
    """Another shape; what follows expects the layout (C, H, W)."""

    flatten: nn.Flatten

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor | None]:
        return self.flatten(inputs[0].contiguous()), None

    def back(self, inputs: Inputs, z: Tensor, kept: Tensor | None, relevance: Tensor) -> Inputs:
        return (relevance.view(inputs[0].shape),)


@dataclass(frozen=True)
class ReluStep:
    """A ReLU behind something else than a layer: what it cuts has no relevance anyway."""

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor | None]:
        return inputs[0].relu(), None

    def back(self, inputs: Inputs, z: Tensor, kept: Tensor | None, relevance: Tensor) -> Inputs:
        return (relevance,)


def pair(sides: int | tuple[int, ...]) -> tuple[int, ...]:
    """(rows, columns) of what PyTorch takes as one number or two."""
    return (sides, sides) if isinstance(sides, int) else tuple(sides)


STEPS: dict[type[nn.Module], Callable[[Any, Node, Pooling], Step]] = {
    nn.MaxPool2d: lambda module, node, pooling: MaxStep(module, pooling.average),
    nn.AvgPool2d: lambda module, node, pooling: AverageStep(module),
    nn.AdaptiveAvgPool2d: lambda module, node, pooling: AdaptiveStep(module),
    nn.Flatten: lambda module, node, pooling: FlattenStep(module),
    nn.ReLU: lambda module, node, pooling: ReluStep(),
    Add: lambda module, node, pooling: AddStep(node.relu),
}
"""Makes the step of a module without weights."""
