"""Weights on disk: safetensors only, checked against the network that they are for."""

import hashlib
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from lrpseg.core.errors import CheckpointError, OptionError
from lrpseg.core.files import atomically
from lrpseg.models.networks import NETWORKS
from lrpseg.models.self_trained import SelfTrained
from lrpseg.models.vgg import VggA


def save_checkpoint(
    model: nn.Module, path: Path, network: str, metadata: dict[str, str] | None = None
) -> None:
    """Write the weights of `model` as safetensors, atomically; matrices and kernels as fp16.

    Vectors keep their type: the variances of batch norm would overflow. `metadata` (strings only)
    is stored in the file's header next to the network's name.
    """
    tensors = {
        k: v.detach().to("cpu", torch.float16 if v.ndim >= 2 else v.dtype).contiguous()
        for k, v in _state(model)
    }
    data = save(tensors, metadata={**(metadata or {}), "network": network})
    atomically(path, lambda file: file.write(data))


def load_checkpoint(path: Path, network: str) -> VggA:
    """As `load_network`, for a classifier: `OptionError` where `network` is none."""
    model = load_network(path, network)
    if not isinstance(model, VggA):
        raise OptionError(f"{network!r} is no classifier, which LRP could explain.")
    return model


def load_self_trained(path: Path, network: str) -> SelfTrained:
    """As `load_network`, for one that segments by itself: `OptionError` where it does not."""
    model = load_network(path, network)
    if not isinstance(model, SelfTrained):
        raise OptionError(f"{network!r} gives no likelihood for each pixel by itself.")
    return model


def load_network(path: Path, network: str) -> nn.Module:
    """The network called `network` with the weights in `path`, in float32, in `eval()` mode.

    Raises:
        CheckpointError: the file is missing, damaged, or holds another network.
    """
    tensors, metadata = read_tensors(path)
    held = metadata.get("network", network)
    if held != network:
        raise CheckpointError(
            f"{path} holds the network {held!r}, not {network!r}. Choose network={held!r}, or "
            f"put a checkpoint of {network!r} there."
        )
    model = NETWORKS[network].build()
    expected = {name: tuple(t.shape) for name, t in _state(model)}
    given = {name: tuple(t.shape) for name, t in tensors.items()}
    if expected != given:
        wrong = sorted(k for k in expected.keys() | given.keys() if expected.get(k) != given.get(k))
        raise CheckpointError(
            f"{path} does not fit the network {network!r}: {', '.join(wrong[:4])} "
            f"{'differ' if len(wrong) > 1 else 'differs'}. Put a checkpoint of {network!r} there."
        )
    bad = [name for name, t in tensors.items() if not torch.isfinite(t).all()]
    if bad:
        raise CheckpointError(
            f"{path} is damaged: {bad[0]} holds NaN or infinite values. Fetch or train it again."
        )
    model.load_state_dict({name: t.float() for name, t in tensors.items()})
    return model.eval().requires_grad_(False)


def checkpoint_hash(path: Path) -> str:
    """SHA-256 of a weights file, in hexadecimal; not read again while it stays as it is.

    Raises `CheckpointError` where there is none.
    """
    if not path.is_file():
        raise _missing(path)
    stat = path.stat()
    return _hash(path, stat.st_mtime_ns, stat.st_size)


def _missing(path: Path) -> CheckpointError:
    return CheckpointError(
        f"The checkpoint {path} is missing. Fetch it with the project's files, or train it "
        "with `python -m training.loops.train --help`."
    )


@lru_cache(maxsize=64)
def _hash(path: Path, modified: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """(tensors by name, metadata) of a safetensors file; raises `CheckpointError`."""
    if not path.is_file():
        raise _missing(path)
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} is damaged or is no safetensors file ({error}). Fetch or train it again."
        ) from error


def _state(model: nn.Module) -> list[tuple[str, Tensor]]:
    return list(model.state_dict().items())
