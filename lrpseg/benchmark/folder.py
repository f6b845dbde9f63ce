"""Measures a folder from files to masks: `lrpseg annotate`, with and without a first look, beside a
plain loop, in one run.

    lrpseg benchmark --folder tiles

The plain loop is what one writes first: a picture at a time through PyTorch and Zennit,
scikit-learn for the three Gaussians, Pillow for the mask. All take turns over the same parts of
the folder, so that a busy moment of the machine hits them alike. Loading the network is not
counted.
"""

import os
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from lrpseg.core.devices import pick_device, synchronize
from lrpseg.core.errors import OptionError
from lrpseg.core.images import read_image
from lrpseg.domains import load_domain
from lrpseg.domains.weights import load_classifier
from lrpseg.folders import Job, Plan, annotate
from lrpseg.folders.run import PLAN_FILE, with_segmenter
from lrpseg.folders.sources import STATE, Source, find_sources
from lrpseg.lrp import RULE_SETS
from lrpseg.lrp.explainer import Explainer
from lrpseg.lrp.zennit import ZennitEngine
from lrpseg.masks.figures import iou
from lrpseg.masks.render import mask_image
from lrpseg.models.networks import INPUT_SIZE
from lrpseg.pipeline.jobs import Job as Picture
from lrpseg.pipeline.looking import Look, Seen
from lrpseg.pipeline.segmenter import Segmenter
from lrpseg.thresholders import gmm_reference
from lrpseg.version import __version__

THRESHOLDER = "gmm"
"""The thresholder of the comparison: the one that the paper ran with scikit-learn."""

PART = 40
"""Pictures after which they take turns."""


@dataclass
class Clock:
    """Seconds by what they were spent on."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def on(self, what: str, device: torch.device | None = None) -> Iterator[None]:
        """Add the time inside of the block to `what`."""
        start = time.perf_counter()
        yield
        if device is not None:
            synchronize(device)
        self.seconds[what] += time.perf_counter() - start

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def timed(explainer: Explainer, clock: Clock, device: torch.device) -> Explainer:
    """The explainer, whose time (network and LRP) is added to the clock."""

    def explain(x: Tensor, select: Callable[[Tensor], Tensor]) -> Any:
        with clock.on("network and LRP", device):
            return explainer(x, select)

    return explain


@dataclass(frozen=True)
class TimedLook:
    """The first look, whose time is added to the clock."""

    look: Look
    clock: Clock
    device: torch.device

    def over(self, job: Picture, batch: int) -> Iterator[Seen]:
        return self.look.over(job, batch)

    @property
    def tiles(self) -> Callable[[Tensor], Tensor] | None:
        inner = self.look.tiles
        return None if inner is None else self._timed(inner)

    def _timed(self, inner: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def tiles(pixels: Tensor) -> Tensor:
            with self.clock.on("network and LRP", self.device):
                return inner(pixels)

        return tiles


class PlainLoop:
    """One picture after the other, without any of this package's ways of being fast."""

    def __init__(self, job: Job, device: torch.device) -> None:
        domain = load_domain(job.settings.domain)
        model = load_classifier(domain, job.settings.network).to(device)
        self._normalise, self._device = domain.normalisation, device
        self._only = torch.zeros(1, dtype=torch.long, device=device)  # the first class
        self._engine = ZennitEngine(
            model,
            RULE_SETS[job.settings.rule_set],
            domain.normalisation,
            job.settings.start,
            job.settings.pooling,
        )

    def __call__(self, sources: Sequence[Source], out: Path, clock: Clock) -> int:
        """Write a mask for each picture to OUT/NAME.png; returns how many are damaged."""
        damaged = 0
        for source in sources:
            with clock.on("reading"):
                image = read_image(Path(source.path))
            with clock.on("network", self._device):
                x = self._normalise(torch.from_numpy(image[None].copy()).to(self._device))
                logits = self._engine.logits(x)[0]
                found = bool(logits[1] > logits[0])
            mask: NDArray[np.bool_] = np.zeros(image.shape[:2], bool)
            if found:
                damaged += 1
                with clock.on("LRP", self._device):
                    relevance = self._engine.relevance(x, self._only)[0].float().cpu().numpy()
                with clock.on("scikit-learn"):
                    mask = gmm_reference.fit(relevance).mask
            with clock.on("writing"):
                path = (out / source.name).with_suffix(".png")
                path.parent.mkdir(parents=True, exist_ok=True)
                mask_image(mask).save(path)
        return damaged


def folder_benchmark(
    folder: Path, domain: str = "magnetic-tile", network: str = "one-fc", device: str = "auto"
) -> str:
    """The report as text.

    Raises:
        OptionError: a picture is not of the network's input size, for which the plain loop would
            need tiles.
        ImageError: there is no picture in `folder`.
    """
    sources = list(find_sources([folder]))
    random.Random(0).shuffle(sources)  # intact and damaged ones share batches, as they come
    for source in sources:
        with Image.open(source.path) as image:
            if image.size != (INPUT_SIZE, INPUT_SIZE):
                raise OptionError(
                    f"{source.path} has {image.width}x{image.height} pixels. The folder case "
                    f"compares on pictures of {INPUT_SIZE}x{INPUT_SIZE}: python -m "
                    "training.data.draw_tiles."
                )
    where = pick_device(device)
    job = Job.make(
        domain, network=network, rule_set="ours", thresholder=THRESHOLDER, refiner="none",
        formats=("png",),
    )  # fmt: skip
    segmenter = job.segmenter(device)
    ways = [
        Way(label, _timed(each, clock, where), clock)
        for label, each, clock in (
            ("lrpseg annotate", segmenter, Clock()),
            ("the same --tiled", replace(segmenter, look=None), Clock()),
        )
    ]
    loop, plain = PlainLoop(job, where), Clock()
    for way in ways:
        way.segmenter(np.zeros((INPUT_SIZE, INPUT_SIZE, 3), np.uint8), explain_intact=True)
        way.clock.seconds.clear()  # that was to warm up
    damaged = 0
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        loop(sources[:1], out / "plain", Clock())
        for first in range(0, len(sources), PART):
            part = sources[first : first + PART]
            damaged += loop(part, out / "plain", plain)
            for way in ways:
                way.annotate(part, out, job)
    return _report(sources, (domain, network, where), ways, plain, damaged)


def _timed(segmenter: Segmenter, clock: Clock, device: torch.device) -> Segmenter:
    """The segmenter, whose time in network and LRP is added to the clock."""
    look = segmenter.look
    return replace(
        segmenter,
        explainer=timed(segmenter.explainer, clock, device),
        look=None if look is None else TimedLook(look, clock, device),
    )


@dataclass
class Way:
    """`annotate` with one segmenter: its seconds in all and by its clock, and the IoU of its masks
    with the plain loop's."""

    label: str
    segmenter: Segmenter
    clock: Clock
    seconds: float = 0
    agrees: list[float] = field(default_factory=list)

    def annotate(self, part: Sequence[Source], out: Path, job: Job) -> None:
        """Annotate pictures of which the plain loop's masks are in OUT/plain."""
        folder, paths = out / self.label, [source.path for source in part]
        start = time.perf_counter()
        annotate(paths, folder, job, engine=with_segmenter(self.segmenter))
        self.seconds += time.perf_counter() - start
        stems = {p.source.path: p.stem for p in Plan(folder / STATE / PLAN_FILE)}
        for source in part:
            own = folder / "png" / f"{stems[os.path.abspath(source.path)]}.png"
            pair = (own, (out / "plain" / source.name).with_suffix(".png"))
            first, second = (np.asarray(Image.open(path)) > 0 for path in pair)
            self.agrees.append(iou(first, second))


def _report(
    sources: Sequence[Source],
    what: tuple[str, str, torch.device],
    ways: Sequence[Way],
    plain: Clock,
    damaged: int,
) -> str:
    domain, network, where = what
    count, (first, tiled) = len(sources), ways
    spent = ", ".join(f"{k} {v / plain.total:.0%}" for k, v in plain.seconds.items())
    without = plain.total - plain.seconds["scikit-learn"]

    def row(label: str, seconds: float, told: str) -> str:
        return f"{label:17}{seconds:8.1f}{count / seconds:10.2f}   ({told})"

    return "\n".join(
        [
            f"lrpseg {__version__} benchmark of a folder: {domain}, {network}, ours, {THRESHOLDER}",
            f"device: {where}, {torch.get_num_threads()} threads; torch {torch.__version__}; "
            f"taking turns every {PART} images",
            f"{count} images of {INPUT_SIZE}x{INPUT_SIZE}, {damaged} classified as damaged",
            "",
            f"{'':16}{'seconds':>9}{'images/s':>10}",
            row("plain loop", plain.total, spent),
            *(
                row(
                    way.label,
                    way.seconds,
                    f"{way.clock.total / way.seconds:.1%} of it inside network and LRP",
                )
                for way in ways
            ),
            "",
            f"{plain.total / first.seconds:.2f} times the plain loop's images per second "
            f"({without / first.seconds:.2f} times if scikit-learn took no time at all), "
            f"{tiled.seconds / first.seconds:.2f} times those of --tiled",
            f"IoU with the plain loop's masks: mean {np.mean(first.agrees):.4f}, lowest "
            f"{min(first.agrees):.4f}, {sum(k < 0.99 for k in first.agrees)} below 0.99",
        ]
    )
