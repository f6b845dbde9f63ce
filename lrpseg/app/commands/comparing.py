"""One picture under two settings, side by side; nothing of it is stored."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrpseg.app.service import Service
from lrpseg.app.views import reduced, view_size
from lrpseg.masks.render import blend, overlay
from lrpseg.pipeline.settings import Settings
from lrpseg.workspace import Workspace


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a comparison: what is shown, (h, w, 3) uint8 each, and the mask (H, W)."""

    heatmap: NDArray[np.uint8]
    overlay: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    probability: float


def compare(service: Service, workspace: Workspace, id: str, settings: Settings) -> Side:
    """A picture under settings, at the thresholder's own threshold."""
    image = workspace.image(id)
    result = service.analyser.segmenters.run(image, settings, explain_intact=True)
    size = view_size(*image.shape[:2])
    shown = reduced(image, size)
    mask = result.mask
    small = reduced(mask.astype(np.float32), size) >= 0.5
    heat = blend(shown, reduced(result.relevance, size), "signed")
    return Side(heat, overlay(shown, small), mask, result.probability)
