"""lrpseg: pixel masks of surface damage from a classifier that was trained on image labels alone.

    import lrpseg
    segmenter = lrpseg.load("magnetic-tile", thresholder="bmm")
    result = segmenter("tile.png")
    result.probability, result.relevance, result.likelihood, result.mask
    result.at(threshold=0.7)    # another mask, without running LRP again

After Seibold, Künzel, Hilsmann, Eisert: "From Explanations to Segmentation: Using Explainable AI
for Image Segmentation", VISAPP 2022, DOI 10.5220/0010893600003124.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from lrpseg.core.errors import LrpsegError
from lrpseg.core.moved import moved
from lrpseg.version import __version__

if TYPE_CHECKING:
    from lrpseg.pipeline.loading import load
    from lrpseg.pipeline.operating_curve import OperatingPoint, OperatingPoints
    from lrpseg.pipeline.operating_points import load_operating_points
    from lrpseg.pipeline.results import Result
    from lrpseg.pipeline.segmenter import Segmenter
    from lrpseg.pipeline.settings import Settings

__all__ = [
    "LrpsegError",
    "OperatingPoint",
    "OperatingPoints",
    "Result",
    "Segmenter",
    "Settings",
    "__version__",
    "load",
    "load_operating_points",
]

_LATER = {
    "OperatingPoint": "operating_curve",
    "OperatingPoints": "operating_curve",
    "Result": "results",
    "Segmenter": "segmenter",
    "Settings": "settings",
    "load": "loading",
    "load_operating_points": "operating_points",
}
"""Names that bring PyTorch along, and where in `lrpseg.pipeline` they are: imported at first use,
so that whoever reads an annotation file does not wait for it."""


def __getattr__(name: str) -> Any:
    if name in _LATER:
        globals()[name] = getattr(import_module(f"lrpseg.pipeline.{_LATER[name]}"), name)
        return globals()[name]
    if not name.startswith("_") and find_spec(f"{__name__}.{name}") is not None:
        return import_module(f"{__name__}.{name}")  # lrpseg.domains after `import lrpseg` alone
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


moved(
    {
        "lrpseg.errors": "lrpseg.core.errors",
        "lrpseg.files": "lrpseg.core.files",
        "lrpseg.registry": "lrpseg.core.registry",
        "lrpseg.devices": "lrpseg.core.devices",
        "lrpseg.images": "lrpseg.core.images",
        "lrpseg.workspace.cache": "lrpseg.core.cache",
        "lrpseg.vgg": "lrpseg.models.vgg",
        "lrpseg.networks": "lrpseg.models.networks",
        "lrpseg.self_trained": "lrpseg.models.self_trained",
        "lrpseg.checkpoints": "lrpseg.models.checkpoints",
        "lrpseg.corrections": "lrpseg.masks.corrections",
        "lrpseg.levels": "lrpseg.masks.levels",
        "lrpseg.render": "lrpseg.masks.render",
        "lrpseg.picture_kind": "lrpseg.domains.picture_kind",
        "lrpseg.operating_points": "lrpseg.pipeline.operating_points",
        "lrpseg.operating_curve": "lrpseg.pipeline.operating_curve",
        "lrpseg.tiling": "lrpseg.pipeline.tiling",
        "lrpseg.results": "lrpseg.pipeline.results",
        "lrpseg.segmenter": "lrpseg.pipeline.segmenter",
        "lrpseg.cli_folders": "lrpseg.cli.folders",
        "lrpseg.cli_learn": "lrpseg.cli.learn",
        "lrpseg.folder_benchmark": "lrpseg.benchmark.folder",
        "lrpseg.label_studio_backend": "lrpseg.web.label_studio",
        "lrpseg.ui.routes": "lrpseg.web.routes",
        "lrpseg.ui.describe": "lrpseg.web.describe",
        "lrpseg.ui.analyser": "lrpseg.app.analyser",
        "lrpseg.ui.service": "lrpseg.app.service",
        "lrpseg.ui.samples": "lrpseg.app.samples",
        "lrpseg.ui.actions": "lrpseg.app.actions",
        "lrpseg.ui.spaces": "lrpseg.app.spaces",
    }
)
