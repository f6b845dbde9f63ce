"""The object to use: a `Segmenter`, from `lrpseg.load(...)`, turns images into results."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lrpseg.core.images import ImageSource, enlarge_to, read_image
from lrpseg.domains import Domain
from lrpseg.lrp import Explainer
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.jobs import Job, Step, probabilities
from lrpseg.pipeline.looking import SURE, Look, in_doubt, pixels_of
from lrpseg.pipeline.results import Result
from lrpseg.pipeline.settings import Settings
from lrpseg.pipeline.testifying import flagged, heard
from lrpseg.pipeline.tiling import TILE, Tile, TileGrid
from lrpseg.witness.witness import Witness

LARGE = 2_000_000
"""Pixels from which on a picture is large: what a first look suspects most runs first."""

HELD = 32
"""Pictures that a stream keeps while their tiles in doubt wait for a full batch."""

Progress = Callable[[int, int], None]
"""Called with (tiles done, tiles in all) of the image at hand."""

Pending = tuple[Job, Tile]
"""A tile that is to run, and its picture."""

Steps = Generator[Step, None, Result]
"""Yields as often as somebody else may have a turn; returns the result."""


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
    look: Look | None = None
    """A first look at tiles, which spares those that are surely intact; None: each runs."""
    large: int = LARGE
    """Pixels from which on a picture is a large one."""
    witness: Witness | None = None
    """Who else is asked about the picture; None: the network decides alone."""

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
        for _ in self._batches(job):
            yield job.step
        damaged = job.explained
        if self._again(job, explain_intact):
            job = job.again()
            for _ in self._batches(job):
                yield job.step
        return self._result(job, damaged, explain_intact)

    def _batches(self, job: Job) -> Iterator[tuple[int, int]]:
        """Hear the witness on a picture, and run all its tiles; yields (tiles done, tiles in all)
        after each few windows of the witness, and after each batch."""
        yield from self._hear(job)
        todo = [(job, tile) for tile in job.grid]
        if self._looks(job):
            todo = yield from self._looked_at(job)
        for first in range(0, len(todo), self.batch):
            self._run(todo[first : first + self.batch], None)
            yield job.done, len(job.grid)

    def _again(self, job: Job, explain_intact: bool) -> bool:
        """Whether a picture whose tiles are done runs once more, to be explained everywhere: where
        somebody wants it, or where it is damaged by what both say, and no tile by itself."""
        if self.witness is None or job.testimony is None:
            return explain_intact and not all(job.explained)
        (network,) = job.probability
        if explain_intact:  # the tiles that the witness flagged are not all of the picture
            return network <= 0.5
        both = self.witness.verdict.of_both(network, job.testimony.score)
        return not any(job.explained) and both > 0.5

    def _hear(self, job: Job) -> Iterator[tuple[int, int]]:
        """Hear the witness on a picture, if there is one and it has not spoken; yields as
        `_batches`."""
        if self.witness is None or job.testimony is not None:
            return
        steps = self.witness.steps(job.image)
        while job.testimony is None:
            try:
                job.heard, _ = next(steps)
                yield job.done, len(job.grid)
            except StopIteration as end:
                job.testimony = end.value
                job.flagged = flagged(end.value, self.witness.verdict, job.grid)

    def _looks(self, job: Job) -> bool:
        """Whether the picture's tiles get a first look."""
        pays = self.look is not None and (job.large or self.look.tiles is not None)
        return pays and not job.explain_all

    def _looked_at(self, job: Job) -> Generator[tuple[int, int], None, list[Pending]]:
        """Look at all tiles of a picture; yields as `_batches`, and returns those that are in
        doubt: of a large picture the most suspicious first."""
        assert self.look is not None
        doubted: list[Pending] = []
        unseen: list[Pending] = []
        for tiles, log_odds in self.look.over(job, self.batch):
            pairs = [(job, tile) for tile in tiles]
            if log_odds is None:
                unseen += pairs
                continue
            doubted += self._doubted(pairs, log_odds)
            job.suspect(tiles, (log_odds.amax(dim=1) + SURE).clamp(min=0).tolist())
            yield job.done, len(job.grid)
        if job.large and job.suspicion is not None:
            seen = job.suspicion
            doubted.sort(key=lambda pair: -seen[pair[1].row, pair[1].column])
        return doubted + unseen

    def _doubted(self, pairs: Sequence[Pending], log_odds: Tensor) -> list[Pending]:
        """Those that a first look does not call surely intact; the others are done."""
        doubts = zip(pairs, in_doubt(log_odds).tolist(), strict=True)
        again = [doubt or job.wants(tile) for (job, tile), doubt in doubts]
        for (job, _), row, doubt in zip(pairs, probabilities(log_odds), again, strict=True):
            if not doubt:
                job.count([row])
        return [pair for pair, doubt in zip(pairs, again, strict=True) if doubt]

    def stream(
        self,
        images: Iterable[ImageSource],
        *,
        explain_intact: bool = False,
        progress: Progress | None = None,
    ) -> Iterator[Result]:
        """Results in the images' order; tiles of several images share batches.

        Images are taken from `images` as they are needed; besides the ones that have tiles in the
        batch at hand, or up to `HELD` whose tiles in doubt wait for one, none is kept.
        """
        jobs: deque[Job] = deque()
        unseen: list[Pending] = []
        pending: list[Pending] = []

        def advance(last: bool = False) -> None:
            """Look at full batches, then run full ones; `last`: others, too."""
            while len(unseen) >= self.batch or (last and unseen):
                pending.extend(self._seen(unseen[: self.batch], progress))
                del unseen[: self.batch]
            while len(pending) >= self.batch or (pending and (last or len(jobs) > HELD)):
                self._run(pending[: self.batch], progress)
                del pending[: self.batch]

        for source in images:
            job = self._start(source)
            _tell(self._hear(job), None)
            jobs.append(job)
            looks = self._looks(job)
            if job.large and looks:  # it fills its batches itself
                advance(last=True)
                _tell(self._batches(job), progress)
            else:
                (unseen if looks else pending).extend((job, tile) for tile in job.grid)
                advance()
            while jobs and jobs[0].done == len(jobs[0].grid):
                yield self._finish(jobs.popleft(), explain_intact, progress)
        advance(last=True)
        while jobs:
            yield self._finish(jobs.popleft(), explain_intact, progress)

    def _seen(self, pairs: Sequence[Pending], progress: Progress | None) -> list[Pending]:
        """Look at a batch of tiles; returns those that are in doubt."""
        assert self.look is not None
        assert self.look.tiles is not None
        doubted = self._doubted(pairs, self.look.tiles(pixels_of(pairs)))
        _tell([_done(pairs)], progress)
        return doubted

    def _start(self, source: ImageSource) -> Job:
        image = read_image(source)
        enlarged = enlarge_to(image, self.side)
        height, width = enlarged.shape[:2]
        grid = TileGrid(height, width, self.settings.overlap, self.side)
        large = height * width >= self.large
        proposes = NETWORKS[self.settings.network].evidence == "likelihood"
        job = Job.of(image, enlarged, grid, len(self.domain.classes), proposes, large)
        job.windows = 0 if self.witness is None else len(self.witness.tokens.layout(image.shape))
        return job

    def _run(self, pending: Sequence[Pending], progress: Progress | None) -> None:
        """Classify a batch of tiles, explain the damaged ones, and merge what comes back."""
        tiles = pixels_of(pending)
        if self.device.type == "cuda":
            tiles = tiles.pin_memory()
        x = self.domain.normalisation(tiles.to(self.device, non_blocking=True))
        always = torch.tensor([job.wants(tile) for job, tile in pending], device=self.device)
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
        _tell([_done(pending)], progress)

    def _finish(self, job: Job, explain_intact: bool, progress: Progress | None) -> Result:
        damaged = job.explained
        if self._again(job, explain_intact):
            job = job.again()
            _tell(self._batches(job), progress)
        return self._result(job, damaged, explain_intact)

    def _result(self, job: Job, damaged: list[bool], explain_all: bool) -> Result:
        found = job.found(self.domain.classes.names, damaged)
        if self.witness is not None and job.testimony is not None:
            verdict = self.witness.verdict
            taught = self.domain.learned(self.settings.network)
            found = [heard(each, job.testimony, verdict, explain_all, taught) for each in found]
        return Result.of(job.image, self.settings, found)


def _done(pairs: Sequence[Pending]) -> tuple[int, int]:
    """(tiles done, tiles in all) of the last picture."""
    job = pairs[-1][0]
    return job.done, len(job.grid)


def _tell(batches: Iterable[tuple[int, int]], progress: Progress | None) -> None:
    """Do all batches, and tell after each."""
    for done, total in batches:
        if progress is not None:
            progress(done, total)


def is_damaged(log_odds: Tensor) -> Tensor:
    """(B, K) log-odds to a bool (B, K): probability of the class above 0.5."""
    return log_odds > 0
