"""Which visitors' workspaces go so that there is room: empty ones first, then those not used for
longest."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lrpseg.core.files import folder_bytes
from lrpseg.workspace.quota import Quota


@dataclass(frozen=True)
class Visit:
    """A visitor's workspace. idle: seconds since its last use. empty: it has no picture. bytes: on
    the disk."""

    folder: Path
    idle: float
    empty: bool
    size: int


def visit(folder: Path, idle: float) -> Visit:
    """What is known of the workspace in `folder`."""
    empty = True
    with suppress(OSError):  # deleted meanwhile
        empty = next((folder / "items").iterdir(), None) is None
    return Visit(folder, idle, empty, folder_bytes(folder))


def to_go(visits: Iterable[Visit], quota: Quota, free: int, new: int = 0) -> list[Visit]:
    """Workspaces to delete so that `new` more may come and the quota is kept, as far as that can
    be: one with pictures that was used within `quota.idle` stays.

    free: bytes of the disk that are free.
    """
    order = sorted(visits, key=lambda v: (not v.empty, -v.idle))
    count, total = len(order) + new, sum(v.size for v in order)
    gone = []
    for one in order:
        crowded = count > quota.visitors
        if not crowded and total <= quota.total and free >= quota.free:
            break
        if one.idle < quota.idle and not (one.empty and crowded):
            continue  # in use; and to delete an empty one frees no disk
        gone.append(one)
        count, total, free = count - 1, total - one.size, free + one.size
    return gone
