"""The ways to propose masks whose effort is compared: blank, LRP, self-trained, U-Net."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lrpseg.core.devices import pick_device
from lrpseg.domains import Domain
from lrpseg.lrp import RULE_SETS
from lrpseg.masks.figures import Mask
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.curves import UNION
from lrpseg.pipeline.defaults import default_settings
from lrpseg.pipeline.loading import load
from lrpseg.pipeline.settings import BEST, Settings
from lrpseg.refiners import DEFAULT_REFINER, REFINERS
from lrpseg.thresholders import THRESHOLDERS
from training.loops.unet import load_unet
from training.reports.peers import UNET_NAME, unet_system
from training.reports.segmentation import Pictures

BLANK = "blank"
SELF_TRAINED = "self-trained"

Masks = Callable[[Pictures], Mapping[str, Sequence[Mask]]]
"""From N pictures to the mask (H, W) that a method proposes for each: of all damage together
(`UNION`), and of each class where it tells them apart."""


@dataclass(frozen=True)
class Method:
    """One way to propose masks; `about` says with which settings."""

    name: str
    about: str
    masks: Masks


def methods(
    domain: Domain, lrp: Settings, refined: Settings, unet: Path | None, device: str
) -> list[Method]:
    """What is compared; a method whose network or refiner is not there is left out."""
    found = [Method(BLANK, "nothing proposed", _blank)]
    found.append(
        Method("LRP, as in the paper", _told(lrp), partial(segmented, domain, lrp, device))
    )
    if refined.refiner != DEFAULT_REFINER:
        make = partial(segmented, domain, refined, device)
        found.append(Method("LRP, refined", _told(refined), make))
    if SELF_TRAINED in domain.checkpoints:
        own = default_settings(domain, network=SELF_TRAINED)
        found.append(Method(SELF_TRAINED, _told(own), partial(segmented, domain, own, device)))
    if unet is not None:
        network = load_unet(unet)

        def baseline(pictures: Pictures) -> Mapping[str, Sequence[Mask]]:
            where = pick_device(device)
            return {UNION: unet_system(network, pictures, domain.normalisation, where).mask}

        found.append(Method(UNET_NAME, f"{network.width} channels at full resolution", baseline))
    return found


def _blank(pictures: Pictures) -> dict[str, list[Mask]]:
    empty = [np.zeros_like(truth) for truth in pictures.truth]
    return dict.fromkeys((UNION, *pictures.classes), empty)


def segmented(
    domain: Domain, settings: Settings, device: str, pictures: Pictures
) -> dict[str, list[Mask]]:
    """The masks that `lrpseg.load` gives."""
    names = {name: getattr(settings, name) for name in (*BEST, "witness")}
    segmenter = load(str(domain.folder), **names, device=device)
    found: dict[str, list[Mask]] = {UNION: []}
    for result in segmenter.stream(pictures.images):
        found[UNION].append(result.mask)
        for layer in result.layers:
            found.setdefault(layer.name, []).append(layer.mask)
    return found


def _told(settings: Settings) -> str:
    network = NETWORKS[settings.network]
    parts = [network.title, THRESHOLDERS[settings.thresholder].title]
    if network.evidence == "relevance":
        parts.insert(1, RULE_SETS[settings.rule_set].title)
    if settings.refiner != DEFAULT_REFINER:
        parts.append(REFINERS[settings.refiner].title)
    return ", ".join(parts)
