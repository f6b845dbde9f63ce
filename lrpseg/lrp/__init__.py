"""Layer-wise Relevance Propagation: rule sets, the lean engine, and Zennit beside it."""

from lrpseg.lrp.explainer import (
    ENGINES,
    Explained,
    Explainer,
    Select,
    explainer_of,
    make_explainer,
)
from lrpseg.lrp.options import DEFAULT_POOLING, DEFAULT_START, POOLINGS, STARTS
from lrpseg.lrp.rules import RULE_SETS, RuleSet

__all__ = [
    "DEFAULT_POOLING",
    "DEFAULT_START",
    "ENGINES",
    "POOLINGS",
    "RULE_SETS",
    "STARTS",
    "Explained",
    "Explainer",
    "RuleSet",
    "Select",
    "explainer_of",
    "make_explainer",
]
