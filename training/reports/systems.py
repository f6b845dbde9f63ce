"""The systems that are scored side by side: LRP, other attributions, and plain image thresholds.

A system turns crops into one map per crop and class, from which each thresholder makes a likelihood
and a mask; attributions that are not LRP go through the same thresholders.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lrpseg.core.registry import Registry
from lrpseg.domains import Domain
from lrpseg.lrp import RULE_SETS, explainer_of
from lrpseg.models.contract import Classifier
from lrpseg.models.loaded import Loaded
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.settings import Settings
from lrpseg.pipeline.testifying import second
from lrpseg.witness.verdict import Verdict
from lrpseg.witness.witness import Testimony, WitnessFiles, load_witness

Maps = NDArray[np.float32]
Start = Callable[[Tensor], Tensor]
"""From outputs (B, ...) to their weights in what is explained."""

Attribution = Callable[[Classifier, Start, Tensor], Tensor]
"""From normalised input (B, 3, H, W) to a map (B, H, W), larger where damage is."""


def _log_odds(kind: int, classes: int) -> Start:
    """d(log-odds of the class `kind`)/d(outputs): what the gradient methods explain, as LRP's
    log-odds start does."""

    def start(outputs: Tensor) -> Tensor:
        weights = torch.zeros_like(outputs)
        weights[:, 1 if classes == 1 else kind] = 1
        if classes == 1:
            weights[:, 0] = -1
        return weights

    return start


def _input_times_gradient(model: Classifier, start: Start, x: Tensor) -> Tensor:
    from zennit.attribution import Gradient  # as everywhere late: it imports all of torchvision

    with Gradient(model) as attributor:
        _, gradient = attributor(x.clone().requires_grad_(), start)
    return (x * gradient).sum(dim=1)


def _smooth_grad(model: Classifier, start: Start, x: Tensor) -> Tensor:
    from zennit.attribution import SmoothGrad

    torch.manual_seed(0)  # its noise is random
    with SmoothGrad(model, noise_level=0.1, n_iter=20) as attributor:
        _, gradient = attributor(x.clone().requires_grad_(), start)
    # A sensitivity has no sign that speaks for damage; its magnitude is what is shown.
    return gradient.abs().sum(dim=1)


def _integrated_gradients(model: Classifier, start: Start, x: Tensor) -> Tensor:
    from zennit.attribution import IntegratedGradients

    with IntegratedGradients(model, n_iter=20) as attributor:
        _, gradient = attributor(x.clone().requires_grad_(), start)
    return gradient.sum(dim=1)


def _grad_cam(model: Classifier, start: Start, x: Tensor) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017, DOI 10.1109/ICCV.2017.74) on the last stage's features."""
    features = model.scales(x.clone().requires_grad_())[-1]
    outputs = model.classify(features)
    (gradient,) = torch.autograd.grad((outputs * start(outputs)).sum(), features)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    cam = (weights * features).sum(dim=1, keepdim=True).relu()
    return F.interpolate(cam, x.shape[2:], mode="bilinear", align_corners=False)[:, 0].detach()


BASELINES: Registry[Attribution] = Registry("baseline")
BASELINES.add("input x gradient", _input_times_gradient)
BASELINES.add("SmoothGrad", _smooth_grad)
BASELINES.add("integrated gradients", _integrated_gradients)
BASELINES.add("Grad-CAM", _grad_cam)


@dataclass(frozen=True)
class Explained:
    """What N crops give for K classes: `relevance` (N, K, side, side) of a classifier, `maps` (N,
    K, side, side) for the thresholders (the relevance, or a network's own likelihood),
    probabilities (N, K)."""

    relevance: Maps
    maps: Maps
    probabilities: NDArray[np.float64]


def network_maps(
    domain: Domain, settings: Settings, crops: NDArray[np.uint8], device: torch.device
) -> Explained:
    """What thresholders and refiners get of a domain's network, for all crops (N, side, side, 3).

    Where the network proposes masks by itself, relevance is that of the domain's classifier.
    """
    loaded = NETWORKS[settings.network].load(domain).to(device)
    return maps_of(loaded, domain, settings, crops, device)


def maps_of(
    loaded: Loaded,
    domain: Domain,
    settings: Settings,
    crops: NDArray[np.uint8],
    device: torch.device,
    batch: int = 8,
) -> Explained:
    """As `network_maps`, of a network that is loaded: of all crops and classes, also of those that
    it says are not there. Rule set, start, pooling and engine are the settings'."""
    explain = explainer_of(
        loaded, RULE_SETS[settings.rule_set], domain.normalisation, settings.start,
        settings.pooling, settings.engine,
    )  # fmt: skip
    relevance, maps, probabilities = [], [], []
    for x in _batches(domain, crops, device, batch):
        found = explain(x, _every)  # rows by picture, then by class
        shape = (*found.log_odds.shape, *x.shape[2:])
        relevance.append(found.relevance.float().cpu().numpy().reshape(shape))
        own = found.relevance if found.likelihood is None else found.likelihood
        maps.append(own.float().cpu().numpy().reshape(shape))
        probabilities.append(torch.sigmoid(found.log_odds.cpu().double()).numpy())
    return Explained(*(np.concatenate(parts) for parts in (relevance, maps, probabilities)))


class Deciding:
    """A domain's network as what only decides (`training.loops.validation.Tells`)."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded

    def eval(self) -> "Deciding":
        return self  # it was loaded so

    def __call__(self, x: Tensor) -> Tensor:
        return self._loaded.decide(x)[1]

    def log_odds(self, outputs: Tensor) -> Tensor:
        """The outputs as they are."""
        return outputs


def baseline_maps(
    name: str,
    model: Classifier,
    domain: Domain,
    crops: NDArray[np.uint8],
    device: torch.device,
    batch: int = 8,
) -> Maps:
    """Maps (N, K, side, side) of one of `BASELINES` for crops (N, side, side, 3)."""
    count = len(model.classes)
    # Zennit and autograd need a model whose activations carry gradients, in ordinary mode.
    with torch.enable_grad():
        maps = [
            torch.stack(
                [BASELINES[name](model, _log_odds(k, count), x).detach() for k in range(count)],
                dim=1,
            )
            for x in _batches(domain, crops, device, batch)
        ]
    return torch.cat(maps).float().cpu().numpy()


def _batches(
    domain: Domain, crops: NDArray[np.uint8], device: torch.device, batch: int
) -> Iterator[Tensor]:
    for part in torch.from_numpy(crops).split(batch):
        yield domain.normalisation(part.to(device))


def witnessed(
    files: WitnessFiles, pictures: Iterable[NDArray[np.uint8]], device: torch.device
) -> list[Testimony]:
    """What a witness says of each picture (H, W, 3) uint8."""
    witness = load_witness(files, device)
    return [witness(picture) for picture in pictures]


def seconded_maps(
    maps: Maps, settings: Settings, heard: Sequence[Testimony], verdict: Verdict
) -> Maps:
    """What thresholders get of maps (N, K, H, W) where a witness was heard on each picture."""
    likelihood = NETWORKS[settings.network].evidence == "likelihood"
    made = maps.copy()
    for index, testimony in enumerate(heard):
        for kind, values in enumerate(maps[index]):
            found = second(values, likelihood, testimony, verdict)
            made[index, kind] = values if found is None else found
    return made


def several_of(domain: Domain) -> tuple[str, ...]:
    """The classes that are scored each for itself: none where there is one."""
    return domain.classes.names if len(domain.classes) > 1 else ()


def _every(log_odds: Tensor) -> Tensor:
    return torch.ones_like(log_odds, dtype=torch.bool)
