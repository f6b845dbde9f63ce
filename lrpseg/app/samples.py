"""The shipped sample pictures; their results are made once at start, so that they open at once."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lrpseg.app.analyser import Segmenters
from lrpseg.core.errors import LrpsegError
from lrpseg.domains import load_domain
from lrpseg.domains.samples import shipped_samples
from lrpseg.pipeline.defaults import default_settings
from lrpseg.pipeline.results import Result
from lrpseg.pipeline.settings import Settings
from lrpseg.workspace import Workspace

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SamplePicture:
    """A shipped picture to try the page with, and the domain that it is for."""

    path: Path
    domain: str

    @property
    def caption(self) -> str:
        """The file's name without its number: "1-blowhole" becomes "blowhole"."""
        return self.path.stem.split("-", 1)[-1].replace("-", " ")

    @property
    def settings(self) -> Settings:
        """The domain's defaults."""
        return default_settings(load_domain(self.domain))


def sample_pictures(domains: Sequence[str]) -> list[SamplePicture]:
    """The shipped samples of the given domains, in the order of their names."""
    return [SamplePicture(path, domain) for path, domain in shipped_samples() if domain in domains]


class Samples:
    """The sample pictures with their results under the domains' default settings."""

    def __init__(self, pictures: Sequence[SamplePicture], segmenters: Segmenters) -> None:
        self.all = tuple(pictures)
        self._segmenters = segmenters
        self._results: dict[SamplePicture, Result] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._prepare, name="samples", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Return when all results are there."""
        self._thread.join()

    def stop(self) -> None:
        """Finish the sample at hand, then end the thread."""
        self._stop.set()
        self._thread.join()

    def clear(self) -> None:
        """Free all results; samples that are added later are analysed like any picture."""
        self._results.clear()

    def _prepare(self) -> None:
        for sample in self.all:
            if self._stop.is_set():
                return
            try:
                self._results[sample] = self._segmenters.run(sample.path, sample.settings)
            except LrpsegError:
                _log.exception("the sample %s could not be prepared", sample.path.name)

    def add(self, sample: SamplePicture, workspace: Workspace) -> str:
        """Add a sample to a workspace, with its result where that is ready; returns its id.

        A sample that the workspace has already is not added twice.
        """
        name = f"samples/{sample.path.name}"
        for item in workspace.items():
            if item.name == name:
                return item.id
        result = self._results.get(sample)
        data = sample.path.read_bytes()
        return workspace.add(name, data, sample.settings, result=result).id
