"""How much visitors upload: what nobody opens takes up the disk until it is removed."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable

UPLOADED_ENOUGH = "Much was uploaded from your address of late. Try again in an hour."

_ADDRESSES = 10_000


class Uploaded:
    """Counts the bytes that each address uploaded within the last `seconds`: up to `most` of them.
    Remembers those of late. For one thread."""

    def __init__(
        self, most: int, seconds: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._seconds, self._now = most, seconds, now
        self._known: OrderedDict[str, deque[tuple[float, int]]] = OrderedDict()

    def room(self, address: str) -> int:
        """Bytes that may still come from `address`."""
        known = self._known.get(address, deque())
        while known and self._now() - known[0][0] > self._seconds:
            known.popleft()
        return self._most - sum(size for _, size in known)

    def add(self, address: str, size: int) -> None:
        """An upload of `size` bytes came, or a part of one."""
        known = self._known.setdefault(address, deque())
        self._known.move_to_end(address)
        if known and self._now() - known[-1][0] < self._seconds / 60:  # one entry for many parts
            known[-1] = (known[-1][0], known[-1][1] + size)
        else:
            known.append((self._now(), size))
        if len(self._known) > _ADDRESSES:
            self._known.popitem(last=False)
