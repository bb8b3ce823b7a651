"""Numbered lines: what comes next on each, gaps, copies, and venues that start numbering again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field

RESTART_NS = 1_000_000_000


@dataclass
class Lines:
    """``arrive`` counts into ``counts``; line numbers are of 64 bits."""

    counts: Counter[str]
    next: dict[Hashable, int] = field(default_factory=dict)
    time: dict[Hashable, int] = field(default_factory=dict)

    def arrive(self, key: Hashable, first: int, count: int, time: int = 0, at_start: bool = False) -> int:
        """How many of messages first, first + 1, ... have been seen."""
        expected = self.next.setdefault(key, first)
        newest = self.time.setdefault(key, time)
        if at_start and first < expected and time - newest > RESTART_NS:
            self.counts["gaps"] += 1
            self.counts["restarts"] += 1
            expected = first
        elif first > expected:
            self.counts["gaps"] += 1
            self.counts["missing"] += first - expected
            expected = first
        seen = min(expected - first, count)
        self.counts["duplicates"] += seen
        self.next[key] = (expected + count - seen) % 2**64
        self.time[key] = max(newest, time)
        return seen
