"""Keeps the last arrays that were read or computed, up to a number of bytes."""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from cachetools import LRUCache

T = TypeVar("T")


class Cache(Generic[T]):
    """A thread-safe cache of values by key; the least recently used go first.

    `size` says how many bytes a value takes. Values must not be changed by who gets them.
    """

    def __init__(self, limit: int, size: Callable[[T], int]) -> None:
        self._lock = threading.Lock()
        self._kept: LRUCache[Hashable, T] = LRUCache(limit, size)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of `key`, made by `make` where it is not kept.

        Two threads that ask at once may both make it; making it does not block the others.
        """
        with self._lock:
            if key in self._kept:
                return self._kept[key]
        made = make()
        with self._lock:
            if key in self._kept:
                return self._kept[key]
        self.put(key, made)
        return made

    def find(self, key: Hashable) -> T | None:
        """The value of `key`; None where it is not kept."""
        with self._lock:
            return self._kept.get(key)

    def put(self, key: Hashable, value: T) -> None:
        """Keep `value` instead of what is kept of `key`; one that is larger than the limit is not
        kept, as all others would go for it."""
        with self._lock:
            self._kept.pop(key, None)
            if self._kept.getsizeof(value) <= self._kept.maxsize:
                self._kept[key] = value

    def clear(self) -> None:
        """Forget all values."""
        with self._lock:
            self._kept.clear()
