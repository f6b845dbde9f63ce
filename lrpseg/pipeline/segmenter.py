"""The object to use: `lrpseg.load(...)` gives a `Segmenter`, which turns images into results."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lrpseg.core.devices import pick_device
from lrpseg.core.errors import OptionError, RelevanceError
from lrpseg.core.images import ImageSource, enlarge_to, read_image
from lrpseg.domains import Domain, load_domain
from lrpseg.domains.weights import load_classifier, load_decider
from lrpseg.lrp import (
    DEFAULT_POOLING,
    DEFAULT_START,
    RULE_SETS,
    Explainer,
    make_explainer,
    self_explainer,
)
from lrpseg.models.networks import INPUT_SIZE, NETWORKS
from lrpseg.pipeline.operating_points import Choice, default_choice
from lrpseg.pipeline.results import Result, Settings
from lrpseg.pipeline.tiling import DEFAULT_OVERLAP, Tile, TileGrid

DEFAULT_BATCH = 8

Progress = Callable[[int, int], None]
"""Called with (tiles done, tiles in all) of the image at hand."""


def load(
    domain: str = "magnetic-tile",
    *,
    network: str | None = None,
    rule_set: str | None = None,
    thresholder: str | None = None,
    refiner: str | None = None,
    start: str = DEFAULT_START,
    pooling: str = DEFAULT_POOLING,
    engine: str = "lean",
    device: str = "auto",
    batch: int = DEFAULT_BATCH,
    overlap: int = DEFAULT_OVERLAP,
    assets: Path | None = None,
) -> "Segmenter":
    """Load a segmenter.

    Args:
        domain: what is inspected: a shipped domain's name, or a folder that holds a `domain.json`.
        network, rule_set, thresholder, refiner: names in the registries `NETWORKS`, `RULE_SETS`,
            `THRESHOLDERS` and `REFINERS`. Those that are None become the ones with the best masks
            on the domain's validation images, beside those that are given
            (`operating_points.default_choice`).
        start, pooling, engine: names in the registries `STARTS`, `POOLINGS`, `ENGINES`.
        device: "auto" (CUDA, MPS, CPU), or a name that PyTorch knows.
        batch: tiles that run at once; it bounds the memory.
        overlap: least overlap of tiles in pixels, 0 to 223.
        assets: folder of domains, instead of the shipped one.

    Raises:
        OptionError: a name or value that does not exist; the message lists those that do.
        CheckpointError: the weights are missing, damaged, or of another network.
    """
    if batch < 1:
        raise OptionError(f"A batch has at least one tile; {batch} was given.")
    if not 0 <= overlap < INPUT_SIZE:
        raise OptionError(f"The overlap is 0 to {INPUT_SIZE - 1} pixels; {overlap} was given.")
    loaded = load_domain(domain, assets)
    choice = default_choice(loaded, network, rule_set, thresholder, refiner)
    where = pick_device(device)
    explainer = _explainer(loaded, choice, start, pooling, engine, where)
    settings = Settings(
        loaded.name, choice.network, choice.rule_set, choice.thresholder, start, pooling, engine,
        overlap, choice.refiner,
    )  # fmt: skip
    return Segmenter(loaded, explainer, settings, where, batch)


def _explainer(
    domain: Domain, choice: Choice, start: str, pooling: str, engine: str, device: torch.device
) -> Explainer:
    network, rules = choice.network, RULE_SETS[choice.rule_set]
    if NETWORKS[network].segments:
        decider = load_decider(domain, network).to(device)
        reason = make_explainer(
            decider.classifier, rules, domain.normalisation, start, pooling, engine
        )
        return self_explainer(decider, reason)
    model = load_classifier(domain, network).to(device)
    return make_explainer(model, rules, domain.normalisation, start, pooling, engine)


@dataclass
class _Job:
    """One image under way: its tiles' maps are merged into `maps` as they come back.

    maps: relevance, and the network's own likelihood where it gives one; of the enlarged image.
    """

    image: NDArray[np.uint8]
    enlarged: NDArray[np.uint8]
    grid: TileGrid
    explain_all: bool
    maps: tuple[NDArray[np.float32], ...]
    probability: float = 0.0
    done: int = 0
    explained: bool = False


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
            explain_intact: run LRP and make a mask also where the image is classified intact. By
                default its mask is empty (paper 3.1: LRP runs only where damage is predicted).
            progress: called after each batch of tiles.

        Raises:
            ImageError: the image cannot be read or used; the message says what to do.
            RelevanceError: the network gave NaN.
        """
        return next(self.stream([image], explain_intact=explain_intact, progress=progress))

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
        enlarged = enlarge_to(image, INPUT_SIZE)
        grid = TileGrid(enlarged.shape[0], enlarged.shape[1], self.settings.overlap)
        return self._job(image, enlarged, grid, explain_all)

    def _job(
        self,
        image: NDArray[np.uint8],
        enlarged: NDArray[np.uint8],
        grid: TileGrid,
        explain_all: bool,
    ) -> _Job:
        count = 2 if NETWORKS[self.settings.network].segments else 1
        # np.zeros is lazy: pages of a huge map that no damaged tile touches are never in memory.
        maps = tuple(np.zeros(enlarged.shape[:2], np.float32) for _ in range(count))
        return _Job(image, enlarged, grid, explain_all, maps)

    def _run(self, pending: list[tuple[_Job, Tile]], progress: Progress | None) -> None:
        """Classify a batch of tiles, explain the damaged ones, and merge what comes back."""
        tiles = torch.from_numpy(np.stack([tile.of(job.enlarged) for job, tile in pending]))
        if self.device.type == "cuda":
            tiles = tiles.pin_memory()
        x = self.domain.normalisation(tiles.to(self.device, non_blocking=True))
        always = torch.tensor([job.explain_all for job, _ in pending], device=self.device)
        logits, rows, *found = self.explainer(x, lambda z: is_damaged(z) | always)
        # One transfer of each kind for the whole batch.
        # On the CPU: not every device has float64 (MPS).
        probabilities = torch.softmax(logits.cpu().double(), dim=1)[:, 1].tolist()
        if not all(map(math.isfinite, probabilities)):
            # max() would pass over it, and the picture would count as intact.
            raise RelevanceError(
                "The network gave NaN. Try another device (--device cpu), or fetch its weights "
                "again."
            )
        found_maps = [m.float().cpu().numpy() for m in found]
        for index, row in enumerate(rows.tolist()):
            job, tile = pending[row]
            for merged, maps in zip(job.maps, found_maps, strict=True):
                job.grid.add(merged, tile, maps[index])
            job.explained = True
        for (job, _), probability in zip(pending, probabilities, strict=True):
            job.probability = max(job.probability, probability)
            job.done += 1
        if progress is not None:
            last = pending[-1][0]
            progress(last.done, len(last.grid))

    def _finish(self, job: _Job, explain_intact: bool, progress: Progress | None) -> Result:
        damaged = job.explained
        if explain_intact and not damaged:
            job = self._explain_all(job, progress)
        height, width = job.image.shape[:2]
        maps = [_reduced(m, height, width) for m in job.maps]
        return Result(
            job.image, job.probability, damaged, job.explained, maps[0], self.settings,
            maps[1] if len(maps) > 1 else None,
        )  # fmt: skip

    def _explain_all(self, job: _Job, progress: Progress | None) -> _Job:
        again = self._job(job.image, job.enlarged, job.grid, explain_all=True)
        tiles = list(job.grid)
        for first in range(0, len(tiles), self.batch):
            self._run([(again, tile) for tile in tiles[first : first + self.batch]], progress)
        return again


def is_damaged(logits: Tensor) -> Tensor:
    """(B, 2) logits of (intact, damaged) to a bool (B,): probability of damage above 0.5."""
    return logits[:, 1] > logits[:, 0]


def _reduced(merged: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """A map of the enlarged image at the image's own size, read-only."""
    if merged.shape != (height, width):
        merged = np.asarray(
            cv2.resize(merged, (width, height), interpolation=cv2.INTER_AREA), np.float32
        )
    merged.flags.writeable = False
    return merged
