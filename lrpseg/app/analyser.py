"""The one thread that runs networks for the page: takes waiting pictures and explains them.

A job is a picture whose status is "waiting" in some workspace. It is not bound to a browser: a
closed tab, a lost connection or a restart of the server stops nothing. Workspaces take turns by
batches of tiles, so that nobody waits for another one's large picture.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lrpseg.app import spaces
from lrpseg.core.errors import LrpsegError
from lrpseg.domains import load_domain
from lrpseg.pipeline.loading import DEFAULT_BATCH, load
from lrpseg.pipeline.operating_points import weights_hash
from lrpseg.pipeline.results import Map, Result
from lrpseg.pipeline.segmenter import Segmenter, Steps
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
        weights = weights_hash(load_domain(settings.domain), settings)
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

    def steps(self, image: object, settings: Settings, explain_intact: bool = False) -> Steps:
        """The result for one picture under `settings`, a batch of tiles at a time; a GPU that is
        lent for each call does all of it in one."""
        if spaces.zero_gpu():
            result = spaces.explain(settings.evidence(), image, explain_intact)
        else:
            segmenter = self.get(settings)
            result = yield from segmenter.steps(image, explain_intact=explain_intact)  # type: ignore[arg-type]
        return result.using(settings.thresholder, settings.refiner)

    def run(self, image: object, settings: Settings, explain_intact: bool = False) -> Result:
        """The result for one picture under `settings`, at once."""
        return finished(self.steps(image, settings, explain_intact))


def finished(steps: Steps) -> Result:
    """The result at the end of all steps."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result


Sketch = Callable[[tuple[int, int]], Map]

_UNDER_WAY, _AT_HAND = 12, 2
"""Pictures that may be half analysed at a time, in all workspaces and in one: their maps are in
memory."""


@dataclass(eq=False)
class _Work:
    """A picture under way, and what is left of its analysis."""

    item: Item
    steps: Steps


class Analyser:
    """Works through the waiting pictures of all workspaces, which take turns by batches of tiles.

    In a workspace the opened picture goes first, then the others in their order. One that was
    removed, or whose settings have changed, ends after the batch at hand.
    """

    def __init__(self, segmenters: Segmenters) -> None:
        self.segmenters = segmenters
        self._condition = threading.Condition()
        self._waiting: OrderedDict[str, Workspace] = OrderedDict()
        self._opened: dict[str, str] = {}
        self._sketches: dict[tuple[str, str], Sketch] = {}
        self._stop = False
        # Of the thread alone: half done, the one that goes on last in the list.
        self._under_way: dict[str, list[_Work]] = {}
        self._thread = threading.Thread(target=self._run, name="analyser", daemon=True)
        self._thread.start()

    def wake(self, workspace: Workspace) -> None:
        """Say that `workspace` has, or may have, pictures that wait."""
        with self._condition:
            self._waiting.setdefault(str(workspace.folder), workspace)
            self._condition.notify()

    def prefer(self, workspace: Workspace, id: str) -> None:
        """Say that somebody looks at the picture `id` now: it goes before the others."""
        with self._condition:
            self._opened[str(workspace.folder)] = id

    def sketch(self, workspace: Workspace, id: str, size: tuple[int, int]) -> Map | None:
        """What was found so far of the relevance of a picture that is under way, (height, width) =
        `size`; None of any other."""
        with self._condition:
            found = self._sketches.get((str(workspace.folder), id))
        return None if found is None else found(size)

    def stop(self) -> None:
        """Finish the batch at hand, then end the thread; what is half done waits again."""
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
                    break
                key, workspace = self._waiting.popitem(last=False)
                opened = self._opened.get(key)
            try:
                more = self._turn(key, workspace, opened)
            except Exception:  # a workspace that was deleted meanwhile must not end the thread
                _log.exception("the workspace %s could not be worked on", key)
                self._forget(key)
                continue
            if more:
                self.wake(workspace)
            else:
                self._forget(key)
        for works in self._under_way.values():
            for work in works:
                work.steps.close()  # whoever opens the workspace next finds it waiting

    def _forget(self, key: str) -> None:
        works = self._under_way.pop(key, [])
        with self._condition:
            for work in works:
                self._sketches.pop((key, work.item.id), None)
            if key not in self._waiting:
                self._opened.pop(key, None)

    def _turn(self, key: str, workspace: Workspace, opened: str | None) -> bool:
        """One batch of the workspace's picture at hand; returns whether it has more to do."""
        works = self._under_way.setdefault(key, [])
        if len(works) < _AT_HAND and sum(map(len, self._under_way.values())) < _UNDER_WAY:
            item = None
            if opened is not None and all(work.item.id != opened for work in works):
                item = workspace.claim(opened)
            if item is None and not works:
                item = workspace.claim_next()
            if item is not None:
                works.append(self._begin(workspace, item))
            elif not works:
                return False
        if works and not self._goes_on(workspace, works[-1]):
            with self._condition:
                self._sketches.pop((key, works.pop().item.id), None)
        return True

    def _begin(self, workspace: Workspace, item: Item) -> _Work:
        def steps() -> Steps:
            image = workspace.image(item.id)
            return (yield from self.segmenters.steps(image, item.settings, item.explain_intact))

        return _Work(item, steps())

    def _goes_on(self, workspace: Workspace, work: _Work) -> bool:
        """Do one batch; returns whether there are more."""
        item = work.item
        try:
            try:
                step = next(work.steps)
            except StopIteration as end:
                workspace.finish(item.id, item.analysis_key, end.value)
                return False
            if workspace.progress(item.id, step.done, step.total) == item.analysis_key:
                if step.sketch is not None:
                    with self._condition:
                        self._sketches[str(workspace.folder), item.id] = step.sketch
                return True
            work.steps.close()
            workspace.release(item.id)
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
        return False
