"""Memory that is freed goes back to the system."""

import subprocess
import sys

import pytest

FREED = """
import sys
from pathlib import Path
import numpy as np
from lrpseg.core.memory import give_back_freed

if sys.argv[1:] == ["back"]:
    give_back_freed()
np.ones(3_000_000)  # 24 MB: from now on glibc keeps what is smaller
small, large = [], []
for _ in range(20):
    large.append(np.ones(1_500_000))
    small.append(np.ones(2000))  # what stays lies between what goes
large.clear()
line = next(x for x in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in x)
print(int(line.split()[1]) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone keeps it")
def test_what_was_freed_goes_back() -> None:
    held, given = (
        int(subprocess.check_output([sys.executable, "-c", FREED, *how])) for how in ([], ["back"])
    )
    assert given < held - 200  # of 240 MB
