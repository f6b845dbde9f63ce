"""The networks: classifiers, the paper's (section 3.2.1) and others, and a U-Net that trains itself
on what they find.

To add a network, add one entry to `NETWORKS`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from torch import Tensor, nn

from lrpseg.core.errors import CheckpointError, OptionError
from lrpseg.core.registry import Registry
from lrpseg.models.contract import DAMAGED, TILE, Classifier
from lrpseg.models.inputs import Calibration
from lrpseg.models.loaded import Loaded, LoadedDecider
from lrpseg.models.resnet import ResNet
from lrpseg.models.self_trained import Decider, SelfTrained
from lrpseg.models.tensors import checkpoint_hash, fill
from lrpseg.models.vgg import VGG_A, VGG_D, Vgg

INPUT_SIZE = TILE
"""Side of the square tiles in pixels, of the networks that ship."""


class DamageKind(Protocol):
    """A class of a domain, as far as networks ask for it."""

    @property
    def name(self) -> str: ...


class DomainOfNetworks(Protocol):
    """What is inspected, as far as networks ask for it (`lrpseg.domains.Domain`)."""

    @property
    def classes(self) -> Iterable[DamageKind]: ...
    @property
    def classifier(self) -> str: ...
    @property
    def checkpoints(self) -> Mapping[str, Path]: ...
    @property
    def calibration(self) -> Mapping[str, Calibration]: ...
    def checkpoint(self, network: str) -> Path: ...


@dataclass(frozen=True)
class Network:
    """One entry of the network registry: a classifier, which LRP explains.

    build: an untrained one for the given names of classes. pretrained: torchvision's weights of its
    features, by their names in it; None: it has none there.
    """

    name: str
    title: str
    description: str
    build: Callable[..., nn.Module]
    pretrained: Callable[[], Mapping[str, Tensor]] | None = None

    proposes: ClassVar[bool] = False
    """Whether it proposes masks by itself."""
    evidence: ClassVar[str] = "relevance"
    """What thresholders get: "relevance", or the network's own "likelihood"."""
    thresholder: ClassVar[str] = "simple"
    """What makes its masks where nothing was measured."""
    resets: ClassVar[bool] = False
    """Whether choosing it asks for another thresholder and refiner."""

    def explains(self, domain: DomainOfNetworks) -> str:
        """Name of the classifier whose relevance is shown."""
        return self.name

    def weights(self, domain: DomainOfNetworks) -> tuple[Path, ...]:
        """All files that decide what it gives; raises as `Domain.checkpoint` does."""
        return (domain.checkpoint(self.name),)

    def load(self, domain: DomainOfNetworks) -> Loaded:
        """It with the domain's weights and calibration, on the CPU, in `eval()` mode.

        Raises:
            CheckpointError: weights are missing, damaged, of another network, of other classes, or
                not those that the calibration is of.
        """
        return Loaded(load_calibrated(domain, self.name))


@dataclass(frozen=True)
class SelfTrainedNetwork(Network):
    """A network that proposes masks by itself, on the features of a domain's classifier: LRP
    explains that one beside it."""

    proposes: ClassVar[bool] = True
    evidence: ClassVar[str] = "likelihood"
    thresholder: ClassVar[str] = "fraction"
    resets: ClassVar[bool] = True

    def explains(self, domain: DomainOfNetworks) -> str:
        return domain.classifier

    def weights(self, domain: DomainOfNetworks) -> tuple[Path, ...]:
        return domain.checkpoint(self.name), domain.checkpoint(domain.classifier)

    def load(self, domain: DomainOfNetworks) -> LoadedDecider:
        return LoadedDecider(load_pair(domain, self.name))


def load_plain(domain: DomainOfNetworks, network: str) -> Classifier:
    """A domain's classifier as its file holds it; raises as `load_calibrated` does, and
    `OptionError` where `network` is no classifier."""
    path = domain.checkpoint(network)
    classes = tuple(kind.name for kind in domain.classes)
    model = NETWORKS[network].build(classes)
    if not isinstance(model, Classifier):
        raise OptionError(f"{network!r} is no classifier, which LRP could explain.")
    return fill(model, path, network, classes)


def load_calibrated(domain: DomainOfNetworks, network: str) -> Classifier:
    """A domain's classifier, calibrated as its `domain.json` says.

    Raises `CheckpointError`, also where that calibration is of other weights.
    """
    model = load_plain(domain, network)
    if network in domain.calibration:
        fitted, path = domain.calibration[network], domain.checkpoint(network)
        if fitted.weights != checkpoint_hash(path):
            raise CheckpointError(
                f"The calibration of {network!r} in {path.parent / 'domain.json'} is of other "
                f"weights than {path.name} holds. Fit it again with `python -m "
                f"training.loops.calibration --domain {path.parent} --network {network} "
                "--data DIR`, or remove it there."
            )
        model.calibrate(fitted.slope, fitted.offset)
    return model


def load_pair(domain: DomainOfNetworks, network: str) -> Decider:
    """A domain's network that proposes masks by itself, with the classifier on whose features it
    does.

    That one is not calibrated: the network weighs its log-odds itself.

    Raises:
        OptionError: `network` proposes none.
        CheckpointError: weights are missing or damaged, or the classifier is not the one that the
            network was trained on.
    """
    if not NETWORKS[network].proposes:
        raise OptionError(f"{network!r} gives no likelihood for each pixel by itself.")
    path = domain.checkpoint(network)
    classifier = load_plain(domain, domain.classifier)
    own = SelfTrained(classifier.stages, classifier.classes)
    own = fill(own, path, network, classifier.classes)
    if not own.belongs_to(classifier):
        raise CheckpointError(
            f"{path} was trained on other weights of {domain.classifier!r} than the domain has. "
            "Train it again with `python -m training.loops.self_train`."
        )
    return Decider(own, classifier).eval()


def _torchvision(name: str) -> Callable[[], Mapping[str, Tensor]]:
    def weights() -> Mapping[str, Tensor]:
        from torchvision.models import get_model

        return get_model(name, weights="IMAGENET1K_V1").state_dict()

    return weights


NETWORKS: Registry[Network] = Registry("network")

for _network in (
    Network(
        "one-fc",
        "VGG-A one FC",
        "Last max-pool connected directly to the two outputs.",
        lambda classes=DAMAGED: Vgg(VGG_A, classes=classes),
        _torchvision("vgg11"),
    ),
    Network(
        "128n",
        "VGG-A 128N",
        "Two fully connected layers of 128 neurons before the two outputs.",
        lambda classes=DAMAGED: Vgg(VGG_A, hidden=(128, 128), classes=classes),
        _torchvision("vgg11"),
    ),
    SelfTrainedNetwork(
        "self-trained",
        "Self-trained U-Net",
        "A U-Net on the classifier's convolutions. It learned from drawn damage and from LRP's "
        "masks, without pixel labels.",
        lambda classes=DAMAGED: SelfTrained(classes=classes),
    ),
    Network(
        "vgg-16",
        "VGG-16",
        "Thirteen convolutions instead of VGG-A's eight; last max-pool connected to the outputs.",
        lambda classes=DAMAGED: Vgg(VGG_D, classes=classes),
        _torchvision("vgg16"),
    ),
    Network(
        "resnet-18",
        "ResNet-18",
        "Residual blocks and one fully connected layer; for tiles of any size.",
        lambda classes=DAMAGED: ResNet(classes=classes),
        _torchvision("resnet18"),
    ),
):
    NETWORKS.add(_network.name, _network)


def classifiers(names: Iterable[str]) -> list[str]:
    """Those of `names` that are classifiers, which LRP explains."""
    return [name for name in names if not NETWORKS[name].proposes]
