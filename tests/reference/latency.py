"""The latency histogram's slow twin: keeps every value."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class Latencies:
    """Exact readings of all values, in ns."""

    values: list[int] = field(default_factory=list)

    def record(self, ns: int) -> None:
        self.values.append(ns)

    @property
    def mean(self) -> float:
        return sum(self.values) / len(self.values) if self.values else 0.0

    def quantile(self, fraction: float) -> int:
        """Nearest rank: the smallest value that at least this fraction of all do not exceed."""
        if not self.values:
            return 0
        rank = max(1, math.ceil(fraction * len(self.values)))
        return sorted(self.values)[rank - 1]
