"""Keeps the last arrays that were read or computed, up to a number of bytes."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Cache(Generic[T]):
    """A thread-safe cache of values by key; the least recently used go first.

    `size` says how many bytes a value takes. Values must not be changed by who gets them.
    """

    def __init__(self, limit: int, size: Callable[[T], int]) -> None:
        self._limit, self._size = limit, size
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of `key`, made by `make` where it is not kept.

        Two threads that ask at once may both make it; making it does not block the others.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        size = self._size(made)
        with self._lock:
            if key not in self._kept and size <= self._limit:  # else all others would go for it
                self._kept[key] = made
                self._bytes += size
            while self._bytes > self._limit and self._kept:
                _, old = self._kept.popitem(last=False)
                self._bytes -= self._size(old)
        return made
