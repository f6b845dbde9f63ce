"""The networks: what lrpseg asks of one, those that there are, and their weights on disk."""

from lrpseg.models.contract import Classifier, Stage
from lrpseg.models.networks import NETWORKS, Network, classifiers
from lrpseg.models.resnet import ResNet
from lrpseg.models.self_trained import Decider, SelfTrained
from lrpseg.models.vgg import Vgg

__all__ = [
    "NETWORKS",
    "Classifier",
    "Decider",
    "Network",
    "ResNet",
    "SelfTrained",
    "Stage",
    "Vgg",
    "classifiers",
]
