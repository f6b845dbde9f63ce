"""The systems that are scored side by side: LRP, other attributions, and plain image thresholds.

A system turns crops into one map per crop, from which each thresholder makes a likelihood and a
mask; attributions that are not LRP go through the same thresholders.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from zennit.attribution import Gradient, IntegratedGradients, SmoothGrad

from lrpseg.core.registry import Registry
from lrpseg.domains import Domain
from lrpseg.domains.weights import load_classifier, load_decider
from lrpseg.lrp import DEFAULT_POOLING, DEFAULT_START, RULE_SETS, make_explainer
from lrpseg.models.networks import NETWORKS
from lrpseg.models.vgg import VggA
from training.loops.validation import damage_probability

Maps = NDArray[np.float32]
Attribution = Callable[[VggA, Domain, Tensor], Tensor]
"""From normalised input (B, 3, 224, 224) to a map (B, 224, 224), larger where damage is."""


def _log_odds(logits: Tensor) -> Tensor:
    """d(z1 - z0)/d(logits): what the gradient methods explain, as LRP's log-odds start does."""
    start = torch.ones_like(logits)
    start[:, 0] = -1
    return start


def _input_times_gradient(model: VggA, domain: Domain, x: Tensor) -> Tensor:
    with Gradient(model) as attributor:
        _, gradient = attributor(x.clone().requires_grad_(), _log_odds)
    return (x * gradient).sum(dim=1)


def _smooth_grad(model: VggA, domain: Domain, x: Tensor) -> Tensor:
    torch.manual_seed(0)  # its noise is random
    with SmoothGrad(model, noise_level=0.1, n_iter=20) as attributor:
        _, gradient = attributor(x.clone().requires_grad_(), _log_odds)
    # A sensitivity has no sign that speaks for damage; its magnitude is what is shown.
    return gradient.abs().sum(dim=1)


def _integrated_gradients(model: VggA, domain: Domain, x: Tensor) -> Tensor:
    with IntegratedGradients(model, n_iter=20) as attributor:
        _, gradient = attributor(x.clone().requires_grad_(), _log_odds)
    return gradient.sum(dim=1)


def _grad_cam(model: VggA, domain: Domain, x: Tensor) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017, DOI 10.1109/ICCV.2017.74) on the last convolution."""
    features = model.features[:-1](x.clone().requires_grad_())  # before the last max-pool
    logits = model.classifier(torch.flatten(model.features[-1](features), 1))
    (gradient,) = torch.autograd.grad((logits[:, 1] - logits[:, 0]).sum(), features)
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
    """What N crops give: `relevance` (N, 224, 224) of a classifier, `maps` (N, 224, 224) for the
    thresholders (the relevance, or a network's own likelihood), probability of damage (N,)."""

    relevance: Maps
    maps: Maps
    probabilities: NDArray[np.float64]


def lrp_maps(
    model: VggA,
    domain: Domain,
    rule_set: str,
    start: str,
    pooling: str,
    crops: NDArray[np.uint8],
    device: torch.device,
    batch: int = 8,
) -> Explained:
    """Relevance of all crops (N, 224, 224, 3), also of those that are classified intact."""
    explain = make_explainer(model, RULE_SETS[rule_set], domain.normalisation, start, pooling)
    maps, probabilities = [], []
    for x in _batches(domain, crops, device, batch):
        logits, _, relevance = explain(x, _every_row)
        maps.append(relevance.float().cpu().numpy())
        probabilities.append(damage_probability(logits).numpy())
    found = np.concatenate(maps)
    return Explained(found, found, np.concatenate(probabilities))


def load_classifying(domain: Domain, network: str) -> nn.Module:
    """What gives the logits (B, 2) where `network` is used: itself, or it and a classifier."""
    if NETWORKS[network].segments:
        return load_decider(domain, network)
    return load_classifier(domain, network)


def network_maps(
    domain: Domain,
    network: str,
    rule_set: str,
    crops: NDArray[np.uint8],
    device: torch.device,
    start: str = DEFAULT_START,
    pooling: str = DEFAULT_POOLING,
) -> Explained:
    """What thresholders and refiners get of a domain's network, for all crops (N, 224, 224, 3).

    Where the network segments by itself, relevance is that of the domain's classifier.
    """
    if not NETWORKS[network].segments:
        model = load_classifier(domain, network).to(device)
        return lrp_maps(model, domain, rule_set, start, pooling, crops, device)
    decider = load_decider(domain, network).to(device)
    reasons = lrp_maps(decider.classifier, domain, rule_set, start, pooling, crops, device)
    maps, probabilities = [], []
    with torch.inference_mode():
        for x in _batches(domain, crops, device, 8):
            likelihood, logits = decider.decide(x)
            maps.append(likelihood.cpu().numpy())
            probabilities.append(damage_probability(logits).numpy())
    return Explained(reasons.relevance, np.concatenate(maps), np.concatenate(probabilities))


def baseline_maps(
    name: str,
    model: VggA,
    domain: Domain,
    crops: NDArray[np.uint8],
    device: torch.device,
    batch: int = 8,
) -> Maps:
    """Maps (N, 224, 224) of one of `BASELINES` for crops (N, 224, 224, 3)."""
    # Zennit and autograd need a model whose activations carry gradients, in ordinary mode.
    with torch.enable_grad():
        maps = [
            BASELINES[name](model, domain, x).detach().float().cpu().numpy()
            for x in _batches(domain, crops, device, batch)
        ]
    return np.concatenate(maps)


def _batches(
    domain: Domain, crops: NDArray[np.uint8], device: torch.device, batch: int
) -> Iterator[Tensor]:
    for part in torch.from_numpy(crops).split(batch):
        yield domain.normalisation(part.to(device))


def _every_row(logits: Tensor) -> Tensor:
    return torch.ones(len(logits), dtype=torch.bool, device=logits.device)
