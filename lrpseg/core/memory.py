"""What was freed goes back to the system: otherwise a server holds its busiest moment for ever."""

import ctypes
import os
import sys

_LARGE = 1 << 20
_M_MMAP_THRESHOLD = -3
"""Of glibc's mallopt(3)."""


def give_back_freed() -> None:
    """Let blocks of a megabyte and more go back to the system when they are freed.

    glibc moves that limit up to 32 MB as it sees fit and keeps what is smaller, in an arena for
    each few threads. Networks free arrays of ten megabytes all the time, in any thread of a server.
    Nothing happens elsewhere than on Linux with glibc, nor where that limit was set by whoever runs
    it. Call it before PyTorch makes its first tensor.
    """
    if sys.platform != "linux" or "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        # Blocks that are new each time are faster in large pages; PyTorch reads this once.
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
