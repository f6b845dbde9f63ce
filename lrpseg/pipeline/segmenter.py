"""The object to use: `lrpseg.load(...)` gives a `Segmenter`, which turns images into results."""

import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lrpseg.core.devices import pick_device
from lrpseg.core.errors import OptionError, RelevanceError
from lrpseg.core.images import ImageSource, enlarge_to, read_image
from lrpseg.domains import FIRST_DOMAIN, Domain, load_domain
from lrpseg.lrp import RULE_SETS, Explainer, explainer_of
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.defaults import default_settings
from lrpseg.pipeline.results import Found, Result
from lrpseg.pipeline.settings import OPTIONS, Settings, taking
from lrpseg.pipeline.tiling import TILE, Tile, TileGrid

DEFAULT_BATCH = 8

Progress = Callable[[int, int], None]
"""Called with (tiles done, tiles in all) of the image at hand."""

Steps = Generator[tuple[int, int], None, Result]
"""Yields (tiles done, tiles in all) as often as somebody else may have a turn; returns a result."""


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
    explainer = explainer_of(
        network,
        RULE_SETS[settings.rule_set],
        loaded.normalisation,
        settings.start,
        settings.pooling,
        settings.engine,
    )
    return Segmenter(loaded, explainer, settings, where, batch, side)


@dataclass
class _Job:
    """One image under way: its tiles' maps are merged as they come back.

    relevance, likelihood: a map of the enlarged image for each class; probability, explained: a
    value for each class. likelihood stays None where the network gives none by itself.
    """

    image: NDArray[np.uint8]
    enlarged: NDArray[np.uint8]
    grid: TileGrid
    explain_all: bool
    relevance: list[NDArray[np.float32]]
    likelihood: list[NDArray[np.float32]] | None
    probability: list[float]
    explained: list[bool]
    done: int = 0


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

        Yields (tiles done, tiles in all) after each batch, and returns the result.
        """
        job = self._start(image, explain_all=False)
        yield from self._batches(job)
        if explain_intact and not all(job.explained):
            damaged = job.explained
            job = self._job(job.image, job.enlarged, job.grid, explain_all=True)
            yield from self._batches(job)
            return self._result(job, damaged)
        return self._result(job, job.explained)

    def _batches(self, job: _Job) -> Iterator[tuple[int, int]]:
        tiles = list(job.grid)
        for first in range(0, len(tiles), self.batch):
            self._run([(job, tile) for tile in tiles[first : first + self.batch]], None)
            yield job.done, len(tiles)

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
        jobs: deque[_Job] = deque()
        pending: list[tuple[_Job, Tile]] = []
        for source in images:
            job = self._start(source, explain_all=False)
            jobs.append(job)
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

    def _start(self, source: ImageSource, explain_all: bool) -> _Job:
        image = read_image(source)
        enlarged = enlarge_to(image, self.side)
        height, width = enlarged.shape[:2]
        grid = TileGrid(height, width, self.settings.overlap, self.side)
        return self._job(image, enlarged, grid, explain_all)

    def _job(
        self,
        image: NDArray[np.uint8],
        enlarged: NDArray[np.uint8],
        grid: TileGrid,
        explain_all: bool,
    ) -> _Job:
        count = len(self.domain.classes)

        def maps() -> list[NDArray[np.float32]]:
            # np.zeros is lazy: pages of a huge map that no damaged tile touches are never in
            # memory.
            return [np.zeros(enlarged.shape[:2], np.float32) for _ in range(count)]

        proposes = NETWORKS[self.settings.network].evidence == "likelihood"
        return _Job(
            image,
            enlarged,
            grid,
            explain_all,
            maps(),
            maps() if proposes else None,
            [0.0] * count,
            [False] * count,
        )

    def _run(self, pending: list[tuple[_Job, Tile]], progress: Progress | None) -> None:
        """Classify a batch of tiles, explain the damaged ones, and merge what comes back."""
        tiles = torch.from_numpy(np.stack([tile.of(job.enlarged) for job, tile in pending]))
        if self.device.type == "cuda":
            tiles = tiles.pin_memory()
        x = self.domain.normalisation(tiles.to(self.device, non_blocking=True))
        always = torch.tensor([job.explain_all for job, _ in pending], device=self.device)
        found = self.explainer(x, lambda log_odds: is_damaged(log_odds) | always[:, None])
        # One transfer of each kind for the whole batch.
        # On the CPU: not every device has float64 (MPS).
        probabilities = torch.sigmoid(found.log_odds.cpu().double()).tolist()
        if not all(math.isfinite(p) for row in probabilities for p in row):
            # max() would pass over it, and the picture would count as intact.
            raise RelevanceError(
                "The network gave NaN. Try another device (--device cpu), or fetch its weights "
                "again."
            )
        relevance = found.relevance.float().cpu().numpy()
        likelihood = None if found.likelihood is None else found.likelihood.float().cpu().numpy()
        pairs = zip(found.rows.tolist(), found.classes.tolist(), strict=True)
        for index, (row, kind) in enumerate(pairs):
            job, tile = pending[row]
            job.grid.add(job.relevance[kind], tile, relevance[index])
            if job.likelihood is not None and likelihood is not None:
                job.grid.add(job.likelihood[kind], tile, likelihood[index])
            job.explained[kind] = True
        for (job, _), row_probabilities in zip(pending, probabilities, strict=True):
            job.probability = list(map(max, job.probability, row_probabilities))
            job.done += 1
        if progress is not None:
            last = pending[-1][0]
            progress(last.done, len(last.grid))

    def _finish(self, job: _Job, explain_intact: bool, progress: Progress | None) -> Result:
        damaged = job.explained
        if explain_intact and not all(damaged):
            job = self._explain_all(job, progress)
        return self._result(job, damaged)

    def _result(self, job: _Job, damaged: list[bool]) -> Result:
        height, width = job.image.shape[:2]
        found = [
            Found(
                name,
                job.probability[kind],
                damaged[kind],
                job.explained[kind],
                _reduced(job.relevance[kind], height, width),
                None if job.likelihood is None else _reduced(job.likelihood[kind], height, width),
            )
            for kind, name in enumerate(self.domain.classes.names)
        ]
        return Result.of(job.image, self.settings, found)

    def _explain_all(self, job: _Job, progress: Progress | None) -> _Job:
        again = self._job(job.image, job.enlarged, job.grid, explain_all=True)
        for done, total in self._batches(again):
            if progress is not None:
                progress(done, total)
        return again


def is_damaged(log_odds: Tensor) -> Tensor:
    """(B, K) log-odds to a bool (B, K): probability of the class above 0.5."""
    return log_odds > 0


def _reduced(merged: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """A map of the enlarged image at the image's own size, read-only."""
    if merged.shape != (height, width):
        merged = np.asarray(
            cv2.resize(merged, (width, height), interpolation=cv2.INTER_AREA), np.float32
        )
    merged.flags.writeable = False
    return merged
