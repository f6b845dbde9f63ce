"""Declares the rule sets: which rule with which parameters at which place (paper, Table 1).

A rule set is declared once, here, as data; `lrpseg.lrp.engine` and `lrpseg.lrp.zennit` read it.
To add a rule set, add one `RuleSet` to `RULE_SETS`.
"""

from dataclasses import dataclass

from lrpseg.core.registry import Registry

STABILIZER = 1e-6
"""Added to the denominators of gamma, alpha-beta, z^B and average pooling, with their sign."""


@dataclass(frozen=True)
class Epsilon:
    """LRP-epsilon (Bach et al. 2015, eq. 58): the denominator grows by `std` times its RMS.

    "std" in the LRP literature is the uncentred root mean square of a sample's pre-activations
    (paper 3.3.1: epsilon = 0.25 std; Montavon et al. 2019).
    """

    std: float = 0.25


@dataclass(frozen=True)
class Zero:
    """LRP-0: epsilon with nothing but 1e-9 against a division by zero."""

    epsilon: float = 1e-9


@dataclass(frozen=True)
class Gamma:
    """LRP-gamma (Montavon et al. 2019): positive weights and biases count (1 + gamma) times."""

    gamma: float = 0.25


@dataclass(frozen=True)
class AlphaBeta:
    """LRP-alpha-beta (Bach et al. 2015, eq. 60); alpha - beta = 1."""

    alpha: float = 2.0
    beta: float = 1.0


@dataclass(frozen=True)
class ZBox:
    """z^B (Montavon et al. 2017, DOI 10.1016/j.patcog.2016.11.008): inputs in a box of values.

    The box comes from the domain's normalisation of black and of white.
    """


@dataclass(frozen=True)
class WSquare:
    """w^2 (Montavon et al. 2017): contributions by squared weights. Runs through Zennit alone."""


@dataclass(frozen=True)
class Flat:
    """Flat (Lapuschkin et al. 2019): equal contributions. Runs through Zennit alone."""


Rule = Epsilon | Zero | Gamma | AlphaBeta | ZBox | WSquare | Flat


@dataclass(frozen=True)
class RuleSet:
    """Which rule a layer has, by its place in the network (`lrpseg.lrp.places`).

    first: the first convolution. early: stages 1 and 2 of the features, and what reads them in
    stage 3. middle: the rest of stage 3. late: the later stages. head: the fully connected layers.

    >>> RULE_SETS["ours"].at("early"), RULE_SETS["montavon"].at("head")
    (AlphaBeta(alpha=2, beta=1), Zero(epsilon=1e-09))
    """

    name: str
    title: str
    description: str
    first: Rule
    early: Rule
    middle: Rule
    late: Rule
    head: Rule

    def at(self, place: str) -> Rule:
        """The rule of a place in `PLACES`."""
        rule: Rule = getattr(self, place)
        return rule


RULE_SETS: Registry[RuleSet] = Registry("rule set")

RULE_SETS.add(
    "ours",
    RuleSet(
        "ours",
        "LRP Ours",
        "The paper's own rules: balanced maps that also show what speaks against damage.",
        first=ZBox(),
        early=AlphaBeta(2, 1),
        middle=Gamma(0.25),
        late=Gamma(0.25),
        head=Epsilon(0.25),
    ),
)

RULE_SETS.add(
    "montavon",
    RuleSet(
        "montavon",
        "LRP Montavon",
        "The rules of Montavon et al. (2019): smooth maps of what speaks for damage.",
        first=ZBox(),
        early=Gamma(0.25),
        middle=Gamma(0.25),
        late=Epsilon(0.25),
        head=Zero(),
    ),
)
