"""How far the open picture's heatmap is the reason for its decision: measured when somebody asks,
and kept as long as the analysis is what it was."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lrpseg.app import spaces
from lrpseg.app.analyser import Segmenters
from lrpseg.app.views import analysis_name, reduced
from lrpseg.core.cache import Cache
from lrpseg.core.errors import OptionError
from lrpseg.core.images import enlarge_to
from lrpseg.lrp import STARTS
from lrpseg.lrp.faithfulness import (
    conservation_error,
    falls,
    local_mean,
    ranks,
    region_sums,
    start_of,
)
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.results import Map
from lrpseg.pipeline.segmenter import Segmenter
from lrpseg.pipeline.tiling import TileGrid
from lrpseg.workspace import Item, Workspace

SHARE = 0.05
"""Of a tile's regions, so many are replaced."""

DRAWS = 3
"""Random orders, of which the mean fall is told."""


@dataclass(frozen=True)
class Reason:
    """Figures of the tile with most relevance: the classifier's log-odds there, and by how much
    they fall when 5 % of its regions are replaced by their surrounding: those of most relevance,
    of highest likelihood, or at random. error: see `conservation_error`; None where that is no
    number. whole: whether the tile is all of the picture."""

    log_odds: float
    relevant: float
    likely: float
    random: float
    error: float | None
    whole: bool

    def sentences(self) -> list[str]:
        """For the page."""
        where = "" if self.whole else " in the part with most relevance"
        relevant, likely, random = (
            f"{self.log_odds - fall:.1f}" for fall in (self.relevant, self.likely, self.random)
        )
        found = [
            f"The classifier's log-odds of damage{where}: {self.log_odds:.1f}.",
            f"With {100 * SHARE:.0f} % of it blurred: {relevant} where relevance is highest, "
            f"{likely} where the mask is most likely, {random} at random.",
        ]
        if self.error is not None:
            found.append(
                "The sum of the relevance differs from what it started from by "
                f"{100 * self.error:.0f} % (conservation error)."
            )
        return found

    def as_json(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self) | {"sentences": self.sentences()}


class Reasons:
    """Measures reasons, and keeps the last ones."""

    def __init__(self, kept: int = 4096) -> None:
        self._cache: Cache[Reason] = Cache(kept, lambda reason: 1)

    def of(self, segmenters: Segmenters, workspace: Workspace, item: Item) -> Reason:
        """Of an item's present analysis, thresholder and refiner; takes about as long as the
        analysis of a tile or two.

        Raises `OptionError` where there is no heatmap, or a GPU is lent for each call.
        """
        if not item.analysis or not item.explained:
            raise OptionError("There is no heatmap of this picture to look into.")
        if spaces.zero_gpu():
            raise OptionError("This is not measured where a GPU is lent for each call.")
        key = (str(workspace.folder), item.id, analysis_name(item))
        return self._cache.get(key, lambda: _reason(segmenters, workspace, item))

    def clear(self) -> None:
        """Forget all of them."""
        self._cache.clear()


def _reason(segmenters: Segmenters, workspace: Workspace, item: Item) -> Reason:
    """Of the class of highest probability among those that were explained."""
    layers = [(layer.probability or 0, k) for k, layer in enumerate(item.layers) if layer.explained]
    kind = max(layers)[1]
    name = item.layers[kind].name
    segmenter = segmenters.get(item.settings)
    image = enlarge_to(workspace.image(item.id), segmenter.side)
    height, width = image.shape[:2]
    relevance = reduced(workspace.relevance(item.id, name), (height, width))
    grid = TileGrid(height, width, segmenter.settings.overlap, segmenter.side)
    tile = max(grid, key=lambda tile: float(np.clip(tile.of(relevance), 0, None).sum()))
    likelihood = tile.of(reduced(workspace.likelihood(item.id, name), (height, width)))
    pixels = torch.from_numpy(tile.of(image)[None].copy()).to(segmenter.device)
    return _measured(segmenter, pixels, likelihood, kind, whole=len(grid) == 1)


@torch.inference_mode()
def _measured(
    segmenter: Segmenter, pixels: Tensor, likelihood: Map, kind: int, whole: bool
) -> Reason:
    """Of a tile (1, side, side, 3) uint8, for the class index `kind`."""
    domain, settings = segmenter.domain, segmenter.settings
    x = domain.normalisation(pixels)
    found = segmenter.explainer(x, lambda log_odds: torch.ones_like(log_odds).bool())
    relevance = found.relevance[kind : kind + 1]
    # Not kept: it is asked for a few times, and takes as much memory as the segmenter.
    model = NETWORKS[settings.network].load(domain).to(segmenter.device).classifier
    classes = torch.tensor([kind], device=x.device)
    start = start_of(STARTS[settings.start], model(x), classes, len(model.classes))

    def log_odds(inputs: Tensor) -> Tensor:
        return model.log_odds(model(inputs))[:, kind]

    sums = region_sums(relevance)
    likely = region_sums(torch.from_numpy(np.ascontiguousarray(likelihood))[None]).to(sums)
    places = ranks(torch.cat([sums, likely, *[torch.zeros_like(sums)] * DRAWS]))
    rows = x.expand(len(places), *x.shape[1:])
    count = max(1, round(SHARE * places.shape[1]))
    fallen = falls(log_odds, rows, local_mean(x).expand_as(rows), places, [count])[:, 0].tolist()
    error = float(conservation_error(relevance, start))
    return Reason(
        float(log_odds(x)), fallen[0], fallen[1], float(np.mean(fallen[2:])),
        error if np.isfinite(error) else None, whole,
    )  # fmt: skip
