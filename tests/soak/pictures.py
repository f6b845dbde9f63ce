"""Damaged pictures through the reader: an array, or an `ImageError` with a sentence; nothing else.

They are read in a process of its own: a crash, a hang or gigabytes are told by number, and the next
process goes on behind it.
"""

import os
import re
import time
import warnings
from pathlib import Path

import numpy as np

from lrpseg.core.errors import ImageError
from lrpseg.core.images import MAX_PIXELS, read_image
from tests.soak import children
from tests.soak.mutations import bases, mutated
from tests.soak.rows import Plan, Row

PICTURES, FEW = 10_000, 200
HANG = 60.0
"""Seconds that a picture may take; the largest that are read take a few."""

MOST = 2500
"""Megabytes that a picture may take: of the largest that is read, of 178 megapixels, Pillow keeps 4
bytes of each, and a few copies of 3 are made."""


def run(plan: Plan) -> list[Row]:
    """All numbers, in one process after the other where one does not survive."""
    told, log = plan.folder / "pictures.txt", plan.folder / "pictures-log.txt"
    told.touch()
    wanted, number = FEW if plan.short else PICTURES, 0
    row = Row("damaged pictures", f"{wanted:,} mutations of {len(bases())} kinds of files")
    while number < wanted:
        process = children.start(plan, log, read_all, plan.seed, number, wanted, told)
        seen, since = 0, time.monotonic()
        while process.exitcode is None:
            process.join(0.2)
            if (size := told.stat().st_size) != seen:
                seen, since = size, time.monotonic()
            elif time.monotonic() - since > HANG:
                process.kill()
        assert process.exitcode != 1, f"the suite itself fails, see {log}"
        number = len(told.read_text().splitlines())
        if number < wanted:
            _add(told, f"failed: ended the process ({process.exitcode}), or took over {HANG:.0f} s")
            number += 1
    lines = told.read_text().splitlines()
    for at, line in enumerate(lines):
        if line.startswith("failed"):
            kept = plan.keep(f"picture-{at}", mutated(plan.seed, at))
            row.failures.append(f"picture {at} {line}: {kept}")
    counts = [sum(line.startswith(word) for line in lines) for word in ("read", "refused")]
    peak = max(int(line.rpartition(" ")[2]) for line in lines if not line.startswith("failed"))
    row.held = (
        f"{counts[0]:,} read, {counts[1]:,} refused with a sentence; no crash, no hang, "
        f"{peak:,} MB for the largest"
    )
    return [row]


def read_all(seed: int, first: int, end: int, told: Path) -> None:
    """Read pictures, and add a line for each to the file `told`: what became of it, and how many
    megabytes it took."""
    import resource  # only Unix has it

    warnings.simplefilter("ignore")
    now = _megabytes("VmSize") + 2 * MOST
    resource.setrlimit(resource.RLIMIT_AS, (now * 10**6, now * 10**6))
    for number in range(first, end):
        data, before = mutated(seed, number), _megabytes("VmRSS")
        _forget_peak()
        became = verdict(data)
        took = max(0, _megabytes("VmHWM") - before)
        _add(told, f"failed: took {took} MB" if took > MOST else f"{became} {took}")


def verdict(data: bytes) -> str:
    """What became of a picture; begins with "failed" where that is not as it is to be."""
    try:
        image = read_image(data)
    except ImageError as error:
        said = str(error)
        whole = re.fullmatch(r"[A-Z].{10,600}\.", said) and "Traceback" not in said
        return "refused" if whole else f"failed: says {said[:300]!r}"
    except BaseException as error:
        return f"failed: raises {error!r:.300}".replace("\n", " ")
    right = image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8
    if not right or not 0 < image.shape[0] * image.shape[1] <= MAX_PIXELS:
        return f"failed: gives {image.dtype} {image.shape}"
    return "read"


def _add(told: Path, line: str) -> None:
    with told.open("a") as file:
        file.write(f"{line}\n")


def _megabytes(name: str) -> int:
    """Of this process, as Linux tells; 0 elsewhere."""
    try:
        found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        return 0
    return int(found[1]) // 1000 if found else 0


def _forget_peak() -> None:
    if os.access("/proc/self/clear_refs", os.W_OK):
        Path("/proc/self/clear_refs").write_text("5")
