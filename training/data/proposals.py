"""Masks of training pictures that nobody drew: from LRP, from a network of the round before, or
empty where a network is mistaken.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lrpseg.domains import Domain
from lrpseg.models.inputs import Normalisation
from lrpseg.models.networks import INPUT_SIZE, NETWORKS
from lrpseg.pipeline.defaults import default_settings
from lrpseg.pipeline.testifying import NO_WITNESS
from lrpseg.pipeline.tiling import TileGrid
from lrpseg.refiners import REFINERS
from lrpseg.thresholders import THRESHOLDERS, Fitted
from training.data.crops import Image, Mask, centre_crop, load_example
from training.data.datasets import Example
from training.data.self_training_crops import Proposed
from training.loops import unet
from training.reports.systems import maps_of, seconded_maps, witnessed

REACH = 13
"""Pixels: what the network finds counts where LRP's mask, grown by half of this, touches it."""


def propose_from_lrp(refined: Fitted) -> tuple[Mask, NDArray[np.float32]]:
    """A mask from a refined likelihood (H, W), and the pixels' weights, 0 to 1: how far a pixel is
    from the threshold, as a share of how far it could be."""
    likelihood, threshold = refined.likelihood, refined.threshold
    above = (likelihood - threshold) / max(1 - threshold, 1e-6)
    below = (threshold - likelihood) / max(threshold, 1e-6)
    return refined.mask, np.clip(np.maximum(above, below), 0.1, 1).astype(np.float32)


def propose(likelihood: NDArray[np.float32], lrp: Mask) -> tuple[Mask, NDArray[np.float32]]:
    """A mask from what a network and LRP find, both (H, W), and the pixels' weights, 0 to 1.

    In the mask: components of likelihood 0.5 or more that LRP's mask comes near. Their pixels, and
    those that neither finds, count by |2 likelihood - 1|; where only one finds damage: 0.
    """
    grown = cv2.dilate(lrp.astype(np.uint8), np.ones((REACH, REACH), np.uint8)) > 0
    found = likelihood >= 0.5
    _, labels = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    near = np.unique(labels[found & grown])
    mask = found & np.isin(labels, near)
    weight = np.abs(2 * likelihood - 1)
    weight[found & ~mask] = 0
    # Along the border the two differ by a few pixels: what counts is what lies apart.
    beside = cv2.dilate(mask.astype(np.uint8), np.ones((REACH, REACH), np.uint8)) > 0
    weight[lrp & ~beside] = 0
    return mask, weight.astype(np.float32)


def mistakes(
    images: Sequence[Image],
    network: nn.Module,
    device: torch.device,
    normalise: Normalisation,
    side: int = INPUT_SIZE,
) -> list[Proposed]:
    """Crops of intact pictures, each around the pixel where `network`, (B, 3, H, W) to logits
    (B, 2, H, W), is surest of damage, of all tiles where it says 0.3 or more; with empty masks."""
    found = []
    for image in images:
        tiles = list(TileGrid(image.shape[0], image.shape[1], tile=side))
        cut = np.stack([t.of(image) for t in tiles])
        likelihoods = unet.predict(network, cut, device, normalise)
        for tile, likelihood in zip(tiles, likelihoods, strict=True):
            smooth = cv2.blur(likelihood, (5, 5))
            y, x = np.unravel_index(int(smooth.argmax()), smooth.shape)
            if smooth[y, x] < 0.3:
                continue
            spot = np.array((tile.y + int(y), tile.x + int(x)))
            top, left = np.clip(spot - side // 2, 0, np.array(image.shape[:2]) - side)
            crop = image[top : top + side, left : left + side]
            empty = np.zeros(crop.shape[:2], bool)
            found.append(Proposed(crop, empty, np.ones(crop.shape[:2], np.float32)))
    return found


def proposals(
    examples: list[Example],
    domain: Domain,
    refiner: str,
    network: nn.Module | None,
    device: torch.device,
) -> list[list[Proposed]]:
    """Proposed masks of the damaged examples' crops, a list for each region.

    Crops that are called intact, by the classifier or where the domain has a witness by both, are
    left out, and those on which LRP and `network`, where there is one, agree on no pixel. LRP's
    masks are of what the witness sees, too.
    """
    settings = default_settings(domain, classifiers_only=True)
    loaded = NETWORKS[settings.network].load(domain).to(device)
    side = loaded.tile
    crops = np.stack([centre_crop(*load_example(e, side), side)[0] for e in examples])
    explained = maps_of(loaded, domain, settings, crops, device)
    maps, probabilities = explained.maps, explained.probabilities[:, 0]
    if settings.witness != NO_WITNESS:
        files = domain.witnesses[settings.witness]
        heard = witnessed(files, crops, device)
        maps = seconded_maps(maps, settings, heard, files.verdict)
        pairs = zip(probabilities, heard, strict=True)
        probabilities = np.array([files.verdict.of_both(p, h.score) for p, h in pairs])
    fit = THRESHOLDERS[settings.thresholder].fit
    found: dict[str, list[Proposed]] = {}
    for i, (example, crop) in enumerate(zip(examples, crops, strict=True)):
        if probabilities[i] <= 0.5:
            continue
        evidence = maps[i, 0]
        refined = REFINERS[refiner].refine(crop, evidence, evidence, fit(evidence))
        mask, weight = propose_from_lrp(refined)
        if network is not None:
            likelihood = unet.predict(network, crop[None], device, domain.normalisation)[0]
            mask, weight = propose(likelihood, mask)
        if mask.any():
            found.setdefault(example.region, []).append(Proposed(crop, mask, weight))
    return list(found.values())
