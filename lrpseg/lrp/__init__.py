"""Layer-wise Relevance Propagation for VGG-A: rule sets, the lean engine, and Zennit beside it."""

from lrpseg.lrp.explainer import ENGINES, Explainer, make_explainer
from lrpseg.lrp.options import POOLINGS, STARTS
from lrpseg.lrp.rules import RULE_SETS, RuleSet

__all__ = ["ENGINES", "POOLINGS", "RULE_SETS", "STARTS", "Explainer", "RuleSet", "make_explainer"]
