"""What LRP is compared with on the same pictures: other attributions of the same classifier, the
picture itself, the domain's witness, and the U-Net that saw pixel labels.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from lrpseg.domains import Domain
from lrpseg.models.inputs import Normalisation
from lrpseg.models.networks import INPUT_SIZE, load_calibrated
from lrpseg.pipeline.curves import UNION
from lrpseg.pipeline.testifying import WITNESSES, spread
from lrpseg.pipeline.tiling import TileGrid
from lrpseg.thresholders import THRESHOLDERS, Fitted
from training.loops.unet import UNet, predict
from training.reports.segmentation import Pictures, Segmented, fits_of, segment
from training.reports.systems import BASELINES, Maps, baseline_maps, several_of, witnessed

UNET_NAME = "U-Net (pixel labels)"
MIXTURES = ("simple", "gmm", "bmm")
"""The paper's thresholders, to which every peer's map is given."""


def baseline_systems(
    domain: Domain,
    network: str,
    crops: NDArray[np.uint8],
    found: NDArray[np.bool_],
    device: torch.device,
) -> Iterator[Segmented]:
    """Other attributions of the same classifier through the same thresholders, and Otsu on the
    picture itself, of all damage. `found` (N, K): what the classifier says is there."""
    model = load_calibrated(domain, network).to(device)
    for name in BASELINES:
        maps = baseline_maps(name, model, domain, crops, device)
        for thresholder in MIXTURES:
            entry = THRESHOLDERS[thresholder]
            fits = fits_of(maps, entry.fit)
            yield segment(f"{name}, {entry.title}", fits, found, several_of(domain))[UNION]
    darkness = 255 - crops.mean(axis=-1, dtype=np.float32)
    any_found = np.asarray(found.any(axis=1, keepdims=True))
    yield segment("Otsu on the picture", [[_otsu(d)] for d in darkness], any_found)[UNION]


def _otsu(darkness: NDArray[np.float32]) -> Fitted:
    low, high = float(darkness.min()), float(darkness.max())
    likelihood = (darkness - low) / max(high - low, 1e-6)
    return Fitted(likelihood, float(np.float32(threshold_otsu(likelihood))), True, 1)


def unet_system(
    unet: UNet, pictures: Pictures, normalise: Normalisation, device: torch.device
) -> Segmented:
    """The U-Net baseline, trained on pixel masks (paper 3.2.2); larger pictures are tiled."""
    likelihoods = []
    for image in pictures.images:
        side = min(INPUT_SIZE, *(length // 16 * 16 for length in image.shape[:2]))
        grid = TileGrid(image.shape[0], image.shape[1], tile=side)
        merged = np.zeros(image.shape[:2], np.float32)
        tiles = list(grid)
        cut = np.stack([t.of(image) for t in tiles])
        for tile, likelihood in zip(tiles, predict(unet, cut, device, normalise), strict=True):
            grid.add(merged, tile, likelihood)
        likelihoods.append(merged)
    masks = [likelihood >= 0.5 for likelihood in likelihoods]
    return Segmented(UNET_NAME, likelihoods, masks, np.ones(len(masks), bool))


def witness_systems(
    domain: Domain, crops: NDArray[np.uint8], device: torch.device
) -> Iterator[Segmented]:
    """Maps of the domain's witnesses alone on crops (N, side, side, 3), each seen as a picture by
    itself, through the thresholders. With the judge `nearest` this is PatchCore (Roth et al. 2022,
    DOI 10.1109/CVPR52688.2022.01392) on the witness's features."""
    for name, files in domain.witnesses.items():
        heard = witnessed(files, crops, device)
        found = np.array([[files.verdict.witness(h.score) > 0.5] for h in heard])
        maps: Maps = np.stack(
            [spread(files.verdict.relevance(h.patches), crops.shape[1:3])[None] for h in heard]
        )
        for thresholder in MIXTURES:
            entry = THRESHOLDERS[thresholder]
            title = f"{WITNESSES[name].title} alone, {entry.title}"
            yield segment(title, fits_of(maps, entry.fit), found)[UNION]
