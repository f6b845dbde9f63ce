"""Where in a network a layer stands, by which a rule set chooses its rule, and where stages end."""

from lrpseg.lrp.graph import INPUT, LAYERS, Add, Graph
from lrpseg.models.contract import Classifier

PLACES = ("first", "early", "middle", "late", "head")
"""From the input on."""


def places(model: Classifier, graph: Graph) -> dict[int, str]:
    """The place of each node of `graph` with weights, by its index.

    Montavon et al. (2019, section 10.3) give VGG-16's convolutions up to the third max-pool one
    rule, those above it another, its fully connected layers a third, and the first a rule for
    pixels: first, early and middle, late, head. The paper's Table 1 divides VGG-A's third block:
    conv3_1, which reads what the second pool gives, goes with the convolutions before it, conv3_2
    with those after it. So of stage 3 a layer is early where no other layer of that stage stands
    before it, and middle where one does.
    """
    layers = graph.layers()
    stages = {i: model.stage_of(graph.nodes[i].name) for i in layers}

    def place(i: int) -> str:
        stage = stages[i]
        if i == layers[0]:
            return "first"
        if stage is None:
            return "head"
        if stage < 3:
            return "early"
        if stage > 3:
            return "late"
        return "middle" if any(stages.get(j) == 3 for j in graph.before(i)) else "early"

    return {i: place(i) for i in layers}


def stage_ends(model: Classifier, graph: Graph) -> list[int]:
    """Index of the node that gives the features of each stage: its last one that is no pool."""
    ends: dict[int, int] = {}
    stages: dict[int, int] = {INPUT: 1}
    for i, node in enumerate(graph.nodes):
        own = model.stage_of(node.name)
        if own is None and isinstance(node.module, LAYERS):
            break  # the head begins
        # A sum has no name of its own.
        stages[i] = own or max(stages[s] for s in node.sources)
        if isinstance(node.module, (*LAYERS, Add)):
            ends[stages[i]] = i
    return [ends[stage] for stage in sorted(ends)]
