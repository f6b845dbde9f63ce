"""Kill -9 at random moments of each long job; go on with it; compare what is left at the end."""

import shutil
import time
from pathlib import Path

from tests.soak import children
from tests.soak.jobs import JOBS, Job, Outcome
from tests.soak.rows import Plan, Row, counted


def run(plan: Plan) -> list[Row]:
    """A row for each job; they share the time."""
    jobs = {name: job for name, job in JOBS.items() if job.short or not plan.short}
    return [_job(plan, name, job, plan.seconds / len(jobs)) for name, job in jobs.items()]


def _job(plan: Plan, name: str, job: Job, seconds: float) -> Row:
    base = plan.folder / "kills" / name.replace(" ", "-")
    ready, whole, log = base / "ready", base / "whole", base / "log.txt"
    ready.mkdir(parents=True)
    job.prepare(ready, 4 if plan.short else 16)
    shutil.copytree(ready, whole)
    begun = time.monotonic()
    code = children.run(plan, log, job.work, whole)
    took, wanted = time.monotonic() - begun, job.outcome(whole)
    row = Row(f"kill -9: {name}", "")
    if code:
        row.failures.append(f"{name} without a kill ended with {code}: {plan.keep(name, log)}")
    kills = rounds = 0
    end = time.monotonic() + seconds
    while not row.failures and (not rounds or time.monotonic() < end):
        here = base / f"round-{rounds}"
        shutil.copytree(ready, here)
        kills += _killed(plan, log, job, here, took, rounds)
        children.run(plan, log, job.work, here)
        if differing := differences(wanted, job.outcome(here)):
            kept = plan.keep(f"{name}-{rounds}", here)
            row.failures.append(f"{name}, round {rounds}: {differing} differ: {kept}")
        shutil.rmtree(here)
        rounds += 1
    shutil.rmtree(base if not row.failures else ready)
    row.tried = f"{counted(kills, 'kill')} in {counted(rounds, 'run')}"
    row.held = f"{counted(rounds - len(row.failures), 'run')} left what one without a kill leaves"
    return row


def _killed(plan: Plan, log: Path, job: Job, here: Path, took: float, number: int) -> int:
    """Begin the job up to three times, each killed at a random moment; returns how many kills came
    before its end."""
    chance, kills = plan.random("kills", here.parent.name, number), 0
    for _ in range(chance.randint(1, 1 if plan.short else 3)):
        process = children.start(plan, log, job.work, here)
        process.join(chance.uniform(0, 0.9 * took))
        if process.exitcode is not None:
            break
        process.kill()
        process.join()
        kills += 1
    return kills


def differences(wanted: Outcome, found: Outcome) -> list[str]:
    """Names of what is missing, more, or not the same."""
    return sorted(n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n))
