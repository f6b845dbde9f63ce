"""Measures a folder from files to masks: `lrpseg annotate` beside a plain loop, in one run.

    lrpseg benchmark --folder tiles

The plain loop is what one writes first: a picture at a time through PyTorch and Zennit,
scikit-learn for the three Gaussians, Pillow for the mask. Both take turns over the same parts of
the folder, so that a busy moment of the machine hits both alike. Loading the network counts for
neither.
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
from lrpseg.thresholders import gmm_reference
from lrpseg.version import __version__

THRESHOLDER = "gmm"
"""The thresholder of the comparison: the one that the paper ran with scikit-learn."""

PART = 40
"""Pictures after which the two take turns."""


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
    ours, plain = Clock(), Clock()
    segmenter = job.segmenter(device)
    segmenter = replace(segmenter, explainer=timed(segmenter.explainer, ours, where))
    loop = PlainLoop(job, where)
    segmenter(np.zeros((INPUT_SIZE, INPUT_SIZE, 3), np.uint8), explain_intact=True)  # warms up
    ours.seconds.clear()
    seconds, damaged, kept = 0.0, 0, []
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        loop(sources[:1], out / "plain", Clock())
        for first in range(0, len(sources), PART):
            part = sources[first : first + PART]
            start = time.perf_counter()
            annotate(
                [source.path for source in part], out / "ours", job,
                engine=with_segmenter(segmenter),
            )  # fmt: skip
            seconds += time.perf_counter() - start
            damaged += loop(part, out / "plain", plain)
            kept += _agreement(out, part)
    return _report(sources, (domain, network, where), (ours, seconds), plain, damaged, kept)


def _agreement(out: Path, part: Sequence[Source]) -> list[float]:
    """The IoU of both masks of each picture."""
    found = []
    stems = {p.source.path: p.stem for p in Plan(out / "ours" / STATE / PLAN_FILE)}
    for source in part:
        ours = out / "ours" / "png" / f"{stems[os.path.abspath(source.path)]}.png"
        pair = (ours, (out / "plain" / source.name).with_suffix(".png"))
        first, second = (np.asarray(Image.open(path)) > 0 for path in pair)
        found.append(iou(first, second))
    return found


def _report(
    sources: Sequence[Source],
    what: tuple[str, str, torch.device],
    ours: tuple[Clock, float],
    plain: Clock,
    damaged: int,
    kept: Sequence[float],
) -> str:
    domain, network, where = what
    count, (clock, seconds) = len(sources), ours
    inside = clock.total / seconds
    spent = ", ".join(f"{k} {v / plain.total:.0%}" for k, v in plain.seconds.items())
    without = plain.total - plain.seconds["scikit-learn"]
    return "\n".join(
        [
            f"lrpseg {__version__} benchmark of a folder: {domain}, {network}, ours, {THRESHOLDER}",
            f"device: {where}, {torch.get_num_threads()} threads; torch {torch.__version__}; "
            f"taking turns every {PART} images",
            f"{count} images of {INPUT_SIZE}x{INPUT_SIZE}, {damaged} classified as damaged",
            "",
            f"{'':16}{'seconds':>9}{'images/s':>10}",
            f"{'plain loop':16}{plain.total:9.1f}{count / plain.total:10.2f}   ({spent})",
            f"{'lrpseg annotate':16}{seconds:9.1f}{count / seconds:10.2f}   "
            f"({inside:.1%} of it inside network and LRP)",
            "",
            f"{plain.total / seconds:.2f} times the plain loop's images per second "
            f"({without / seconds:.2f} times if scikit-learn took no time at all)",
            f"IoU of both masks: mean {np.mean(kept):.4f}, lowest {min(kept):.4f}, "
            f"{sum(k < 0.99 for k in kept)} below 0.99",
        ]
    )
