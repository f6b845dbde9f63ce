"""The one place where a device is chosen."""

import torch

from lrpseg.core.errors import OptionError


def pick_device(name: str = "auto") -> torch.device:
    """`auto` takes CUDA, then MPS, then the CPU; any name that PyTorch knows is taken as it is.

    Raises:
        OptionError: the device does not exist here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
        usable = device.type != "meta"  # it holds no values
    except (RuntimeError, AssertionError, NotImplementedError):
        usable = False
    if not usable:
        raise OptionError(f"The device {name!r} cannot be used here. Use 'auto' or 'cpu'.")
    return device


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished; needed only where time is measured."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
