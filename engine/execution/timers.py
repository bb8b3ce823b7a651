"""When somebody wants to be looked at again: one time each, earliest first, equal ones in the order they were set."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final, Generic, TypeVar

__all__ = ["NEVER", "Timers"]

NEVER: Final = 2**63 - 1  #: a time that does not come

Key = TypeVar("Key")


class Timers(Generic[Key]):
    """At most one time a key; what was set anew or cancelled stays in the heap until it would have been due."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Key]] = []
        self._set: dict[Key, tuple[int, int]] = {}
        self._count = 0

    def set(self, key: Key, when: int) -> None:
        """Wakes ``key`` at ``when`` and at no other time; at `NEVER`, not at all."""
        known = self._set.get(key)
        if known is not None and known[0] == when:
            return
        if when >= NEVER:
            self._set.pop(key, None)
            return
        self._count += 1
        self._set[key] = (when, self._count)
        heappush(self._heap, (when, self._count, key))

    def cancel(self, key: Key) -> None:
        """``key`` is not to be woken."""
        self._set.pop(key, None)

    def take_due(self, now: int) -> list[Key]:
        """Whoever is due, in order; they have no time from then on."""
        heap, found = self._heap, []
        while heap and heap[0][0] <= now:
            when, order, key = heappop(heap)
            if self._set.get(key) == (when, order):
                del self._set[key]
                found.append(key)
        return found

    @property
    def next(self) -> int:
        """When somebody is due next, or `NEVER`."""
        heap = self._heap
        while heap and self._set.get(heap[0][2]) != heap[0][:2]:
            heappop(heap)
        return heap[0][0] if heap else NEVER
