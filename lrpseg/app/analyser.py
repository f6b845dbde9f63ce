"""The one thread that runs networks for the page: takes waiting pictures and explains them.

A job is a picture whose status is "waiting" in some workspace. It is not bound to a browser: a
closed tab, a lost connection or a restart of the server stops nothing.
"""

import logging
import threading
from collections import OrderedDict
from typing import Any

from lrpseg.app import spaces
from lrpseg.core.errors import LrpsegError
from lrpseg.domains import load_domain
from lrpseg.pipeline.operating_points import weights_hash
from lrpseg.pipeline.results import Result
from lrpseg.pipeline.segmenter import DEFAULT_BATCH, Progress, Segmenter, load
from lrpseg.pipeline.settings import Settings
from lrpseg.workspace import Item, NoSuchItem, Workspace

_log = logging.getLogger(__name__)
_LOADED = 4
"""Segmenters that stay in memory; one of VGG-A is about 250 MB."""


class Segmenters:
    """Loads segmenters at first use and keeps the last few; they are read-only and shared."""

    def __init__(self, device: str, batch: int = DEFAULT_BATCH) -> None:
        """batch: as of `load`."""
        self._device, self._batch = device, batch
        self._lock = threading.Lock()
        self._loaded: OrderedDict[tuple[Any, ...], Segmenter] = OrderedDict()

    def get(self, settings: Settings) -> Segmenter:
        """The segmenter of these settings; thresholder and refiner are not looked at."""
        names = settings.evidence()
        # By the weights too: files that are replaced while the page runs count at once.
        weights = weights_hash(load_domain(settings.domain), settings.network)
        key = (*names.values(), weights)
        with self._lock:
            if key not in self._loaded:
                self._loaded[key] = load(**names, device=self._device, batch=self._batch)
            self._loaded.move_to_end(key)
            while len(self._loaded) > _LOADED:
                self._loaded.popitem(last=False)
            return self._loaded[key]

    def clear(self) -> None:
        """Free all of them; the next use loads again."""
        with self._lock:
            self._loaded.clear()

    def run(
        self,
        image: object,
        settings: Settings,
        explain_intact: bool = False,
        progress: Progress | None = None,
    ) -> Result:
        """The result for one picture under `settings`."""
        if spaces.zero_gpu():
            result = spaces.explain(settings.evidence(), image, explain_intact)
        else:
            segmenter = self.get(settings)
            result = segmenter(image, explain_intact=explain_intact, progress=progress)  # type: ignore[arg-type]
        return result.using(settings.thresholder, settings.refiner)


class Analyser:
    """Works through the waiting pictures of all workspaces, one at a time, workspaces in turn."""

    def __init__(self, segmenters: Segmenters) -> None:
        self.segmenters = segmenters
        self._condition = threading.Condition()
        self._waiting: OrderedDict[str, Workspace] = OrderedDict()
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="analyser", daemon=True)
        self._thread.start()

    def wake(self, workspace: Workspace) -> None:
        """Say that `workspace` has, or may have, pictures that wait."""
        with self._condition:
            self._waiting.setdefault(str(workspace.folder), workspace)
            self._condition.notify()

    def stop(self) -> None:
        """Finish the picture at hand, then end the thread."""
        with self._condition:
            self._stop = True
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._waiting and not self._stop:
                    self._condition.wait()
                if self._stop:
                    return
                key, workspace = self._waiting.popitem(last=False)
            try:
                item = workspace.claim_next()
                if item is None:
                    continue
                self._analyse(workspace, item)
            except Exception:  # a workspace that was deleted meanwhile must not end the thread
                _log.exception("the workspace %s could not be worked on", key)
                continue
            self.wake(workspace)

    def _analyse(self, workspace: Workspace, item: Item) -> None:
        def progress(done: int, total: int) -> None:
            workspace.progress(item.id, done, total)

        try:
            result = self.segmenters.run(
                workspace.image(item.id), item.settings, item.explain_intact, progress
            )
            workspace.finish(item.id, item.analysis_key, result)
        except NoSuchItem:
            pass  # deleted meanwhile
        except LrpsegError as error:
            workspace.fail(item.id, item.analysis_key, str(error))
        except Exception:
            _log.exception("a picture could not be analysed")
            workspace.fail(
                item.id, item.analysis_key,
                "Something went wrong with this picture. Try it once more.",
            )  # fmt: skip
