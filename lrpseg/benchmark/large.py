"""Measures large pictures: with a first look at tiles, in 8 bits and in windows, and without.

    lrpseg benchmark --large 4 24 100

A picture of so many megapixels is a mosaic of the shipped samples, mirrored, of which one in twenty
shows damage. Each way to cover it runs in a process of its own, so that the memory
is its own, one after the other on the same picture. Loading the network does not count.
"""

import multiprocessing
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lrpseg.core.devices import pick_device, synchronize
from lrpseg.core.errors import OptionError
from lrpseg.core.images import MAX_PIXELS, read_image
from lrpseg.domains import FIRST_DOMAIN
from lrpseg.domains.samples import shipped_samples
from lrpseg.masks.figures import iou
from lrpseg.pipeline.loading import load
from lrpseg.pipeline.looking import TILINGS
from lrpseg.pipeline.settings import Settings
from lrpseg.pipeline.testifying import NO_WITNESS
from lrpseg.version import __version__

MEGAPIXELS = (4.0, 24.0, 100.0)
SHARE = 20
"""One part in so many is damaged."""

FADE = 40
"""Pixels over which damage fades in."""


@dataclass(frozen=True)
class Case:
    """What is run: a mosaic of `samples` with so many megapixels; the rest as of `load`."""

    megapixels: float
    samples: tuple[Path, ...]
    domain: str
    network: str | None
    tiling: str
    device: str


@dataclass(frozen=True)
class Run:
    """preview: seconds until each tile had a first look, or ran. seconds: for result and mask.
    memory: the most that the process held, in bytes, with the libraries and the network; None where
    the system does not tell. damaged: whether the picture was called that."""

    preview: float
    seconds: float
    memory: int | None
    damaged: bool
    mask: NDArray[np.bool_]
    settings: Settings


def mosaic(megapixels: float, samples: Sequence[Path]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8, three wide to two high. samples: an intact one, then damaged ones.

    Neighbouring parts mirror each other, and damaged ones fade in from their sides: edges between
    parts would look like damage.
    """
    intact, *damaged = (read_image(path) for path in samples)
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    width = round(height * 1.5)
    cell = min(side for source in (intact, *damaged) for side in source.shape[:2])
    down, across = -(-height // cell), -(-width // cell)
    ramp = np.clip(np.minimum(np.arange(cell), np.arange(cell)[::-1]) / FADE, 0, 1)
    share = (ramp[:, None] * ramp[None])[..., None]

    def part(row: int, column: int) -> NDArray[np.uint8]:
        index, shown = row * across + column, intact[:cell, :cell].astype(np.float32)
        if index % SHARE == SHARE // 2:
            other = damaged[index // SHARE % len(damaged)][:cell, :cell]
            shown = shown * (1 - share) + other * share
        turned = shown[:: -1 if row % 2 else 1, :: -1 if column % 2 else 1]
        return np.rint(turned).astype(np.uint8)

    rows = [
        np.concatenate([part(row, column) for column in range(across)], axis=1)
        for row in range(down)
    ]
    return np.ascontiguousarray(np.concatenate(rows)[:height, :width])


def large_benchmark(
    megapixels: Sequence[float],
    domain: str = FIRST_DOMAIN,
    device: str = "auto",
    network: str | None = None,
) -> str:
    """The report as text; raises `OptionError` for sizes that no picture may have."""
    samples = [path for path, of in shipped_samples() if of == domain]
    samples.sort(key=lambda path: "intact" not in path.name)
    if len(samples) < 2:
        raise OptionError(
            f"There are no samples of {domain}; the mosaic is made of the shipped ones."
        )
    for size in megapixels:
        if not 0 < size * 1e6 <= MAX_PIXELS:
            raise OptionError(
                f"A picture has up to {MAX_PIXELS // 10**6} megapixels; {size:g} given."
            )
    where = pick_device(device)
    lines = []
    settings = None
    for size in megapixels or MEGAPIXELS:
        runs = {
            way: _alone(Case(size, tuple(samples), domain, network, way, device)) for way in TILINGS
        }
        settings = next(iter(runs.values())).settings
        slow = runs["tiles"].seconds
        height, width = runs["tiles"].mask.shape
        for tiling, run in runs.items():
            memory = "" if run.memory is None else f"{run.memory / 1e6:9.0f}"
            agrees = iou(run.mask, runs["tiles"].mask)
            lines.append(
                f"{size:5g}  {f'{width}x{height}':12}{tiling:9}{run.preview:9.1f}{run.seconds:9.1f}"
                f"{slow / run.seconds:9.2f}{agrees:9.3f}{memory:>9}"
            )
    assert settings is not None
    head = [
        f"lrpseg {__version__} benchmark of large pictures: {settings.domain}, {settings.network}, "
        f"{settings.rule_set}, {settings.thresholder}, {settings.refiner}",
        f"device: {where}, {torch.get_num_threads()} threads; torch {torch.__version__}; one part "
        f"in {SHARE} is damaged",
        "",
        f"{'MP':>5}  {'pixels':12}{'tiling':9}{'preview':>9}{'seconds':>9}{'speed':>9}"
        f"{'IoU':>9}{'MB':>9}",
    ]
    return "\n".join([*head, *lines])


def _alone(case: Case) -> Run:
    """The run in a new process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_run, (case,))


def _run(case: Case) -> Run:
    segmenter = load(
        case.domain, network=case.network, tiling=case.tiling, witness=NO_WITNESS,
        device=case.device,
    )  # fmt: skip
    segmenter(read_image(case.samples[1]), explain_intact=True)  # warms up
    image = mosaic(case.megapixels, case.samples)
    start = time.perf_counter()
    preview, steps = None, segmenter.steps(image)
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            result = end.value
            break
        if preview is None and step.looked == step.total:
            preview = time.perf_counter() - start
    mask = result.mask
    synchronize(segmenter.device)
    seconds = time.perf_counter() - start
    assert preview is not None
    return Run(preview, seconds, _most(), result.damaged, mask, segmenter.settings)


def _most() -> int | None:
    """The most memory that this process has held, in bytes; None on Windows."""
    if sys.platform == "win32":
        return None
    import resource

    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held if sys.platform == "darwin" else held * 1024
