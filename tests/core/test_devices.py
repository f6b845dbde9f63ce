"""Where networks run: what can be chosen, and what a device need not have."""

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

import lrpseg
from lrpseg.core.devices import pick_device
from lrpseg.core.errors import OptionError


def test_auto_picks_a_device_that_exists() -> None:
    assert pick_device("auto").type in {"cuda", "mps", "cpu"}


@pytest.mark.parametrize("name", ["meta", "cuda:77", "toaster"])
def test_devices_that_cannot_be_used(name: str) -> None:
    with pytest.raises(OptionError, match="'cpu'"):
        pick_device(name)


class NoFloat64(TorchFunctionMode):
    """Stands for a device without float64 (MPS): only what came to the CPU may be converted."""

    def __init__(self) -> None:
        super().__init__()
        self.home: list[torch.Tensor] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        if func is torch.Tensor.double and not any(args[0] is t for t in self.home):
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        found = func(*args, **(kwargs or {}))
        if func is torch.Tensor.cpu:
            found = found.clone()
            self.home.append(found)
        return found


@pytest.mark.parametrize("network", ["one-fc", "self-trained"])
def test_nothing_needs_float64_on_the_device(network: str) -> None:
    segmenter = lrpseg.load("concrete-crack", network=network, device="cpu")
    with NoFloat64():
        result = segmenter(np.full((224, 224, 3), 90, np.uint8), explain_intact=True)
    assert 0 <= result.probability <= 1
