"""The rules of the lean engine: one backward step for a layer, from weights prepared once."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

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
    """A convolution (3x3, padding 1) or matrix product, and its transpose; weights are prepared."""

    weight: Tensor
    transposed: Tensor  # weights with which the transpose is a plain convolution or product

    @classmethod
    def of(cls, weight: Tensor) -> "Linear":
        if weight.ndim == 2:
            return cls(weight, weight.t().contiguous())
        # The transpose of a stride-1 "same" convolution is one with flipped kernels.
        flipped = weight.transpose(0, 1).flip(2, 3)
        return cls(_channels_last(weight), _channels_last(flipped))

    def __call__(self, a: Tensor, bias: Tensor | None = None) -> Tensor:
        if self.weight.ndim == 2:
            return F.linear(a, self.weight, bias)
        return F.conv2d(a, self.weight, bias, padding=1)

    def transpose(self, s: Tensor) -> Tensor:
        if self.weight.ndim == 2:
            return F.linear(s, self.transposed)
        return F.conv2d(s, self.transposed, padding=1)


def _channels_last(weight: Tensor) -> Tensor:
    return weight.detach().clone(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Step:
    """One layer with its rule: `back(a, z, rms, relevance)` gives the relevance of its input.

    a: its input; z: its output, after the ReLU if it has one; rms: of its pre-activations, or None
    where `needs_rms` is false.
    """

    forward: Linear
    bias: Tensor
    relu: bool
    needs_rms: bool
    back: Callable[[Tensor, Tensor, Tensor | None, Tensor], Tensor]


Back = Callable[[Tensor, Tensor, Tensor | None, Tensor], Tensor]


def _epsilon(rule: rules.Epsilon, linear: Linear, bias: Tensor, relu: bool) -> Back:
    def back(a: Tensor, z: Tensor, rms: Tensor | None, relevance: Tensor) -> Tensor:
        assert rms is not None
        # A sample without any activation has an RMS of 0: there Zennit's 0 / 0 becomes 0.
        epsilon = (rule.std * rms).clamp(min=torch.finfo(z.dtype).tiny)
        denominator = z + epsilon if relu else stabilize(z, epsilon)
        return linear.transpose(relevance / denominator).mul_(a)

    return back


def _zero(rule: rules.Zero, linear: Linear, bias: Tensor, relu: bool) -> Back:
    def back(a: Tensor, z: Tensor, rms: Tensor | None, relevance: Tensor) -> Tensor:
        epsilon = z.new_tensor(rule.epsilon)
        denominator = z + epsilon if relu else stabilize(z, epsilon)
        return linear.transpose(relevance / denominator).mul_(a)

    return back


def _gamma(rule: rules.Gamma, linear: Linear, bias: Tensor, relu: bool) -> Back:
    def modified(low: float | None, high: float | None) -> tuple[Linear, Tensor]:
        def change(parameter: Tensor) -> Tensor:
            return parameter + rule.gamma * parameter.clamp(min=low, max=high)

        return Linear.of(change(linear.weight)), change(bias)

    positive, positive_bias = modified(0.0, None)
    negative, negative_bias = modified(None, 0.0)

    def back(a: Tensor, z: Tensor, rms: Tensor | None, relevance: Tensor) -> Tensor:
        denominator = above(positive(a, positive_bias))
        if relu:
            return positive.transpose(torch.div(relevance, denominator, out=denominator)).mul_(a)
        # The output layer can be negative: there negative weights are favoured, as in Zennit.
        contribution = positive.transpose(relevance * (z > 0) / denominator)
        denominator = -above(-negative(a, negative_bias))
        contribution += negative.transpose(relevance * (z < 0) / denominator)
        return contribution.mul_(a)

    return back


def _alpha_beta(rule: rules.AlphaBeta, linear: Linear, bias: Tensor, relu: bool) -> Back:
    w_positive, w_negative = linear.weight.clamp(min=0), linear.weight.clamp(max=0)
    positive = Linear.of(w_positive)
    # One pass for both signs: their outputs stand side by side as channels.
    both = Linear.of(torch.cat([rule.alpha * w_positive, -rule.beta * w_negative]))
    b_positive, b_negative = bias.clamp(min=0), bias.clamp(max=0)
    negative = Linear.of(w_negative)

    channels = linear.weight.shape[0]

    def back(a: Tensor, z: Tensor, rms: Tensor | None, relevance: Tensor) -> Tensor:
        s = torch.empty(
            (relevance.shape[0], 2 * channels, *relevance.shape[2:]),
            dtype=relevance.dtype,
            device=relevance.device,
            memory_format=torch.channels_last if relevance.ndim == 4 else torch.contiguous_format,
        )
        z_positive = positive(a, b_positive)
        # Where a ReLU cut z, the relevance is zero and what stands in z_negative does not matter.
        z_negative = z_positive - z if relu else -negative(a, b_negative)
        torch.div(relevance, above(z_positive), out=s[:, :channels])
        torch.div(relevance, above(z_negative).neg_(), out=s[:, channels:])
        return both.transpose(s).mul_(a)

    return back


Maker = Callable[..., Back]
LEAN: dict[type, Maker] = {
    rules.Epsilon: _epsilon,
    rules.Zero: _zero,
    rules.Gamma: _gamma,
    rules.AlphaBeta: _alpha_beta,
}


def supports(rule_set: rules.RuleSet) -> bool:
    """Whether the engine has all rules of `rule_set` (z^B on the first layer and nowhere else)."""
    first, *others = rule_set.convolutions.values()
    return isinstance(first, rules.ZBox) and all(type(r) in LEAN for r in [*others, rule_set.fc])


class ZBoxStep:
    """z^B on the first convolution, summed over the colour channels at once.

    With s = R / (z - W+ l - W- h), a pixel's relevance summed over its channels c is
    sum_c x_c (W^T s)_c - (W+^T s)_c l_c - (W-^T s)_c h_c. The last two terms need no channel of
    their own: sum_c l_c W+_c + h_c W-_c is one kernel, so four output channels do for nine.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor, normalisation: Normalisation, size: int
    ) -> None:
        low, high = (t.to(weight) for t in normalisation.bounds())
        w_positive, w_negative = weight.clamp(min=0), weight.clamp(max=0)
        ones = torch.ones(1, weight.shape[1], size, size, dtype=weight.dtype, device=weight.device)
        # These depend on the image's size alone (near its border the kernel sticks out).
        self._offset = F.conv2d(ones * low, w_positive, padding=1) + F.conv2d(
            ones * high, w_negative, padding=1
        )
        box = (low * w_positive + high * w_negative).sum(dim=1, keepdim=True)
        self._kernels = Linear.of(torch.cat([weight, box], dim=1))
        # The biases cancel in the rule's denominator; z, from the forward pass, has them.
        self._offset = _channels_last(self._offset + bias.view(1, -1, 1, 1))

    def __call__(self, x: Tensor, z: Tensor, relevance: Tensor) -> Tensor:
        """Relevance (B, H, W) of the pixels of x (B, C, H, W)."""
        # Each weight meets the end of the box that makes its term positive, so the sum is.
        denominator = above(z - self._offset)
        sums = self._kernels.transpose(torch.div(relevance, denominator, out=denominator))
        return (x * sums[:, :-1]).sum(dim=1) - sums[:, -1]
