"""Where in a network a layer stands: by that, and not by its name, a rule set chooses its rule."""

from lrpseg.lrp.graph import Graph
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
