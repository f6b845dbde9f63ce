"""The object to use: `lrpseg.load(...)` gives a `Segmenter`, which turns images into results."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lrpseg.core.devices import pick_device
from lrpseg.core.errors import OptionError
from lrpseg.core.images import ImageSource, enlarge_to, read_image
from lrpseg.domains import FIRST_DOMAIN, Domain, load_domain
from lrpseg.lrp import RULE_SETS, Explainer, make_explainer
from lrpseg.lrp.explainer import deciding
from lrpseg.lrp.windows import SURE, Look, windows_of
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.defaults import default_settings
from lrpseg.pipeline.jobs import Job, Step, probabilities
from lrpseg.pipeline.results import Result
from lrpseg.pipeline.settings import OPTIONS, Settings, taking
from lrpseg.pipeline.tiling import TILE, TILINGS, Tile, TileGrid

DEFAULT_BATCH = 8

LARGE = 2_000_000
"""Pixels from which on the tiles of a picture are looked at in windows first."""

MOST = 0.5
"""Share of tiles that are not surely intact from which on no further window is looked at first."""

WINDOW = 2.0
"""Pixels of a window as a share of those of a batch of tiles."""

Progress = Callable[[int, int], None]
"""Called with (tiles done, tiles in all) of the image at hand."""

Steps = Generator[Step, None, Result]
"""Yields as often as somebody else may have a turn; returns the result."""


@taking(*(name for name in OPTIONS if name != "domain"))
def load(
    domain: str = FIRST_DOMAIN,
    *,
    device: str = "auto",
    batch: int = DEFAULT_BATCH,
    assets: Path | None = None,
    **choices: Any,
) -> "Segmenter":
    """Load a segmenter.

    Args:
        domain: what is inspected: a shipped domain's name, or a folder that holds a `domain.json`.
        device: "auto" (CUDA, MPS, CPU), or a name that PyTorch knows.
        batch: tiles that run at once; it bounds the memory.
        assets: folder of domains, instead of the shipped one.
        {choices}

    What is not given, or None, becomes what made the best masks on the domain's validation images,
    beside what is given (`lrpseg.pipeline.defaults`).

    Raises:
        OptionError: a name or value that does not exist; the message lists those that do.
        CheckpointError: the weights are missing, damaged, or of another network.
    """
    if batch < 1:
        raise OptionError(f"A batch has at least one tile; {batch} was given.")
    loaded = load_domain(domain, assets)
    settings = replace(default_settings(loaded, **choices), domain=loaded.name)
    where = pick_device(device)
    network = NETWORKS[settings.network].load(loaded).to(where)
    side = network.side or TILE
    if choices.get("overlap") is None and settings.overlap >= side:
        settings = replace(settings, overlap=side // 4)  # small tiles: the usual one is all of it
    if not 0 <= settings.overlap < side:
        raise OptionError(f"The overlap is 0 to {side - 1} pixels; {settings.overlap} was given.")
    reason = make_explainer(
        network.classifier,
        RULE_SETS[settings.rule_set],
        loaded.normalisation,
        settings.start,
        settings.pooling,
        settings.engine,
    )
    windows = windows_of(network, reason) if TILINGS[settings.tiling] else None
    explainer = deciding(network, reason)
    return Segmenter(loaded, explainer, settings, where, batch, side, windows)


@dataclass(frozen=True)
class Segmenter:
    """Classifies images, explains those with damage, and thresholds the relevance into masks.

    Thread-safe: nothing in it changes after it was made. The costly part (classification and
    relevance) is done once in a call; `Result.at` and `Result.using` repeat the cheap part.
    """

    domain: Domain
    explainer: Explainer
    settings: Settings
    device: torch.device
    batch: int
    side: int = field(default=TILE)
    """Of a tile in pixels."""
    windows: Look | None = None
    """A first look at the tiles of large pictures; None: each runs by itself."""
    large: int = LARGE
    """Pixels from which on a picture is one."""

    def __call__(
        self,
        image: ImageSource,
        *,
        explain_intact: bool = False,
        progress: Progress | None = None,
    ) -> Result:
        """The result for one image.

        Args:
            image: path, encoded bytes, PIL image, or (H, W[, C]) uint8 array.
            explain_intact: run LRP and make a mask also where the image is classified intact, or a
                class is not found. By default that mask is empty (paper 3.1: LRP runs only where
                damage is predicted).
            progress: called after each batch of tiles.

        Raises:
            ImageError: the image cannot be read or used; the message says what to do.
            RelevanceError: the network gave NaN.
        """
        return next(self.stream([image], explain_intact=explain_intact, progress=progress))

    def steps(self, image: ImageSource, *, explain_intact: bool = False) -> Steps:
        """The result for one image, a batch of tiles at a time: for who does other things between,
        or may want to end early. Arguments and errors as of a call.

        Yields after each batch, and returns the result.
        """
        job = self._start(image)
        for done, total in self._batches(job):
            yield Step(done, total, job.sketch)
        damaged = job.explained
        if explain_intact and not all(damaged):
            job = job.again()
            for done, total in self._batches(job):
                yield Step(done, total, job.sketch)
        return self._result(job, damaged)

    def _batches(self, job: Job) -> Iterator[tuple[int, int]]:
        """Run all tiles of a picture; yields (tiles done, tiles in all) after each batch."""
        if job.windows and not job.explain_all:
            yield from self._looked_at(job)
            return
        every = list(job.grid)
        for first in range(0, len(every), self.batch):
            self._run([(job, tile) for tile in every[first : first + self.batch]], None)
            yield job.done, len(every)

    def _looked_at(self, job: Job) -> Iterator[tuple[int, int]]:
        """As `_batches`, but only those tiles run that a look at their window leaves in doubt."""
        seen, unsure, left = 0, 0, deque[Tile]()
        for tiles in job.grid.windows(int(WINDOW * self.batch * self.side**2)):
            again = tiles
            if unsure <= seen * MOST:  # else a look costs more than it saves
                again = self._look(job, tiles)
                seen, unsure = seen + len(tiles), unsure + len(again)
            left.extend(again)
            while len(left) >= self.batch:
                self._run([(job, left.popleft()) for _ in range(self.batch)], None)
                yield job.done, len(job.grid)
            yield job.done, len(job.grid)
        if left:
            self._run([(job, tile) for tile in left], None)
            yield job.done, len(job.grid)

    def stream(
        self,
        images: Iterable[ImageSource],
        *,
        explain_intact: bool = False,
        progress: Progress | None = None,
    ) -> Iterator[Result]:
        """Results in the images' order; tiles of several images share batches.

        Images are taken from `images` as they are needed; besides the ones that have tiles in the
        batch at hand, none is kept.
        """
        jobs: deque[Job] = deque()
        pending: list[tuple[Job, Tile]] = []
        for source in images:
            job = self._start(source)
            jobs.append(job)
            if job.windows:  # a large picture fills its batches itself
                if pending:
                    self._run(pending, None)
                    pending.clear()
                _tell(self._batches(job), progress)
                while jobs:
                    yield self._finish(jobs.popleft(), explain_intact, progress)
                continue
            for tile in job.grid:
                pending.append((job, tile))
                if len(pending) == self.batch:
                    self._run(pending, progress)
                    pending.clear()
                    while jobs and jobs[0].done == len(jobs[0].grid):
                        yield self._finish(jobs.popleft(), explain_intact, progress)
        if pending:
            self._run(pending, progress)
        while jobs:
            yield self._finish(jobs.popleft(), explain_intact, progress)

    def _start(self, source: ImageSource) -> Job:
        image = read_image(source)
        enlarged = enlarge_to(image, self.side)
        height, width = enlarged.shape[:2]
        grid = TileGrid(height, width, self.settings.overlap, self.side)
        windows = self.windows is not None and height * width >= self.large
        proposes = NETWORKS[self.settings.network].evidence == "likelihood"
        return Job.of(image, enlarged, grid, len(self.domain.classes), proposes, windows)

    def _run(self, pending: list[tuple[Job, Tile]], progress: Progress | None) -> None:
        """Classify a batch of tiles, explain the damaged ones, and merge what comes back."""
        tiles = torch.from_numpy(np.stack([tile.of(job.canvas) for job, tile in pending]))
        if self.device.type == "cuda":
            tiles = tiles.pin_memory()
        x = self.domain.normalisation(tiles.to(self.device, non_blocking=True))
        always = torch.tensor([job.explain_all for job, _ in pending], device=self.device)
        found = self.explainer(x, lambda log_odds: is_damaged(log_odds) | always[:, None])
        # One transfer of each kind for the whole batch.
        rows = probabilities(found.log_odds)
        relevance = found.relevance.float().cpu().numpy()
        likelihood = None if found.likelihood is None else found.likelihood.float().cpu().numpy()
        pairs = zip(found.rows.tolist(), found.classes.tolist(), strict=True)
        for index, (row, kind) in enumerate(pairs):
            job, tile = pending[row]
            job.grid.add(job.relevance[kind], tile, relevance[index])
            if job.likelihood is not None and likelihood is not None:
                job.grid.add(job.likelihood[kind], tile, likelihood[index])
            job.explained[kind] = True
        for (job, _), row_probabilities in zip(pending, rows, strict=True):
            job.count([row_probabilities])
        if progress is not None:
            last = pending[-1][0]
            progress(last.done, len(last.grid))

    def _look(self, job: Job, tiles: list[Tile]) -> list[Tile]:
        """Classify the tiles of a window at once; returns those that are not surely intact."""
        assert self.windows is not None
        stride, (height, width) = self.windows.stride, job.canvas.shape[:2]
        high = _up(tiles[-1].y + self.side - tiles[0].y, stride, height)
        wide = _up(tiles[-1].x + self.side - tiles[0].x, stride, width)
        top, left = min(tiles[0].y, height - high), min(tiles[0].x, width - wide)
        there = np.ascontiguousarray(job.canvas[None, top : top + high, left : left + wide])
        x = self.domain.normalisation(torch.from_numpy(there).to(self.device))

        def nearest(at: int, size: int) -> int:
            return min(round(at / stride) * stride, size - self.side)

        corners = [(nearest(t.y - top, high), nearest(t.x - left, wide)) for t in tiles]
        log_odds = self.windows(x, corners)
        rows = probabilities(log_odds)
        unsure = (log_odds > -SURE).any(dim=1).tolist()
        job.count([row for row, again in zip(rows, unsure, strict=True) if not again])
        return [tile for tile, again in zip(tiles, unsure, strict=True) if again]

    def _finish(self, job: Job, explain_intact: bool, progress: Progress | None) -> Result:
        damaged = job.explained
        if explain_intact and not all(damaged):
            job = job.again()
            _tell(self._batches(job), progress)
        return self._result(job, damaged)

    def _result(self, job: Job, damaged: list[bool]) -> Result:
        found = job.found(self.domain.classes.names, damaged)
        return Result.of(job.image, self.settings, found)


def _up(length: int, stride: int, most: int) -> int:
    """The next multiple of `stride`, or the last one within `most`."""
    return min(-(-length // stride), most // stride) * stride


def _tell(batches: Iterable[tuple[int, int]], progress: Progress | None) -> None:
    """Do all batches, and tell after each."""
    for done, total in batches:
        if progress is not None:
            progress(done, total)


def is_damaged(log_odds: Tensor) -> Tensor:
    """(B, K) log-odds to a bool (B, K): probability of the class above 0.5."""
    return log_odds > 0
