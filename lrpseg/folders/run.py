"""A run over a folder: blocks one after the other (or on many machines), resumable, then joined.

OUT/FORMAT/...            what each format writes
OUT/overlays/...          with --overlays
OUT/report.json           settings, counts, what each format holds, and what failed
OUT/pictures.jsonl        a line for each picture
OUT/index.html, summary/  the same to look at
OUT/.lrpseg/              the plan, and a shard for each block that is done
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lrpseg.core.errors import LrpsegError, OptionError
from lrpseg.core.files import atomically, remove_halves, sync_all
from lrpseg.folders.block import Row, annotate_block
from lrpseg.folders.job import Job
from lrpseg.folders.plan import BLOCK, Plan, make_plan
from lrpseg.folders.sources import STATE, find_sources
from lrpseg.folders.summary import write_summary
from lrpseg.folders.told import Told
from lrpseg.formats import FORMATS, Record, Written
from lrpseg.formats.mvtec import MASK_ENDING
from lrpseg.masks.render import save_text
from lrpseg.pipeline.segmenter import Segmenter

PLAN_FILE = "plan.sqlite"
LEFT_OUT_FILE = "left-out.json"
JOB_FILE = "job.json"
Progress = Callable[[int], None]
"""Called with the number of pictures that have been done since the last call."""

Engine = Callable[[Plan, Sequence[int], Job, Path, "Shards"], Iterator[int]]
"""Does blocks, in any order, and gives the number of each one whose shard is in place."""


@dataclass
class Report:
    """What happened. failed: (name, reason) of what could not be read, the first 1000. left_out:
    files that were given and are no pictures. read: pictures that were read in a way that is not
    plain."""

    pictures: int = 0
    damaged: int = 0
    intact: int = 0
    failures: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    formats: dict[str, Written] = field(default_factory=dict)
    left_out: Told = field(default_factory=Told)
    read: Told = field(default_factory=Told)

    def sentence(self) -> str:
        """One line: "12 pictures read, 3 left out: 2 (.txt file), 1 (cannot be read)"."""
        done = self.pictures - self.failures
        said = f"{done:,} picture{'s'[: done != 1]} read"
        reasons = self.left_out.reasons()
        if self.failures:
            reasons.append(f"{self.failures:,} (cannot be read)")
        if not reasons:
            return f"{said}, none left out"
        return f"{said}, {self.left_out.total + self.failures:,} left out: {', '.join(reasons)}"


@dataclass(frozen=True)
class Shards:
    """The blocks that are done, a JSON file each."""

    folder: Path

    def path(self, number: int) -> Path:
        return self.folder / f"{number // 1000:06}" / f"{number % 1000:03}.json"

    def write(self, number: int, rows: list[Row]) -> None:
        """Say that a block is done; all its files must be in place before."""
        sync_all()  # a power cut must not leave a block that is done without its files
        text = json.dumps(rows, ensure_ascii=False)
        atomically(self.path(number), lambda f: f.write(text.encode()))

    def done(self, number: int) -> bool:
        return self.path(number).is_file()

    def read(self, number: int) -> list[Row]:
        return json.loads(self.path(number).read_text("utf-8"))


def annotate(
    given: Sequence[str],
    out: Path,
    job: Job,
    *,
    resume: bool = False,
    device: str = "auto",
    segmenter: Segmenter | None = None,
    engine: Engine | None = None,
    progress: Progress | None = None,
    started: Callable[[int], None] | None = None,
    block: int = BLOCK,
) -> Report:
    """Annotate all pictures of `given` (see `find_sources`) into the folder `out`.

    Args:
        resume: go on with the run that was begun in `out`; what it has done is not done again.
            The result is that of a run that was never interrupted, byte for byte.
        segmenter: of the job, where it is loaded already; else it is loaded on `device`.
        engine: who does the blocks; None: this process, with `segmenter`.
        started: called once with the number of pictures.
        block: pictures in a block; a resumed run keeps that of its start.

    Raises:
        ImageError: a source does not exist, or there is no picture.
        OptionError: there is a run in `out` that had other settings, or none to resume.
    """
    state = out / STATE
    if resume:
        plan, job = _resumed(state, job)
    else:
        plan, job = _new(given, out, job, block)
    _remove_halves(out, job)
    shards = Shards(state / "blocks")
    if started is not None:
        started(len(plan))
    blocks = plan.blocks
    open_ = [number for number in range(blocks) if not shards.done(number)]
    if progress is not None:
        done = blocks - len(open_)
        progress(min(len(plan), done * plan.size))
    if engine is None:
        loaded = segmenter or job.segmenter(device)
        for _ in with_segmenter(loaded, progress)(plan, open_, job, out, shards):
            pass
    else:
        for number in engine(plan, open_, job, out, shards):
            if progress is not None:
                progress(len(plan.block(number)))
    return _join(plan, job, out, shards)


def with_segmenter(segmenter: Segmenter, progress: Progress | None = None) -> Engine:
    """The engine of this process; `progress` is told of each picture: a block may take long."""

    def run(plan: Plan, open_: Sequence[int], job: Job, out: Path, shards: Shards) -> Iterator[int]:
        for number in open_:
            rows = annotate_block(plan.block(number), job, segmenter, out, progress)
            shards.write(number, rows)
            yield number

    return run


def _new(given: Sequence[str], out: Path, job: Job, block: int) -> tuple[Plan, Job]:
    state, fresh = out / STATE, not out.exists()
    # What was there before is only given up when the new plan is whole.
    left_out = Told()
    try:
        make_plan(find_sources(given, left_out.add), out / ".lrpseg-plan", block)
    except LrpsegError:
        if fresh:
            shutil.rmtree(out, ignore_errors=True)
        raise
    if state.exists():
        shutil.rmtree(state)
    state.mkdir()
    (out / ".lrpseg-plan").replace(state / PLAN_FILE)
    plan = Plan(state / PLAN_FILE)
    job = _of_plan(job, plan)
    save_text(json.dumps(left_out.as_json(), ensure_ascii=False), state / LEFT_OUT_FILE)
    save_text(json.dumps(job.as_json(), indent=1), state / JOB_FILE)
    return plan, job


def _of_plan(job: Job, plan: Plan) -> Job:
    """The job with what the names of all pictures decide."""
    if not (job.options.copy_pictures and "mvtec" in job.formats):
        return job
    ended = plan.sorts_apart(".png", f"{MASK_ENDING}.png")
    return replace(job, options=replace(job.options, ended=ended))


def _resumed(state: Path, job: Job) -> tuple[Plan, Job]:
    try:
        before = json.loads((state / JOB_FILE).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(
            f"There is no run to resume in {state.parent}. Start it without --resume."
        ) from error
    then = Job.of_json(before)
    # What names decide was decided at the start, maybe by an older version, which did not ask.
    job = replace(job, options=replace(job.options, ended=then.options.ended))
    now = job.as_json()
    # What an older version stored lacks fields that are younger: they had their defaults.
    held = {**then.as_json(), "lrpseg": before.get("lrpseg")}
    changed = [name for name in now if held.get(name) != now[name]]
    if changed:
        raise OptionError(
            f"The run in {state.parent} had another {', '.join(changed)}. Resume it with the "
            "settings of its start, or start anew without --resume."
        )
    return Plan(state / PLAN_FILE), job


def _remove_halves(out: Path, job: Job) -> None:
    """What an earlier run in `out` left that was killed."""
    for name in (*job.formats, "overlays", "summary", STATE):
        remove_halves(out / name)
    for part in out.glob(".*.part"):  # of what lies beside them nothing is ours to look at
        part.unlink(missing_ok=True)


def _join(plan: Plan, job: Job, out: Path, shards: Shards) -> Report:
    """Join the shards into the formats' common files, the report and the summary."""
    report = Report(left_out=Told.read(plan.folder / LEFT_OUT_FILE))
    for name in job.formats:
        records = _records(plan, shards, name)
        report.formats[name] = FORMATS[name].assemble(records, out / name, job.options)

    def lines(file: Any) -> None:
        for row in _rows(plan, shards):
            _count(report, row)
            told = {k: v for k, v in row.items() if k != "records"}
            file.write(json.dumps(told, ensure_ascii=False).encode() + b"\n")

    atomically(out / "pictures.jsonl", lines)
    entry = {
        "settings": job.as_json(), "pictures": report.pictures, "damaged": report.damaged,
        "intact": report.intact, "failures": report.failures,
        "failed": [{"name": n, "reason": r} for n, r in report.failed],
        "left_out": report.left_out.as_json(), "read": report.read.as_json(),
        "formats": {name: w.as_json() for name, w in report.formats.items()},
    }  # fmt: skip
    save_text(json.dumps(entry, indent=1, ensure_ascii=False) + "\n", out / "report.json")
    write_summary(_rows(plan, shards), entry, out)
    return report


def _rows(plan: Plan, shards: Shards) -> Iterator[Row]:
    for number in range(plan.blocks):
        yield from shards.read(number)


def _records(plan: Plan, shards: Shards, name: str) -> Iterable[Record]:
    for row in _rows(plan, shards):
        if name in row["records"]:
            yield row["records"][name]


def _count(report: Report, row: Row) -> None:
    report.pictures += 1
    for note in row.get("read", ()):
        kind, _, more = note.partition(" (")
        report.read.add(kind, f"{row['name']} ({more}" if more else row["name"])
    if row["status"] == "failed":
        report.failures += 1
        if len(report.failed) < 1000:
            report.failed.append((row["name"], row["reason"]))
    elif row["status"] == "damaged":
        report.damaged += 1
    else:
        report.intact += 1
