"""Weights on disk: safetensors only, checked against the network that they are for."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from lrpseg.core.assets import shared_file
from lrpseg.core.errors import CheckpointError
from lrpseg.core.files import atomically
from lrpseg.models.contract import DAMAGED, Classifier
from lrpseg.models.precision import FP16, PRECISIONS, plain

Net = TypeVar("Net", bound=nn.Module)

CLASSES = "classes"
"""Key of the class names in a file's metadata, a JSON list; those of one class have none."""

PRECISION = "precision"
"""Key of the name in `PRECISIONS` in a file's metadata; files of fp16 have none."""

BELOW, BELOW_WEIGHTS = "below", "below_weights"
"""Keys, in a file's metadata, of the file whose tensors it has where it holds none of its own: name
and SHA-256. Networks that were trained above the same frozen layers share them so."""

STANDS_FOR = "stands_for"
"""Key of a classifier's `stands_for` in a file's metadata, a JSON list; most have none."""


def save_checkpoint(
    model: nn.Module,
    path: Path,
    network: str,
    metadata: dict[str, str] | None = None,
    precision: str = FP16,
    below: Path | None = None,
) -> None:
    """Write the weights of `model` as safetensors, as `save_tensors` does.

    `metadata` (strings only) is stored in the file's header next to the network's name, and the
    names of its classes where there are several.
    """
    about = {**(metadata or {}), "network": network}
    classes = getattr(model, "classes", DAMAGED)
    if len(classes) > 1:
        about[CLASSES] = json.dumps(list(classes))
    if isinstance(model, Classifier) and model.stands_for:
        about[STANDS_FOR] = json.dumps(list(model.stands_for))
    save_tensors(model.state_dict(), about, path, precision, below)


def save_tensors(
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str],
    path: Path,
    precision: str = FP16,
    below: Path | None = None,
) -> None:
    """Write tensors by name as safetensors, atomically.

    precision: a name in `PRECISIONS`. below: a file that holds some of them too: those that are
    the same there, as far as fp16 tells, are not stored again, but read from there.

    Raises:
        CheckpointError: `below` is missing or damaged, or holds what is not among the tensors.
    """
    about = {k: v for k, v in metadata.items() if k not in (PRECISION, BELOW, BELOW_WEIGHTS)}
    if precision != FP16:
        about[PRECISION] = precision
    if below is not None:
        held, _ = read_tensors(below)
        if other := held.keys() - tensors.keys():
            raise CheckpointError(f"{below} holds {min(other)}, which the network does not have.")
        tensors = {k: v for k, v in tensors.items() if k not in held or not _same(v, held[k])}
        about |= {BELOW: below.name, BELOW_WEIGHTS: checkpoint_hash(below)}
    data = save(PRECISIONS[precision](tensors), metadata=about)
    atomically(path, lambda file: file.write(data))


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a.detach().cpu().half(), b.half())


def fill(model: Net, path: Path, network: str, classes: Sequence[str] = DAMAGED) -> Net:
    """`model`, which is a `network` for `classes`, with the weights in `path`: in float32, in
    `eval()` mode.

    Raises:
        CheckpointError: the file is missing, damaged, or holds another network or other classes.
    """
    tensors, metadata = read_tensors(path)
    held = metadata.get("network", network)
    if held != network:
        raise CheckpointError(
            f"{path} holds the network {held!r}, not {network!r}. Choose network={held!r}, or "
            f"put a checkpoint of {network!r} there."
        )
    known = json.loads(metadata[CLASSES]) if CLASSES in metadata else None
    # One class is one class, whatever a domain calls it.
    if (known or list(classes)[:1]) != list(classes):
        told = f"the classes {', '.join(known)}" if known else "one class"
        raise CheckpointError(
            f"{path} was trained for {told}, not for {', '.join(classes)}. Name the classes in "
            "the domain's domain.json as it was trained, or train it again."
        )
    expected = {name: tuple(t.shape) for name, t in model.state_dict().items()}
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
    # Counts of batches stay whole numbers, all else was fp16 or float32.
    model.load_state_dict(
        {k: t.float() if t.is_floating_point() else t for k, t in tensors.items()}
    )
    if isinstance(model, Classifier):
        model.stands_for = tuple(json.loads(metadata.get(STANDS_FOR, "[]")))
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
    """(tensors by name, metadata) of a safetensors file; what it stores in 8 bits as float32.

    What it shares with another file is read from there: see `BELOW`.

    Raises:
        CheckpointError: it, or a file that it shares tensors with, is missing, damaged, stored in a
            way that is not known here, or not the one that it was stored with.
    """
    tensors, metadata = _read(path)
    if BELOW not in metadata:
        return tensors, metadata
    below = _below(path, metadata)
    if checkpoint_hash(below) != metadata.get(BELOW_WEIGHTS):
        raise CheckpointError(
            f"{below} is not the file that {path} was trained above. Fetch both with the project's "
            "files, or train it again."
        )
    held, about = _read(below)
    if BELOW in about:
        raise CheckpointError(f"{below} shares tensors itself: {path} cannot stand on it.")
    return held | tensors, metadata


def below_of(path: Path) -> Path | None:
    """The file that a weights file shares tensors with, None where it stands by itself; raises as
    `read_tensors` does."""
    _, metadata = _read(path)
    return _below(path, metadata) if BELOW in metadata else None


def _below(path: Path, metadata: Mapping[str, str]) -> Path:
    try:
        return shared_file(metadata[BELOW], path.parent)
    except ValueError as error:
        raise CheckpointError(f"{path} cannot be used: {error}.") from error


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What a file itself holds."""
    if not path.is_file():
        raise _missing(path)
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
        held = metadata.get(PRECISION, FP16)
        if held not in PRECISIONS:
            raise CheckpointError(
                f"{path} stores its weights as {held!r}, and this lrpseg knows "
                f"{', '.join(PRECISIONS)}. Use a newer lrpseg, or other weights."
            )
        return plain(stored), metadata
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} is damaged or is no safetensors file ({error}). Fetch or train it again."
        ) from error
