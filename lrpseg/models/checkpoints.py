"""Networks from weights files."""

from pathlib import Path

from torch import nn

from lrpseg.core.errors import OptionError
from lrpseg.models.contract import DAMAGED, Classifier
from lrpseg.models.networks import NETWORKS
from lrpseg.models.self_trained import SelfTrained
from lrpseg.models.tensors import checkpoint_hash, fill, read_tensors, save_checkpoint

__all__ = [
    "checkpoint_hash",
    "load_checkpoint",
    "load_network",
    "load_self_trained",
    "read_tensors",
    "save_checkpoint",
]


def load_network(path: Path, network: str, classes: tuple[str, ...] = DAMAGED) -> nn.Module:
    """The network called `network` for `classes` with the weights in `path`, in float32, in
    `eval()` mode; one that proposes masks by itself: on the features of VGG-A.

    Raises:
        CheckpointError: the file is missing, damaged, or holds another network or other classes.
    """
    return fill(NETWORKS[network].build(classes), path, network, classes)


def load_checkpoint(path: Path, network: str, classes: tuple[str, ...] = DAMAGED) -> Classifier:
    """As `load_network`, for a classifier: `OptionError` where `network` is none."""
    model = load_network(path, network, classes)
    if not isinstance(model, Classifier):
        raise OptionError(f"{network!r} is no classifier, which LRP could explain.")
    return model


def load_self_trained(path: Path, network: str) -> SelfTrained:
    """As `load_network`, for one that segments by itself: `OptionError` where it does not."""
    model = load_network(path, network)
    if not isinstance(model, SelfTrained):
        raise OptionError(f"{network!r} gives no likelihood for each pixel by itself.")
    return model
