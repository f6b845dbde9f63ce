"""A network as a list of modules in the order in which they run, each with what it reads.

`torch.fx` traces the network once. Functions that have a module of the same meaning become that
module, what changes nothing in `eval()` goes, batch norm is folded into its convolution, and a ReLU
is noted on what it follows.
"""

import copy
import operator
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lrpseg.core.errors import OptionError

INPUT = -1
"""Stands for the network's input where a node's index is asked."""

LAYERS = (nn.Conv2d, nn.Linear)
"""What has weights, and so a rule."""


class Total(nn.Module):
    """Sum over the last axis: a module, so that Zennit's rule for sums has something to hook."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(dim=-1)


class Add(nn.Module):
    """a + b, as where a residual block ends."""

    def __init__(self) -> None:
        super().__init__()
        self.total = Total()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.total(torch.stack([a, b], dim=-1))


class Unknown(nn.Module):
    """Stands for a function that is no module here; `what` says which."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what


@dataclass(frozen=True)
class Node:
    """One module and what it reads: indices of nodes, or `INPUT`.

    name: dotted, of the module in the network. relu: whether a ReLU follows, and nothing else reads
    what comes before it.
    """

    name: str
    module: nn.Module
    sources: tuple[int, ...]
    relu: bool = False


@dataclass(frozen=True)
class Graph:
    """Nodes in the order in which they run; the last one gives the outputs."""

    nodes: tuple[Node, ...]

    def layers(self) -> list[int]:
        """Indices of the nodes with weights."""
        return [i for i, node in enumerate(self.nodes) if isinstance(node.module, LAYERS)]

    def before(self, index: int) -> set[int]:
        """Indices of all nodes on which the node `index` depends."""
        found: set[int] = set()
        todo = list(self.nodes[index].sources)
        while todo:
            i = todo.pop()
            if i != INPUT and i not in found:
                found.add(i)
                todo += self.nodes[i].sources
        return found


def read_graph(model: nn.Module) -> Graph:
    """The nodes of `model`, with copies of its modules; raises as `of_modules`."""
    return graph_of(of_modules(model))


def graph_of(traced: fx.GraphModule) -> Graph:
    """The nodes of what `of_modules` gave."""
    nodes: list[Node] = []
    index: dict[fx.Node, int] = {}
    for at in traced.graph.nodes:
        if at.op == "placeholder":
            index[at] = INPUT
            continue
        if at.op == "output":
            return Graph(tuple(nodes[: index[at.args[0]] + 1]))
        sources = tuple(index[source] for source in at.all_input_nodes)
        module = _module(traced, at)
        name = str(at.target) if at.op == "call_module" else at.name
        alone = all(len(source.users) == 1 for source in at.all_input_nodes)
        last = sources[0] if len(sources) == 1 and alone else INPUT
        if isinstance(module, nn.ReLU) and last != INPUT and _takes_relu(nodes[last]):
            nodes[last] = replace(nodes[last], relu=True)
            index[at] = last
            continue
        if isinstance(module, nn.BatchNorm2d) and last != INPUT and _takes_norm(nodes[last]):
            fused = fuse_conv_bn_eval(nodes[last].module, module)  # type: ignore[type-var]
            nodes[last] = replace(nodes[last], module=fused)
            index[at] = last
            continue
        if isinstance(module, nn.ReLU) and module.inplace and not alone:
            module = Unknown("an in-place ReLU on what others read too")
        index[at] = len(nodes)
        nodes.append(Node(name, module, sources))
    raise AssertionError("a traced graph ends with its output")


def _module(traced: fx.GraphModule, at: fx.Node) -> nn.Module:
    if at.op == "call_module":
        return traced.get_submodule(str(at.target))
    return Unknown(f"the operation {getattr(at.target, '__name__', at.target)}")


def _takes_relu(node: Node) -> bool:
    return isinstance(node.module, (*LAYERS, Add)) and not node.relu


def _takes_norm(node: Node) -> bool:
    return isinstance(node.module, nn.Conv2d) and not node.relu


class _Tracer(fx.Tracer):
    """Records what its own thread does. As long as torch.fx traces, each call of a module in the
    process comes here, also of other networks that other threads run."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: dict[str, Any]
    ) -> Any:
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)


_one_at_a_time = threading.Lock()
"""Of two traces at once, the one that ends last would leave modules as the other one had them."""


def _traced(model: nn.Module) -> fx.GraphModule:
    """As `torch.fx.symbolic_trace`, beside other threads."""
    with _one_at_a_time:
        tracer = _Tracer()
        graph = tracer.trace(model)
        return fx.GraphModule(tracer.root, graph, type(model).__name__)


def of_modules(model: nn.Module) -> fx.GraphModule:
    """A copy of `model` in `eval()` mode that is made of modules, as far as there are some.

    Raises:
        OptionError: it cannot be traced.
    """
    own = copy.deepcopy(model).eval().requires_grad_(False)
    try:
        traced = _traced(own)
    except (fx.proxy.TraceError, TypeError, ValueError, RuntimeError) as error:
        raise OptionError(
            f"{type(model).__name__} cannot be explained: torch.fx cannot trace it ({error}). "
            "Write its forward() without branches that depend on values."
        ) from error
    for at in list(traced.graph.nodes):
        modules = _as_modules(traced, at)
        if modules is None:
            continue
        reached: Any = None
        for number, module in enumerate(modules):
            name = f"{at.name}_{number}_as_module"
            traced.add_submodule(name, module)
            with traced.graph.inserting_before(at):
                args = tuple(at.all_input_nodes) if number == 0 else (reached,)
                reached = traced.graph.call_module(name, args)
        at.replace_all_uses_with(reached if modules else at.all_input_nodes[0])
        traced.graph.erase_node(at)
    traced.graph.eliminate_dead_code()
    traced.recompile()
    return traced


def _as_modules(traced: fx.GraphModule, at: fx.Node) -> list[nn.Module] | None:
    """The modules that do what `at` does, one after the other; None: it stays as it is."""
    if at.op == "call_module":
        nothing = isinstance(traced.get_submodule(str(at.target)), nn.Identity | nn.Dropout)
        return [] if nothing else None
    make = _FUNCTIONS.get(at.target) if at.op in ("call_function", "call_method") else None
    if make is None:
        return None
    try:
        return make(*at.args, **at.kwargs)
    except (TypeError, ValueError):  # given in a way for which there is no module
        return None


def _add(a: Any, b: Any) -> list[nn.Module] | None:
    return [Add()] if isinstance(a, fx.Node) and isinstance(b, fx.Node) and a is not b else None


def _mean(x: Any, dim: Any, keepdim: bool = False) -> list[nn.Module] | None:
    if sorted(d % 4 for d in dim) != [2, 3]:
        return None
    return [nn.AdaptiveAvgPool2d(1)] + ([] if keepdim else [nn.Flatten()])


def _flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> list[nn.Module]:
    return [nn.Flatten(start_dim, end_dim)]


def _pool(kind: Callable[..., nn.Module]) -> Callable[..., list[nn.Module]]:
    return lambda x, *args, **options: [kind(*args, **options)]


_FUNCTIONS: dict[Any, Callable[..., list[nn.Module] | None]] = {
    **dict.fromkeys((operator.add, operator.iadd, torch.add, "add", "add_"), _add),
    **dict.fromkeys(
        (F.relu, F.relu_, torch.relu, torch.relu_, "relu", "relu_"),
        lambda x, inplace=False: [nn.ReLU()],
    ),
    **dict.fromkeys((torch.flatten, "flatten"), _flatten),
    **dict.fromkeys((torch.mean, "mean"), _mean),
    F.dropout: lambda *given, **options: [],
    F.max_pool2d: _pool(nn.MaxPool2d),
    F.avg_pool2d: _pool(nn.AvgPool2d),
    F.adaptive_avg_pool2d: _pool(nn.AdaptiveAvgPool2d),
}
