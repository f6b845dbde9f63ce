"""Whether the lean engine has all that a network and a rule set need."""

from torch import nn

from lrpseg.core.errors import OptionError
from lrpseg.lrp import rules
from lrpseg.lrp.graph import INPUT, LAYERS, Add, Graph, Node, Unknown, read_graph
from lrpseg.lrp.lean_rules import LEAN
from lrpseg.lrp.lean_steps import STEPS
from lrpseg.lrp.places import places
from lrpseg.models.contract import Classifier


class LeanLacksError(OptionError):
    """The lean engine does not have `what`, of a network or a rule set."""

    def __init__(self, what: str) -> None:
        super().__init__(f'The lean engine does not have {what}. Choose engine="zennit".')
        self.what = what


def lean_lacks(model: Classifier, rule_set: rules.RuleSet) -> str | None:
    """What the lean engine does not have of these, in words; None: nothing."""
    return lacks(model, read_graph(model), rule_set)


def lacks(model: Classifier, graph: Graph, rule_set: rules.RuleSet) -> str | None:
    """As `lean_lacks`, of a graph that was read already."""
    return _rules(model, graph, rule_set) or _parts(graph)


def _rules(model: Classifier, graph: Graph, rule_set: rules.RuleSet) -> str | None:
    for place in dict.fromkeys(places(model, graph).values()):
        rule = rule_set.at(place)
        # z^B rests on the bounds of pixels, the others on inputs that are not negative.
        if isinstance(rule, rules.ZBox) != (place == "first") or (
            place != "first" and type(rule) not in LEAN
        ):
            return f"the rule {type(rule).__name__} ({place} layers of {rule_set.title})"
    return None


def _parts(graph: Graph) -> str | None:
    positive: list[bool] = []  # whether the output of each node cannot be negative
    first = graph.layers()[0]
    for i, node in enumerate(graph.nodes):
        module = node.module
        given = [j != INPUT and positive[j] for j in node.sources]
        if isinstance(module, Unknown):
            return module.what
        if not isinstance(module, LAYERS) and type(module) not in STEPS:
            return f"the module {type(module).__name__} ({node.name})"
        if isinstance(module, nn.Conv2d) and not is_plain(module):
            return f"a convolution with groups or such padding ({node.name})"
        if isinstance(module, nn.MaxPool2d) and module.dilation not in (1, (1, 1)):
            return f"a max-pool with dilation ({node.name})"
        if (INPUT in node.sources) != (i == first):
            return f"{node.name} at this place: the first convolution alone reads the input"
        needs = i != first and not isinstance(module, Add | nn.ReLU | nn.Flatten)
        if needs and not all(given):
            return f"inputs below zero of {node.name}"
        positive.append(_is_positive(node, given))
    if not isinstance(graph.nodes[-1].module, nn.Linear) or graph.nodes[-1].relu:
        return "networks whose last layer is not linear"
    return None


def is_plain(module: nn.Conv2d) -> bool:
    """Whether a convolution has no groups, and pads with zeros by numbers."""
    return (
        module.groups == 1
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )


def _is_positive(node: Node, given: list[bool]) -> bool:
    if node.relu or isinstance(node.module, nn.ReLU):
        return True
    return not isinstance(node.module, LAYERS) and all(given)
