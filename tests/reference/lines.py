"""Numbered lines: what comes next on each, gaps, copies, and venues that start numbering again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field

RESTART_NS = 1_000_000_000
JUMP_MAX = 2**32


@dataclass
class Lines:
    """``arrive`` counts into ``counts``; numbers are of 64 bits. ``other`` is what damaged packets say of a line."""

    counts: Counter[str]
    next: dict[Hashable, int] = field(default_factory=dict)
    time: dict[Hashable, int] = field(default_factory=dict)
    other: dict[Hashable, int] = field(default_factory=dict)

    def arrive(self, key: Hashable, first: int, count: int, time: int = 0, at_start: bool = False) -> int | None:
        """How many of messages first, first + 1, ... have been seen; None if the number is damaged."""
        if first + count >= 2**64:
            return None
        expected = self.next.setdefault(key, first)
        newest = self.time.setdefault(key, time)
        if at_start and first < expected and time - newest > RESTART_NS:
            self.counts["gaps"] += 1
            self.counts["restarts"] += 1
            expected = first
        elif abs(first - expected) > JUMP_MAX:
            if count == 0 or self.other.get(key) != first:
                self.other[key] = first + count
                return None
            self.counts["gaps"] += 1
            expected = first
        elif first > expected:
            self.counts["gaps"] += 1
            self.counts["missing"] += first - expected
            expected = first
        seen = min(expected - first, count)
        self.counts["duplicates"] += seen
        self.next[key] = expected + count - seen
        self.time[key] = max(newest, time)
        return seen
