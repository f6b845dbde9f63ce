"""Layer-wise Relevance Propagation for VGG-A: rule sets, the lean engine, and Zennit beside it."""

from lrpseg.lrp.explainer import ENGINES, Explainer, make_explainer, self_explainer
from lrpseg.lrp.options import DEFAULT_POOLING, DEFAULT_START, POOLINGS, STARTS
from lrpseg.lrp.rules import RULE_SETS, RuleSet

__all__ = [
    "DEFAULT_POOLING",
    "DEFAULT_START",
    "ENGINES",
    "POOLINGS",
    "RULE_SETS",
    "STARTS",
    "Explainer",
    "RuleSet",
    "make_explainer",
    "self_explainer",
]
