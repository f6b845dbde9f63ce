"""Single parts of the lean engine against their definition, on tensors of a few elements."""

from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from lrpseg.lrp.lean_rules import Linear
from lrpseg.lrp.lean_steps import AdaptiveStep, AddStep, AverageStep, MaxStep

EPSILON = 1e-6


def shared(a: Tensor, relevance: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """Each window's relevance, shared by activation: the definition, window by window."""
    found = pad(torch.zeros_like(a), (padding,) * 4)
    padded = pad(a, (padding,) * 4)
    for b, c, i, j in product(*map(range, relevance.shape)):
        rows = slice(i * stride, i * stride + kernel)
        columns = slice(j * stride, j * stride + kernel)
        window = padded[b, c, rows, columns] / kernel**2
        found[b, c, rows, columns] += window * relevance[b, c, i, j] / (window.sum() + EPSILON)
    height, width = a.shape[2:]
    return found[..., padding : padding + height, padding : padding + width]


def activations(side: int = 8) -> Tensor:
    torch.manual_seed(0)
    return torch.randn(2, 3, side, side, dtype=torch.float64).relu()


POOLS = [(2, 2, 0), (3, 2, 1), (3, 1, 1), (3, 3, 0), (2, 1, 0)]
"""(kernel, stride, padding); 8 is no multiple of 3."""


@pytest.mark.parametrize(("kernel", "stride", "padding"), POOLS)
def test_max_pools_share_relevance_by_activation(kernel: int, stride: int, padding: int) -> None:
    a = activations()
    step = MaxStep(nn.MaxPool2d(kernel, stride, padding), average=True)
    z, kept = step.forward((a,))
    relevance = z * torch.rand_like(z)
    (found,) = step.back((a,), z, kept, relevance)
    assert torch.allclose(found, shared(a, relevance, kernel, stride, padding), atol=1e-12)


@pytest.mark.parametrize(("kernel", "stride", "padding"), POOLS)
def test_max_pools_give_relevance_to_the_maximum(kernel: int, stride: int, padding: int) -> None:
    a = activations().add(torch.rand(2, 3, 8, 8, dtype=torch.float64) * 1e-3)  # no ties
    pool = nn.MaxPool2d(kernel, stride, padding)
    step = MaxStep(pool, average=False)
    z, kept = step.forward((a,))
    relevance = torch.rand_like(z)
    (found,) = step.back((a,), z, kept, relevance)
    inputs = a.clone().requires_grad_()
    (expected,) = torch.autograd.grad(pool(inputs), inputs, relevance)
    assert torch.allclose(found, expected)
    assert torch.allclose(found.sum(), relevance.sum())


@pytest.mark.parametrize(("kernel", "stride", "padding"), POOLS)
def test_average_pools_share_relevance(kernel: int, stride: int, padding: int) -> None:
    a = activations()
    step = AverageStep(nn.AvgPool2d(kernel, stride, padding))
    z, kept = step.forward((a,))
    relevance = torch.rand_like(z)
    (found,) = step.back((a,), z, kept, relevance)
    assert torch.allclose(found, shared(a, relevance, kernel, stride, padding), atol=1e-12)


def test_a_global_pool_shares_relevance() -> None:
    a = activations()
    step = AdaptiveStep(nn.AdaptiveAvgPool2d(1))
    z, kept = step.forward((a,))
    relevance = torch.rand_like(z)
    (found,) = step.back((a,), z, kept, relevance)
    assert torch.allclose(found, shared(a, relevance, kernel=8, stride=1, padding=0), atol=1e-12)


def test_a_sum_shares_relevance_by_its_terms() -> None:
    a, b = torch.tensor([[3.0, 1.0, 0.0]]), torch.tensor([[1.0, -3.0, 0.0]])
    step = AddStep(relu=False)
    z, kept = step.forward((a, b))
    to_a, to_b = step.back((a, b), z, kept, torch.tensor([[8.0, 2.0, 0.0]]))
    assert torch.allclose(to_a, torch.tensor([[6.0, -1.0, 0.0]]), atol=1e-4)
    assert torch.allclose(to_b, torch.tensor([[2.0, 3.0, 0.0]]), atol=1e-4)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"),
    [
        (3, 1, 1, 1),
        (1, 1, 0, 1),
        (5, 1, 0, 1),
        (3, 1, 2, 2),
        (1, 1, 1, 1),
        (7, 2, 3, 1),
        (3, 2, 1, 2),
    ],
)
def test_a_convolution_and_its_transpose_are_adjoint(
    kernel: int, stride: int, padding: int, dilation: int
) -> None:
    torch.manual_seed(0)
    module = nn.Conv2d(3, 5, kernel, stride, padding, dilation, bias=False).double()
    linear = Linear.of(module, module.weight.detach())
    a = torch.randn(2, 3, 11, 12, dtype=torch.float64)
    with torch.inference_mode():
        z = linear(a)
        s = torch.randn_like(z)
        assert torch.allclose((z * s).sum(), (a * linear.transpose(s, a.shape[2:])).sum())
