"""The rules of the lean engine: one backward step for a layer, from weights prepared once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_input

from lrpseg.lrp import rules
from lrpseg.models.inputs import Normalisation


def stabilize(z: Tensor, epsilon: float | Tensor) -> Tensor:
    """z moved away from zero by `epsilon`, with its sign (+ at 0), as in Zennit's `Stabilizer`."""
    return z + torch.where(z < 0, -epsilon, epsilon)


def above(z: Tensor) -> Tensor:
    """`stabilize` in place, for a new tensor z that is positive wherever relevance is not zero.

    Elsewhere z may be anything: clamping keeps 0 / z at 0 there, and away from 0 / 0.
    """
    return z.clamp_(min=0).add_(rules.STABILIZER)


def root_mean_square(z: Tensor) -> Tensor:
    """Root mean square of each sample, shape (B, 1, ...)."""
    return z.square().mean(dim=tuple(range(1, z.ndim)), keepdim=True).sqrt()


@dataclass(frozen=True)
class Linear:
    """A convolution or matrix product, and its transpose; weights are prepared.

    transposed: weights with which the transpose is a plain convolution or product; None: it is
    none. stride, padding, dilation: of a convolution, (rows, columns). back: the transpose's
    padding.
    """

    weight: Tensor
    transposed: Tensor | None
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    back: tuple[int, ...] = ()

    @classmethod
    def of(cls, module: nn.Conv2d | nn.Linear, weight: Tensor, transposes: bool = True) -> "Linear":
        """As `module`, but with `weight`, which may have other numbers of channels; transposes:
        whether its transpose is needed, for which the weights are kept twice."""
        if isinstance(module, nn.Linear):
            return cls(weight, weight.t().contiguous() if transposes else None)
        assert not isinstance(module.padding, str)
        sides = zip(module.kernel_size, module.padding, module.dilation, strict=True)
        back = tuple(dilation * (kernel - 1) - padding for kernel, padding, dilation in sides)
        transposed = None
        if transposes and set(module.stride) == {1} and min(back) >= 0:
            # The transpose of a convolution of stride 1 is one with flipped kernels.
            transposed = _channels_last(weight.transpose(0, 1).flip(2, 3))
        return cls(
            _channels_last(weight), transposed, module.stride, module.padding, module.dilation, back
        )

    def __call__(self, a: Tensor, bias: Tensor | None = None) -> Tensor:
        if not self.stride:
            return F.linear(a, self.weight, bias)
        return F.conv2d(a, self.weight, bias, self.stride, self.padding, self.dilation)

    def transpose(self, s: Tensor, size: Sequence[int]) -> Tensor:
        """From what has the shape of its output to what has that of its input, whose last two
        sides are `size`."""
        if self.transposed is None:
            shape = (s.shape[0], self.weight.shape[1], *size)
            return conv2d_input(
                shape, self.weight, s, self.stride, self.padding, self.dilation
            )  # fmt: skip
        if not self.stride:
            return F.linear(s, self.transposed)
        return F.conv2d(s, self.transposed, padding=self.back, dilation=self.dilation)


def _channels_last(weight: Tensor) -> Tensor:
    """Itself where it is: what a layer and its rule have in common is kept once."""
    return weight.contiguous(memory_format=torch.channels_last)


Back = Callable[[Tensor, Tensor, Tensor | None, Tensor], Tensor]
"""`back(a, z, rms, relevance)` gives the relevance of a layer's input.

a: its input; z: its output, after the ReLU if it has one; rms: of its pre-activations, or None
where its rule is not epsilon.
"""


@dataclass(frozen=True)
class Layer:
    """What a rule is made for: a layer's geometry, weights and bias, and whether a ReLU follows.

    Without one the output may be negative, and what a ReLU would hide counts. A rule's step keeps
    prepared weights alone, never the layer.
    """

    module: nn.Conv2d | nn.Linear
    weight: Tensor
    bias: Tensor
    relu: bool

    def linear(self, weight: Tensor, transposes: bool = True) -> Linear:
        """The same with another weight, see `Linear.of`."""
        return Linear.of(self.module, weight, transposes)


def _epsilon(rule: rules.Epsilon, layer: Layer) -> Back:
    linear, relu = layer.linear(layer.weight), layer.relu

    def back(a: Tensor, z: Tensor, rms: Tensor | None, relevance: Tensor) -> Tensor:
        assert rms is not None
        # A sample without any activation has an RMS of 0: there Zennit's 0 / 0 becomes 0.
        epsilon = (rule.std * rms).clamp(min=torch.finfo(z.dtype).tiny)
        denominator = z + epsilon if relu else stabilize(z, epsilon)
        return linear.transpose(relevance / denominator, a.shape[2:]).mul_(a)

    return back


def _zero(rule: rules.Zero, layer: Layer) -> Back:
    linear, relu = layer.linear(layer.weight), layer.relu

    def back(a: Tensor, z: Tensor, rms: Tensor | None, relevance: Tensor) -> Tensor:
        epsilon = z.new_tensor(rule.epsilon)
        denominator = z + epsilon if relu else stabilize(z, epsilon)
        return linear.transpose(relevance / denominator, a.shape[2:]).mul_(a)

    return back


def _gamma(rule: rules.Gamma, layer: Layer) -> Back:
    def modified(low: float | None, high: float | None) -> tuple[Linear, Tensor]:
        def change(parameter: Tensor) -> Tensor:
            return parameter + rule.gamma * parameter.clamp(min=low, max=high)

        return layer.linear(change(layer.weight)), change(layer.bias)

    positive, positive_bias = modified(0.0, None)
    if layer.relu:

        def back(a: Tensor, z: Tensor, rms: Tensor | None, relevance: Tensor) -> Tensor:
            denominator = above(positive(a, positive_bias))
            s = torch.div(relevance, denominator, out=denominator)
            return positive.transpose(s, a.shape[2:]).mul_(a)

        return back

    negative, negative_bias = modified(None, 0.0)

    def signed(a: Tensor, z: Tensor, rms: Tensor | None, relevance: Tensor) -> Tensor:
        # Where the output is negative, negative weights are favoured, as in Zennit.
        denominator = above(positive(a, positive_bias))
        found = positive.transpose(relevance * (z > 0) / denominator, a.shape[2:])
        denominator = -above(-negative(a, negative_bias))
        found += negative.transpose(relevance * (z < 0) / denominator, a.shape[2:])
        return found.mul_(a)

    return signed


def _alpha_beta(rule: rules.AlphaBeta, layer: Layer) -> Back:
    w_positive, w_negative = layer.weight.clamp(min=0), layer.weight.clamp(max=0)
    positive = layer.linear(w_positive)
    # One pass for both signs: their outputs stand side by side as channels.
    both = layer.linear(torch.cat([rule.alpha * w_positive, -rule.beta * w_negative]))
    b_positive, b_negative = layer.bias.clamp(min=0), layer.bias.clamp(max=0)
    negative = None if layer.relu else layer.linear(w_negative)
    channels = layer.weight.shape[0]

    def back(a: Tensor, z: Tensor, rms: Tensor | None, relevance: Tensor) -> Tensor:
        s = torch.empty(
            (relevance.shape[0], 2 * channels, *relevance.shape[2:]),
            dtype=relevance.dtype,
            device=relevance.device,
            memory_format=torch.channels_last if relevance.ndim == 4 else torch.contiguous_format,
        )
        z_positive = positive(a, b_positive)
        # Where a ReLU cut z, the relevance is zero and what stands in z_negative does not matter.
        z_negative = z_positive - z if negative is None else -negative(a, b_negative)
        torch.div(relevance, above(z_positive), out=s[:, :channels])
        torch.div(relevance, above(z_negative).neg_(), out=s[:, channels:])
        return both.transpose(s, a.shape[2:]).mul_(a)

    return back


LEAN: dict[type, Callable[[Any, Layer], Back]] = {
    rules.Epsilon: _epsilon,
    rules.Zero: _zero,
    rules.Gamma: _gamma,
    rules.AlphaBeta: _alpha_beta,
}
"""Makes the backward step of a layer whose input is not negative."""


class ZBoxStep:
    """z^B on the first convolution, summed over the colour channels at once.

    With s = R / (z - W+ l - W- h), a pixel's relevance summed over its channels c is
    sum_c x_c (W^T s)_c - (W+^T s)_c l_c - (W-^T s)_c h_c. The last two terms need no channel of
    their own: sum_c l_c W+_c + h_c W-_c is one kernel, so four output channels do for nine.
    """

    def __init__(self, layer: Layer, normalisation: Normalisation, side: int) -> None:
        """`side`: of the inputs; those of another side take a little longer."""
        weight = layer.weight
        self._low, self._high = (t.to(weight) for t in normalisation.bounds())
        self._positive = layer.linear(weight.clamp(min=0))
        self._negative = layer.linear(weight.clamp(max=0))
        box = (self._low * weight.clamp(min=0) + self._high * weight.clamp(max=0)).sum(
            dim=1, keepdim=True
        )
        self._kernels = layer.linear(torch.cat([weight, box], dim=1))
        # The biases cancel in the rule's denominator; z, from the forward pass, has them.
        self._bias = layer.bias.view(1, -1, 1, 1)
        self._size = (side, side)
        self._offset = self._offset_of(self._size)

    def _offset_of(self, size: tuple[int, int]) -> Tensor:
        """It depends on the image's size alone (near its border the kernel sticks out)."""
        ones = self._bias.new_ones(1, self._low.shape[1], *size)
        offset = self._positive(ones * self._low) + self._negative(ones * self._high)
        return _channels_last(offset + self._bias)

    def __call__(self, x: Tensor, z: Tensor, rms: Tensor | None, relevance: Tensor) -> Tensor:
        """Relevance (B, H, W) of the pixels of x (B, C, H, W)."""
        size = (x.shape[2], x.shape[3])
        offset = self._offset if size == self._size else self._offset_of(size)
        # Each weight meets the end of the box that makes its term positive, so the sum is.
        denominator = above(z - offset)
        s = torch.div(relevance, denominator, out=denominator)
        sums = self._kernels.transpose(s, size)
        return (x * sums[:, :-1]).sum(dim=1) - sums[:, -1]
