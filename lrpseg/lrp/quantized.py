"""A network's features in 8 bits: many times as fast on processors that multiply bytes, and nearly
the same.

Static quantisation after training (Jacob et al. 2018, DOI 10.1109/CVPR.2018.00286): weights have a
scale for each output channel and 127 levels to each side, what flows between layers has one scale
for each layer and 256 levels from 0 on, as it follows a ReLU. The scale comes from the highest
value that training pictures gave there (`highest_outputs`). Sums are of whole numbers, so that a
tile gives the same in any batch.
"""

from collections.abc import Callable, Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lrpseg.lrp.graph import INPUT, Add, Node, read_graph
from lrpseg.lrp.lean_steps import pair
from lrpseg.lrp.places import stage_ends
from lrpseg.lrp.support import is_plain
from lrpseg.models.contract import Classifier
from lrpseg.models.inputs import Normalisation

LEVELS = 255
WEIGHT_LEVELS = 127

Inputs = tuple[Tensor, ...]
Step = Callable[[Inputs], Tensor]


def pays(device: torch.device) -> bool:
    """Whether `device` multiplies bytes by itself, and PyTorch uses it: x86 with VNNI or AMX.

    Without, it would gain little, and products of two bytes can overflow.
    """
    told: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    able = any(told.get(name) for name in ("avx512_vnni", "avx_vnni", "amx_int8"))
    here = device.type == "cpu" and torch.backends.mkldnn.is_available()
    return here and able and hasattr(torch.ops.onednn, "qconv2d_pointwise")


class CannotQuantizeError(Exception):
    """A part of the network, or a range of its values, is not there for 8 bits; says which."""


class Quantized:
    """The stages of a classifier's features in 8 bits. Safe to share between threads.

    Args:
        model: the network; its weights are copied.
        normalisation: of the input; says what its lowest and highest value are.
        highest: the highest output of each layer, by name, see `highest_outputs`.
        every: give all stages, not only the last.

    Raises:
        CannotQuantizeError: it has a module that is not known here, or `highest` is of another.
    """

    def __init__(
        self,
        model: Classifier,
        normalisation: Normalisation,
        highest: Mapping[str, float],
        every: bool = False,
    ) -> None:
        graph = read_graph(model)
        ends = stage_ends(model, graph)
        self._wanted = ends if every else ends[-1:]
        lowest, highest_input = normalisation.bounds()
        low, high = float(lowest.min()), float(highest_input.max())
        self._scale = (high - low) / LEVELS
        self._zero = round(-low / self._scale)
        # The scale of what each node gives; None: it is no longer in bytes.
        self._scales: dict[int, float | None] = {}
        self._steps: list[tuple[tuple[int, ...], Step]] = []
        for i, node in enumerate(graph.nodes[: ends[-1] + 1]):
            scale = None
            if node.relu:
                if not highest.get(node.name, 0) > 0:
                    raise CannotQuantizeError(f"the highest output of {node.name}")
                scale = highest[node.name] / LEVELS
            self._steps.append((node.sources, self._step(node, scale)))
            pools = isinstance(node.module, nn.MaxPool2d)
            self._scales[i] = self._scales[node.sources[0]] if pools else scale
        uses = {s: i for i, (sources, _) in enumerate(self._steps) for s in sources}
        self._kept_until = {**uses, **dict.fromkeys(self._wanted, len(self._steps))}

    @torch.inference_mode()
    def __call__(self, x: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised to the features of the stages that were asked for, float32, as of
        `Classifier.scales`."""
        x = x.contiguous(memory_format=torch.channels_last)
        held = {INPUT: (x / self._scale).add_(self._zero).round_().clamp_(0, LEVELS).byte()}
        for i, (sources, step) in enumerate(self._steps):
            held[i] = step(tuple(held[s] for s in sources))
            held = {s: t for s, t in held.items() if self._kept_until.get(s, i) > i}
        return [self._plain(held[i], i) for i in self._wanted]

    def _plain(self, given: Tensor, node: int) -> Tensor:
        scale = self._scales[node]
        return given if scale is None else given.float().mul_(scale)

    def _step(self, node: Node, scale: float | None) -> Step:
        module, source = node.module, node.sources[0]
        if isinstance(module, nn.Conv2d) and is_plain(module):
            given = (self._scale, self._zero) if source == INPUT else (self._scales[source], 0)
            if given[0] is not None:
                return _convolution(module, (given[0], given[1]), scale)
        elif isinstance(module, nn.MaxPool2d) and module.dilation == 1 and not module.ceil_mode:
            if self._scales.get(source) is not None:
                return _max_pool(module)
        elif isinstance(module, Add):
            return self._add(node, scale)
        raise CannotQuantizeError(f"{type(module).__name__} ({node.name})")

    def _add(self, node: Node, scale: float | None) -> Step:
        def add(inputs: Inputs) -> Tensor:
            a, b = (self._plain(x, s) for x, s in zip(inputs, node.sources, strict=True))
            total = a + b
            return total if scale is None else total.div_(scale).round_().clamp_(0, LEVELS).byte()

        return add


def _convolution(module: nn.Conv2d, given: tuple[float, int], scale: float | None) -> Step:
    """given: scale and zero of its input. scale: of its output after a ReLU; None: there is no
    ReLU, and it gives float32."""
    weight = module.weight.detach().float()
    scales = weight.abs().amax(dim=(1, 2, 3)).clamp_(min=1e-12) / WEIGHT_LEVELS
    whole = torch.round(weight / scales[:, None, None, None]).to(torch.int8)
    zeros = torch.zeros(len(scales), dtype=torch.int32)
    bias = None if module.bias is None else module.bias.detach().float()
    how = ([*module.stride], [*module.padding], [*module.dilation], module.groups)
    ops = torch.ops.onednn
    packed = ops.qconv_prepack(whole, scales, *given, *how, None)
    # The sum's scale of 1 means that what leaves is the number itself.
    out = (1.0, 0, torch.float32, "none") if scale is None else (scale, 0, torch.uint8, "relu")

    def convolve(inputs: Inputs) -> Tensor:
        (x,) = inputs
        return ops.qconv2d_pointwise(x, *given, packed, scales, zeros, bias, *how, *out, [], "")

    return convolve


def _max_pool(module: nn.MaxPool2d) -> Step:
    """PyTorch's own has no bytes. Padding with 0 is as good as without: nothing is below it."""
    kernel, stride, padding = (pair(v) for v in (module.kernel_size, module.stride, module.padding))

    def pool(inputs: Inputs) -> Tensor:
        (x,) = inputs
        if any(padding):
            x = F.pad(x, (padding[1], padding[1], padding[0], padding[0]))
        ends = [side - k + 1 for side, k in zip(x.shape[2:], kernel, strict=True)]
        parts = [
            x[:, :, i : i + ends[0] : stride[0], j : j + ends[1] : stride[1]]
            for i in range(kernel[0])
            for j in range(kernel[1])
        ]
        found = parts[0].clone(memory_format=torch.channels_last)
        for part in parts[1:]:
            torch.maximum(found, part, out=found)
        return found

    return pool


@torch.inference_mode()
def highest_outputs(model: Classifier, batches: Iterable[Tensor]) -> dict[str, float]:
    """The highest value that each layer or sum before a ReLU gives, by name, up to the last stage.

    batches: (B, 3, H, W) normalised, of pictures of the kind that the network is for.
    """
    graph = read_graph(model)
    nodes = graph.nodes[: stage_ends(model, graph)[-1] + 1]
    found: dict[str, float] = {}
    for x in batches:
        held = {INPUT: x.contiguous(memory_format=torch.channels_last)}
        for i, node in enumerate(nodes):
            z = node.module(*(held[s] for s in node.sources))
            held[i] = torch.relu(z) if node.relu else z
            if node.relu:
                found[node.name] = max(found.get(node.name, 0.0), float(held[i].amax()))
    return found
