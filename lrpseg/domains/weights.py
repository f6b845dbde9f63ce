"""A domain's networks with their weights, by their former names; `NETWORKS[name].load(domain)` is
the same for any of them."""

from lrpseg.domains.domain import Domain
from lrpseg.models.contract import Classifier
from lrpseg.models.networks import load_calibrated, load_pair, load_plain
from lrpseg.models.self_trained import Decider


def load_classifier(domain: Domain, network: str) -> Classifier:
    """A domain's classifier, calibrated as its `domain.json` says; raises as `load_calibrated`."""
    return load_calibrated(domain, network)


def load_deciding(domain: Domain) -> Classifier:
    """The classifier that decides beside a domain's networks that propose masks by themselves, not
    calibrated; raises as `load_plain`, and where the domain has none."""
    return load_plain(domain, domain.classifier)


def load_decider(domain: Domain, network: str) -> Decider:
    """A domain's network that proposes masks by itself, with the classifier on whose features it
    does; raises as `load_pair`."""
    return load_pair(domain, network)
