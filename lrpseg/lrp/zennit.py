"""The same rule sets as Zennit composites: the oracle of the lean engine, and any other rule."""

import copy
import threading
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from zennit.attribution import Gradient
from zennit.composites import NameLayerMapComposite
from zennit.core import Hook, Stabilizer, stabilize
from zennit.rules import AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZBox

from lrpseg.lrp import rules
from lrpseg.lrp.options import POOLINGS, STARTS
from lrpseg.models.inputs import Normalisation
from lrpseg.models.vgg import FEATURE_NAMES, VggA


class AveragePoolBackward(Hook):
    """Lets relevance pass a max-pool as an average pool would (Montavon et al. 2019)."""

    def forward(self, module: nn.MaxPool2d, inputs: tuple[Tensor], output: Tensor) -> None:
        self.stored_tensors["input"] = inputs

    def backward(
        self, module: nn.MaxPool2d, grad_input: tuple[Tensor], grad_output: tuple[Tensor]
    ) -> tuple[Tensor]:
        with torch.enable_grad():
            a = self.stored_tensors["input"][0].detach().clone().requires_grad_()
            mean = F.avg_pool2d(a, module.kernel_size, module.stride)
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


def make_composite(
    rule_set: rules.RuleSet, model: VggA, normalisation: Normalisation, pooling: str
) -> NameLayerMapComposite:
    """`rule_set` as a Zennit composite for `model`."""
    low, high = normalisation.bounds()
    # Tuples of names: Zennit matches a bare string by substring, which also hooks the root module.
    name_map = [
        ((FEATURE_NAMES[layer],), _HOOKS[type(rule)](rule, low, high))
        for layer, rule in rule_set.convolutions.items()
    ]
    name_map += [
        ((name,), _HOOKS[type(rule_set.fc)](rule_set.fc, low, high))
        for name, _ in model.fc_layers()
    ]
    layer_map = [((nn.MaxPool2d,), AveragePoolBackward())] if POOLINGS[pooling].average else []
    return NameLayerMapComposite(name_map=name_map, layer_map=layer_map)


class ZennitEngine:
    """LRP through Zennit, one call at a time.

    Zennit swaps a module's parameters during the backward pass, so two threads on one model get
    wrong maps without an error. This engine owns a copy of the model and a lock on it.
    Arguments as for `lrpseg.lrp.engine.LeanEngine`.
    """

    def __init__(
        self,
        model: VggA,
        rule_set: rules.RuleSet,
        normalisation: Normalisation,
        start: str,
        pooling: str,
    ) -> None:
        self._lock = threading.Lock()
        self._start = STARTS[start]
        self._model = copy.deepcopy(model).eval().requires_grad_(False)
        self._composite = make_composite(rule_set, self._model, normalisation, pooling)
        last = self._model.fc_layers()[-1][1]
        with torch.no_grad():
            weight, bias = self._start.fold(last.weight), self._start.fold(last.bias)
            folded = nn.Linear(weight.shape[1], weight.shape[0]).to(weight)
            folded.weight.copy_(weight)
            folded.bias.copy_(bias)
        self._plain = copy.deepcopy(self._model)  # never hooked: its logits need no lock
        self._model.classifier[-1] = folded.requires_grad_(False)

    @torch.inference_mode()
    def logits(self, x: Tensor) -> Tensor:
        """(B, 3, 224, 224) normalised input to logits (B, 2)."""
        return self._plain(x)

    def relevance(self, x: Tensor) -> Tensor:
        """(B, 3, 224, 224) normalised input to relevance (B, 224, 224), summed over channels."""
        with self._lock, torch.enable_grad():
            # A clone: a tensor that was made in inference mode cannot require gradients.
            inputs = x.detach().clone().requires_grad_()
            with Gradient(self._model, self._composite) as attributor:
                _, relevance = attributor(inputs, self._start.relevance)
        return relevance.detach().sum(dim=1)
