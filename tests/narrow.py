"""A network of the shipped one's shape with a sixteenth of its width: runs of it cost little."""

from dataclasses import replace

from lrpseg.models.contract import DAMAGED
from lrpseg.models.networks import NETWORKS
from lrpseg.models.vgg import VGG_A, Vgg

NARROW = replace(
    NETWORKS["one-fc"], build=lambda classes=DAMAGED: Vgg(VGG_A, classes=classes, width=4)
)


def use_narrow() -> None:
    """In this process, one-fc is narrow: for processes of their own that read `narrow_assets`."""
    NETWORKS._things["one-fc"] = NARROW
