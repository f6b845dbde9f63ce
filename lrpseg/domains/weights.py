"""A domain's networks with their weights, as they are used."""

from lrpseg.core.errors import CheckpointError
from lrpseg.domains.domain import DOMAIN_FILE, Domain
from lrpseg.models.checkpoints import checkpoint_hash, load_checkpoint, load_self_trained
from lrpseg.models.self_trained import Decider
from lrpseg.models.vgg import VggA


def load_classifier(domain: Domain, network: str) -> VggA:
    """A domain's classifier, calibrated as its `domain.json` says.

    Raises as `load_checkpoint` does, and `CheckpointError` where that calibration is of other
    weights.
    """
    path = domain.checkpoint(network)
    model = load_checkpoint(path, network)
    if network in domain.calibration:
        fitted = domain.calibration[network]
        if fitted.weights != checkpoint_hash(path):
            raise CheckpointError(
                f"The calibration of {network!r} in {path.parent / DOMAIN_FILE} is of other "
                f"weights than {path.name} holds. Fit it again with `python -m "
                f"training.loops.calibration --domain {path.parent} --network {network} "
                "--data DIR`, or remove it there."
            )
        model.calibrate(fitted.slope, fitted.offset)
    return model


def load_deciding(domain: Domain) -> VggA:
    """The classifier that decides beside a domain's networks that segment; raises as
    `load_checkpoint` does, and where the domain has none.

    Not calibrated: those networks weigh its log-odds themselves.
    """
    return load_checkpoint(domain.checkpoint(domain.classifier), domain.classifier)


def load_decider(domain: Domain, network: str) -> Decider:
    """A domain's network that segments by itself, with the classifier on whose features it does.

    Raises:
        OptionError: `network` does not segment.
        CheckpointError: weights are missing or damaged, or the classifier is not the one that the
            network was trained on.
    """
    own = load_self_trained(domain.checkpoint(network), network)
    classifier = load_deciding(domain)
    if not own.belongs_to(classifier):
        raise CheckpointError(
            f"{domain.checkpoint(network)} was trained on other weights of {domain.classifier!r} "
            "than the domain has. Train it again with `python -m training.loops.self_train`."
        )
    return Decider(own, classifier).eval()
