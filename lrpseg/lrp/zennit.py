"""The same rule sets as Zennit composites: the oracle of the lean engine, and any other rule."""

import copy
import threading
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from zennit.attribution import Gradient
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.composites import NameLayerMapComposite
from zennit.core import Hook, Stabilizer, stabilize
from zennit.rules import AlphaBeta, Epsilon, Flat, Gamma, Norm, WSquare, ZBox

from lrpseg.lrp import rules
from lrpseg.lrp.graph import Graph, Total, graph_of, of_modules
from lrpseg.lrp.options import POOLINGS, STARTS
from lrpseg.lrp.places import places
from lrpseg.models.contract import Classifier
from lrpseg.models.inputs import Normalisation

NamedHooks = list[tuple[tuple[str], Hook]]


class AveragePoolBackward(Hook):
    """Lets relevance pass a max-pool as an average pool would (Montavon et al. 2019)."""

    def forward(self, module: nn.MaxPool2d, inputs: tuple[Tensor], output: Tensor) -> None:
        self.stored_tensors["input"] = inputs

    def backward(
        self, module: nn.MaxPool2d, grad_input: tuple[Tensor], grad_output: tuple[Tensor]
    ) -> tuple[Tensor]:
        with torch.enable_grad():
            a = self.stored_tensors["input"][0].detach().clone().requires_grad_()
            mean = F.avg_pool2d(
                a, module.kernel_size, module.stride, module.padding, module.ceil_mode
            )
        (gradient,) = torch.autograd.grad(
            mean, a, grad_output[0] / stabilize(mean, rules.STABILIZER)
        )
        return (a.detach() * gradient,)


_HOOKS: dict[type, Callable[..., Hook]] = {
    rules.Epsilon: lambda r, low, high: Epsilon(Stabilizer(epsilon=r.std, norm_scale=True)),
    rules.Zero: lambda r, low, high: Epsilon(r.epsilon),
    rules.Gamma: lambda r, low, high: Gamma(r.gamma, stabilizer=rules.STABILIZER),
    rules.AlphaBeta: lambda r, low, high: AlphaBeta(r.alpha, r.beta, stabilizer=rules.STABILIZER),
    rules.ZBox: lambda r, low, high: ZBox(low, high, stabilizer=rules.STABILIZER),
    rules.WSquare: lambda r, low, high: WSquare(stabilizer=rules.STABILIZER),
    rules.Flat: lambda r, low, high: Flat(stabilizer=rules.STABILIZER),
}


def make_composite(hooks: NamedHooks, pooling: str) -> NameLayerMapComposite:
    """A Zennit composite of the hooks of layers, for what `merge_batch_norms` gives."""
    shared = (nn.AvgPool2d, nn.AdaptiveAvgPool2d, Total)
    layer_map: list[tuple[tuple[type[nn.Module], ...], Hook]] = [
        (shared, Norm(stabilizer=rules.STABILIZER))
    ]
    if POOLINGS[pooling].average:
        layer_map.append(((nn.MaxPool2d,), AveragePoolBackward()))
    return NameLayerMapComposite(name_map=hooks, layer_map=layer_map)


def hooks_by_name(
    rule_set: rules.RuleSet, model: Classifier, graph: Graph, normalisation: Normalisation
) -> NamedHooks:
    """The hook of each layer of `model`, by its name in `graph`; a tuple, since Zennit matches a
    bare string by substring, which also hooks the root module."""
    low, high = normalisation.bounds()
    rule_of = {i: rule_set.at(place) for i, place in places(model, graph).items()}
    return [((graph.nodes[i].name,), _HOOKS[type(r)](r, low, high)) for i, r in rule_of.items()]


def merge_batch_norms(traced: fx.GraphModule) -> fx.GraphModule:
    """`traced` with its batch norms in the layers before them."""
    for merged in SequentialMergeBatchNorm().apply(traced):
        # Zennit leaves the batch norm a variance of 1, to which it would add this.
        merged.batch_norm.eps = 0.0
    return traced


class ZennitEngine:
    """LRP through Zennit, one call at a time.

    Zennit swaps a module's parameters during the backward pass, so two threads on one model get
    wrong maps without an error. This engine owns a copy of the model and a lock on it.
    Arguments as for `lrpseg.lrp.engine.LeanEngine`.
    """

    def __init__(
        self,
        model: Classifier,
        rule_set: rules.RuleSet,
        normalisation: Normalisation,
        start: str,
        pooling: str,
    ) -> None:
        self._lock = threading.Lock()
        self._start, self._classes = STARTS[start], len(model.classes)
        self._plain = copy.deepcopy(model).eval().requires_grad_(False)  # never hooked: no lock
        traced = of_modules(model)
        hooks = hooks_by_name(rule_set, model, graph_of(traced), normalisation)
        self._composite = make_composite(hooks, pooling)
        self._model = merge_batch_norms(traced)
        name = next(n for n, module in model.named_modules() if module is model.output)
        last = self._model.get_submodule(name)
        for parameter in ("weight", "bias"):
            folded = self._start.fold(getattr(last, parameter).detach(), self._classes)
            setattr(last, parameter, nn.Parameter(folded.clone(), requires_grad=False))

    @torch.inference_mode()
    def logits(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) normalised input to the network's outputs."""
        outputs: Tensor = self._plain(x)
        return outputs

    def relevance(self, x: Tensor, classes: Tensor) -> Tensor:
        """(B, 3, H, W) normalised input to relevance (B, H, W), summed over channels, for the class
        index of each, (B,)."""
        # The caller may be in inference mode, where no gradient could be taken.
        with self._lock, torch.inference_mode(False), torch.enable_grad():
            # A clone: a tensor that was made in inference mode cannot require gradients.
            inputs, which = x.detach().clone().requires_grad_(), classes.detach().clone()
            with Gradient(self._model, self._composite) as attributor:
                _, relevance = attributor(
                    inputs, lambda z: self._start.relevance(z, which, self._classes)
                )
        return relevance.detach().sum(dim=1)
