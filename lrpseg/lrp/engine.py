"""The lean LRP engine: a read-only function over activations and weights prepared once.

It gives what Zennit gives (to rounding) at a third of the cost: no hooks, no autograd, nothing on
the model is touched, so many threads may run one engine at once. It rests on two facts of a ReLU
network. The input of each layer but the first is non-negative, so of the sign branches of gamma and
alpha-beta only those of positive inputs are alive. And relevance above a ReLU is exactly zero where
the ReLU's output is, so the output stands for the pre-activation everywhere. A layer without a ReLU
of its own (before a residual sum) has both branches of positive inputs.

Cost in passes of one convolution (forward or backward) where a ReLU follows: epsilon and 0 two,
gamma three, alpha-beta four, z^B three, with the forward pass counted in.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lrpseg.lrp import rules
from lrpseg.lrp.graph import INPUT, LAYERS, Graph, read_graph
from lrpseg.lrp.lean_rules import LEAN, Layer, Linear, ZBoxStep, root_mean_square
from lrpseg.lrp.lean_steps import STEPS as PLAIN
from lrpseg.lrp.lean_steps import LayerStep, Step
from lrpseg.lrp.options import POOLINGS, STARTS
from lrpseg.lrp.places import places, stage_ends
from lrpseg.lrp.support import LeanLacksError, lacks
from lrpseg.models.contract import Classifier
from lrpseg.models.inputs import Normalisation


@dataclass(frozen=True)
class Activations:
    """What one forward pass leaves for the backward pass; all tensors have B rows.

    x: the input; outputs, kept: of each node of the graph, as `Step.forward` gives them.
    """

    x: Tensor
    outputs: list[Tensor]
    kept: list[Tensor | None]

    @property
    def logits(self) -> Tensor:
        """The network's outputs."""
        return self.outputs[-1]

    def at(self, sources: Iterable[int]) -> tuple[Tensor, ...]:
        """What the given nodes gave."""
        return tuple(self.x if i == INPUT else self.outputs[i] for i in sources)

    def rows(self, index: Tensor) -> "Activations":
        """The given rows (a 1-D tensor of indices) of all of it."""
        count = len(self.logits)
        if len(index) == count and torch.equal(index, torch.arange(count, device=index.device)):
            return self
        return Activations(
            self.x[index],
            [t[index] for t in self.outputs],
            [None if t is None else t[index] for t in self.kept],
        )


class LeanEngine:
    """LRP for one network, rule set, start and pooling. Safe to share between threads.

    Args:
        model: the network; its weights are copied into prepared form, and it is not touched again.
        rule_set: one for which `lean_lacks` is None.
        normalisation: of the input; gives z^B its box.
        start: a name in `STARTS`. pooling: a name in `POOLINGS`.

    Raises:
        LeanLacksError: a rule or a part of the network that the engine does not have.
    """

    def __init__(
        self,
        model: Classifier,
        rule_set: rules.RuleSet,
        normalisation: Normalisation,
        start: str,
        pooling: str,
    ) -> None:
        graph = read_graph(model)
        lacking = lacks(model, graph, rule_set)
        if lacking is not None:
            raise LeanLacksError(lacking)
        self._start, self._classes = STARTS[start], len(model.classes)
        self._sources = [node.sources for node in graph.nodes]
        self.cut = _cut(model, graph)
        """Index of the node that gives the features from which `Classifier.classify` goes on; None
        where the head reads other nodes, too."""
        self._last_use = {s: i for i, sources in enumerate(self._sources) for s in sources}
        with torch.no_grad():
            self._steps = self._built(model, graph, rule_set, normalisation, pooling)

    def _built(
        self,
        model: Classifier,
        graph: Graph,
        rule_set: rules.RuleSet,
        normalisation: Normalisation,
        pooling: str,
    ) -> list[Step]:
        at = places(model, graph)
        steps: list[Step] = []
        for i, node in enumerate(graph.nodes):
            module = node.module
            if not isinstance(module, LAYERS):
                steps.append(PLAIN[type(module)](module, node, POOLINGS[pooling]))
                continue
            rule, layer = rule_set.at(at[i]), _layer(module, node.relu)
            if i + 1 == len(graph.nodes):
                # The last layer is explained from the neurons that `start` makes of the outputs.
                fold = self._start.fold
                folded = Layer(
                    module,
                    fold(layer.weight, self._classes),
                    fold(layer.bias, self._classes),
                    False,
                )
                self._folded = _step(folded, rule)
            if isinstance(rule, rules.ZBox):
                zbox = ZBoxStep(layer, normalisation, model.tile)
                steps.append(LayerStep(_forward(layer), layer.bias, layer.relu, False, zbox))
            else:
                steps.append(_step(layer, rule))
        return steps

    @torch.inference_mode()
    def forward(self, x: Tensor) -> Activations:
        """(B, 3, H, W) normalised input to activations; `.logits` are the network's outputs."""
        found = Activations(x.contiguous(memory_format=torch.channels_last), [], [])
        for step, sources in zip(self._steps, self._sources, strict=True):
            output, kept = step.forward(found.at(sources))
            found.outputs.append(output)
            found.kept.append(kept)
        return found

    @torch.inference_mode()
    def features(self, x: Tensor) -> Tensor:
        """What the node `cut` gives, for (B, 3, H, W) of any multiple of its stride; nothing is
        kept for the way back."""
        assert self.cut is not None
        return self._through(x, 0, self.cut + 1)

    @torch.inference_mode()
    def head(self, features: Tensor) -> Tensor:
        """The network's outputs, from what the node `cut` gives for inputs of its side."""
        assert self.cut is not None
        return self._through(features, self.cut + 1, len(self._steps))

    def _through(self, x: Tensor, first: int, end: int) -> Tensor:
        """What the node before `end` gives where the one before `first` gave `x`."""
        held = {first - 1: x.contiguous(memory_format=torch.channels_last)}
        for i in range(first, end):
            held[i] = self._steps[i].forward(tuple(held[s] for s in self._sources[i]))[0]
            held = {s: t for s, t in held.items() if s == i or self._last_use[s] > i}
        return held[end - 1]

    @torch.inference_mode()
    def relevance(self, activations: Activations, classes: Tensor) -> Tensor:
        """Relevance (B, H, W) of each pixel, summed over its channels, for the class index of each
        of the B rows, (B,)."""
        act, last = activations, len(self._steps) - 1
        inputs = act.at(self._sources[last])
        z = self._folded.linear(inputs[0], self._folded.bias)
        start = self._start.relevance(z, classes, self._classes)
        (share,) = self._folded.back(inputs, z, root_mean_square(z), start)
        relevance = {self._sources[last][0]: share}
        for i in range(last - 1, -1, -1):
            sources = self._sources[i]
            shares = self._steps[i].back(
                act.at(sources), act.outputs[i], act.kept[i], relevance.pop(i)
            )
            for source, share in zip(sources, shares, strict=True):
                before = relevance.get(source)
                relevance[source] = share if before is None else before.add_(share)
        return relevance[INPUT]


def _cut(model: Classifier, graph: Graph) -> int | None:
    """The node that ends the last stage; see `LeanEngine.cut`."""
    cut = stage_ends(model, graph)[-1]
    later = (node.sources for node in graph.nodes[cut + 1 :])
    return cut if all(min(sources) >= cut for sources in later) else None


def _layer(module: nn.Conv2d | nn.Linear, relu: bool) -> Layer:
    # In the order that convolutions run in: prepared once, for the layer and its rule.
    order = torch.channels_last if isinstance(module, nn.Conv2d) else torch.preserve_format
    weight = module.weight.detach().clone(memory_format=order)
    bias = weight.new_zeros(len(weight)) if module.bias is None else module.bias.detach().clone()
    return Layer(module, weight, bias, relu)


def _forward(layer: Layer) -> Linear:
    return layer.linear(layer.weight, transposes=False)


def _step(layer: Layer, rule: rules.Rule) -> LayerStep:
    return LayerStep(
        _forward(layer),
        layer.bias,
        layer.relu,
        isinstance(rule, rules.Epsilon),
        LEAN[type(rule)](rule, layer),
    )
