"""Results of the networks, made once in a test run for all of its pages and workers."""

import hashlib
import os
import pickle
import tempfile
from pathlib import Path

from filelock import FileLock

from lrpseg.app.analyser import Segmenters, finished
from lrpseg.core.images import read_image
from lrpseg.domains import load_domain
from lrpseg.pipeline.operating_points import weights_hash
from lrpseg.pipeline.results import Result
from lrpseg.pipeline.segmenter import Steps
from lrpseg.pipeline.settings import Settings


class RememberedSegmenters(Segmenters):
    """Run the networks for a picture that is new to `folder`, and keep there what they gave.

    Workers share the folder. One at a time runs networks, on few tiles at once, and frees them:
    several networks in each of several workers are what takes memory.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__("cpu", batch=2)
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def steps(self, image: object, settings: Settings, explain_intact: bool = False) -> Steps:
        yield from ()  # all in one
        pixels = read_image(image)  # type: ignore[arg-type]
        weights = weights_hash(load_domain(settings.domain), settings)
        key = repr((pixels.shape, settings.evidence(), weights, explain_intact)).encode()
        path = self._folder / hashlib.sha256(key + pixels.tobytes()).hexdigest()
        with FileLock(self._folder / "lock"):
            if not path.exists():
                made = finished(super().steps(pixels, settings, explain_intact))
                self.clear()
                _save(made, path)
        result: Result = pickle.loads(path.read_bytes())
        return result.using(settings.thresholder, settings.refiner)


def _save(result: Result, path: Path) -> None:
    """Whole or not at all: a killed worker leaves no half."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        pickle.dump(result, file, pickle.HIGHEST_PROTOCOL)
    os.replace(file.name, path)
