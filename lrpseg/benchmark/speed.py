"""Measures speed: LRP by the lean engine and by Zennit, thresholders, refiners: all in one run.

    python -m lrpseg.benchmark.speed        # or: lrpseg benchmark

All times are medians of runs that take turns, so that a busy moment of the machine hits all alike;
what counts are the ratios to one forward pass of the network. The network has the domain's shipped
weights and the input is a drawn surface with damage: the time depends on neither, the number of
steps that a thresholder's EM takes does.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lrpseg.core.devices import pick_device, synchronize
from lrpseg.core.errors import OptionError
from lrpseg.domains import Domain, load_domain
from lrpseg.domains.weights import load_classifier
from lrpseg.lrp import DEFAULT_POOLING, DEFAULT_START, RULE_SETS
from lrpseg.lrp.engine import LeanEngine
from lrpseg.lrp.support import lean_lacks
from lrpseg.lrp.zennit import ZennitEngine
from lrpseg.models.contract import Classifier
from lrpseg.models.networks import INPUT_SIZE
from lrpseg.pipeline.loading import load
from lrpseg.pipeline.results import Result
from lrpseg.pipeline.testifying import NO_WITNESS
from lrpseg.refiners import REFINERS
from lrpseg.thresholders import THRESHOLDERS, Fitted, bmm_reference, gmm_reference
from lrpseg.version import __version__

BATCHES = (1, 8)
SIDES = (INPUT_SIZE, 1024)
_REFERENCES: dict[str, Callable[[NDArray[np.float32]], Fitted]] = {
    "gmm": gmm_reference.fit,
    "bmm": bmm_reference.fit,
}


def milliseconds(
    contestants: dict[str, Callable[[], object]], repeats: int, device: torch.device
) -> dict[str, float]:
    """Median time of each function in ms, over `repeats` rounds in which they take turns."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(repeats + 1):
        for name, run in contestants.items():
            synchronize(device)
            start = time.perf_counter()
            run()
            synchronize(device)
            if turn:  # the first round warms up
                times[name].append((time.perf_counter() - start) * 1000)
    return {name: statistics.median(values) for name, values in times.items()}


def drawn_surface(batch: int, side: int = INPUT_SIZE) -> NDArray[np.uint8]:
    """(B, side, side, 3) uint8: noisy grey surfaces, each with a dark crack and a hole."""
    random = np.random.default_rng(0)
    images = []
    for _ in range(batch):
        image = random.normal(110, 8, (side, side)).astype(np.float32)
        path = np.cumsum(random.normal(0, 1.5, 90)) + 100
        points = np.stack([path, np.arange(60, 150)], axis=1).astype(np.int32)
        cv2.polylines(image, [points], False, 35.0, 2)
        cv2.circle(image, (170, 60), 5, 30.0, -1)
        images.append(np.clip(image, 0, 255).astype(np.uint8))
    return np.repeat(np.stack(images)[..., None], 3, axis=-1)


def lrp_table(model: Classifier, domain: Domain, x: Tensor, repeats: int) -> list[str]:
    """Lines of the LRP table for the batch `x`, (B, 3, H, W) normalised, of the network's side;
    what is explained is the first class."""
    first = torch.zeros(len(x), dtype=torch.long, device=x.device)

    @torch.inference_mode()
    def forward_pass() -> Tensor:
        return model(x)

    contestants: dict[str, Callable[[], object]] = {"forward pass": forward_pass}
    for name, rule_set in RULE_SETS.items():
        options = (model, rule_set, domain.normalisation, DEFAULT_START, DEFAULT_POOLING)
        if lean_lacks(model, rule_set) is None:
            lean = LeanEngine(*options)
            contestants[f"lean {name}"] = lambda e=lean: e.relevance(e.forward(x), first)  # type: ignore[misc]
        zennit = ZennitEngine(*options)
        contestants[f"zennit {name}"] = lambda e=zennit: e.relevance(x, first)  # type: ignore[misc]
    times = milliseconds(contestants, repeats, x.device)
    forward = times["forward pass"]
    lines = [
        f"batch {len(x)}: one forward pass {forward:.1f} ms ({forward / len(x):.1f} ms an image)",
        f"  {'rule set':12}{'lean ms':>10}{'/forward':>10}{'zennit ms':>11}{'/forward':>10}"
        f"{'zennit/lean':>13}",
    ]
    for name in RULE_SETS:
        zennit_ms, lean_ms = times[f"zennit {name}"], times.get(f"lean {name}", float("nan"))
        lines.append(
            f"  {name:12}{lean_ms:10.1f}{lean_ms / forward:10.2f}{zennit_ms:11.1f}"
            f"{zennit_ms / forward:10.2f}{zennit_ms / lean_ms:13.2f}"
        )
    return lines


def thresholder_table(result: Result, repeats: int) -> list[str]:
    """Lines of the thresholder table for one result."""
    contestants: dict[str, Callable[[], object]] = {}
    for name, thresholder in THRESHOLDERS.items():
        contestants[name] = lambda t=thresholder: t.fit(result.relevance)  # type: ignore[misc]
        if name in _REFERENCES:
            contestants[f"{name} reference"] = lambda f=_REFERENCES[name]: f(result.relevance)  # type: ignore[misc]
    result.using("simple")
    contestants["threshold change"] = lambda: result.at(0.3)
    assert result.likelihood is not None
    times = milliseconds(contestants, repeats, torch.device("cpu"))
    side = f"{result.relevance.shape[0]}x{result.relevance.shape[1]}"
    lines = [f"{f'thresholders, {side}:':22}{'fit ms':>13}{'reference ms':>14}{'ratio':>8}"]
    for name in THRESHOLDERS:
        line = f"  {name:20}{times[name]:13.2f}"
        if name in _REFERENCES:
            reference = times[f"{name} reference"]
            fast = THRESHOLDERS[name].fit(result.relevance)
            slow = _REFERENCES[name](result.relevance)
            union = (fast.mask | slow.mask).sum()
            agreement = (fast.mask & slow.mask).sum() / union if union else 1.0
            line += (
                f"{reference:14.1f}{reference / times[name]:8.1f}   IoU of masks {agreement:.4f}"
            )
        lines.append(line)
    lines.append(f"  threshold change, no refit: {times['threshold change']:.3f} ms")
    return lines


def refiner_table(image: NDArray[np.uint8], result: Result, repeats: int) -> list[str]:
    """Lines of the refiner table: what each takes after the thresholder Simple, for the same
    picture (H, W, 3) uint8 as `result`."""
    relevance, fitted = result.relevance, THRESHOLDERS["simple"].fit(result.relevance)
    contestants: dict[str, Callable[[], object]] = {
        name: lambda r=refiner: r.refine(image, relevance, relevance, fitted)  # type: ignore[misc]
        for name, refiner in REFINERS.items()
        if name != "none"
    }
    times = milliseconds(contestants, repeats, torch.device("cpu"))
    height, width = relevance.shape
    lines = [f"{f'refiners, {height}x{width}:':22}{'ms':>13}"]
    return lines + [f"  {name:20}{time:13.2f}" for name, time in times.items()]


def benchmark(domain: str, network: str, device: str, repeats: int) -> str:
    """The whole report as text; raises `OptionError` where nothing would be measured."""
    if repeats < 1:
        raise OptionError(f"Each is run once at least; {repeats} repeats were given.")
    where = pick_device(device)
    loaded = load_domain(domain)
    model = load_classifier(loaded, network).to(where)
    name = torch.cuda.get_device_name(where) if where.type == "cuda" else platform.processor()
    lines = [
        f"lrpseg {__version__} benchmark: {loaded.name}, {network}, float32",
        f"device: {where} {name}, {torch.get_num_threads()} threads; torch {torch.__version__}; "
        f"medians of {repeats} turns; start {DEFAULT_START}, pooling {DEFAULT_POOLING}",
        "",
    ]
    surfaces = drawn_surface(max(BATCHES), model.tile)
    x = loaded.normalisation(torch.from_numpy(surfaces).to(where))
    for batch in BATCHES:
        lines += [*lrp_table(model, loaded, x[:batch], repeats), ""]
    segmenter = load(domain, network=network, rule_set="ours", witness=NO_WITNESS, device=device)
    for side in SIDES:
        # Explained in any case: the drawn surface need not look damaged to this network.
        image = drawn_surface(1, side)[0]
        result = segmenter(image, explain_intact=True)
        lines += [*thresholder_table(result, repeats), ""]
        lines += [*refiner_table(image, result, repeats), ""]
    return "\n".join(lines)


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(
        prog="python -m lrpseg.benchmark",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--domain", default="magnetic-tile")
    parser.add_argument("--network", default="one-fc")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    print(benchmark(given.domain, given.network, given.device, given.repeats))
