"""The blocks of a run on a Ray cluster, through Ray Data: pip install -e '.[ray]'.

Each worker loads the network once and takes one block after the other; a block that was lost with
its worker is done again by another one. Pictures and --out must lie where all machines see them.
https://docs.ray.io/en/latest/data/data.html
"""

import logging
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lrpseg.core.errors import OptionError
from lrpseg.folders.block import annotate_block
from lrpseg.folders.job import Job
from lrpseg.folders.plan import Plan
from lrpseg.folders.run import Engine, Shards
from lrpseg.formats.errors import needs


class _Worker:
    """Lives in a process of the cluster, with a segmenter of its own."""

    def __init__(self, job: dict[str, Any], plan: str, out: str, device: str, threads: int) -> None:
        import torch

        if threads:
            torch.set_num_threads(threads)
        self._job = Job.of_json(job)
        self._plan, self._out = Plan(Path(plan)), Path(out)
        self._shards = Shards(self._plan.folder / "blocks")
        self._segmenter = self._job.segmenter(device)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        for number in batch["block"].tolist():
            pictures = self._plan.block(number)
            rows = annotate_block(pictures, self._job, self._segmenter, self._out)
            self._shards.write(number, rows)
        return batch


def _share(workers: int, machines: Sequence[dict[str, float]], device: str) -> tuple[int, float]:
    """CPUs and GPUs of one worker; no more than some machine has, or it would wait for ever."""
    gpus = int(sum(machine.get("GPU", 0) for machine in machines))
    if gpus and device in ("auto", "cuda"):
        return 1, 1 / math.ceil(workers / gpus)
    cpus = [int(machine.get("CPU", 0)) for machine in machines]
    return max(1, min(sum(cpus) // workers, max(cpus))), 0


def on_ray(workers: int, device: str = "auto") -> Engine:
    """An engine of `workers` processes on the cluster at $RAY_ADDRESS, or on this machine.

    Raises:
        MissingExtraError: Ray is not installed.
        OptionError: fewer than one worker.
    """
    if workers < 1:
        raise OptionError(f"--workers is 1 or more; {workers} was given.")
    needs("ray", "ray", "--engine ray")

    def run(plan: Plan, open_: Sequence[int], job: Job, out: Path, shards: Shards) -> Iterator[int]:
        import ray

        ray.init(ignore_reinit_error=True, log_to_driver=False, configure_logging=False)
        logging.getLogger("ray.data").setLevel(logging.WARNING)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.max_errored_blocks = 0
        cpus, each = _share(workers, [n["Resources"] for n in ray.nodes() if n["Alive"]], device)
        arguments = (job.as_json(), str(plan.path.resolve()), str(out.resolve()), device)
        blocks = ray.data.from_items([{"block": n} for n in open_], override_num_blocks=len(open_))
        done = blocks.map_batches(
            _Worker,
            fn_constructor_args=(*arguments, 0 if each else cpus),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=cpus,
            num_gpus=each,
        )  # Ray Data restarts actors and repeats their tasks without being told
        for row in done.iter_rows():
            yield int(row["block"])

    def nothing_to_do(
        plan: Plan, open_: Sequence[int], job: Job, out: Path, shards: Shards
    ) -> Iterator[int]:
        return run(plan, open_, job, out, shards) if open_ else iter(())

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would call home
    return nothing_to_do
