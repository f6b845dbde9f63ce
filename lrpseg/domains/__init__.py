"""Domains: what is inspected, with its classes, normalisation, networks and weights."""

from lrpseg.domains.classes import ClassSet, DamageClass
from lrpseg.domains.domain import (
    DOMAIN_FILE,
    FIRST_DOMAIN,
    Domain,
    assets_folder,
    known_domain,
    learned_domains,
    learned_folder,
    list_domains,
    load_domain,
)
from lrpseg.models.inputs import Calibration, Normalisation

__all__ = [
    "DOMAIN_FILE",
    "FIRST_DOMAIN",
    "Calibration",
    "ClassSet",
    "DamageClass",
    "Domain",
    "Normalisation",
    "assets_folder",
    "known_domain",
    "learned_domains",
    "learned_folder",
    "list_domains",
    "load_domain",
]
