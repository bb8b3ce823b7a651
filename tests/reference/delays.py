"""Least delays, the slow way: every value is kept."""

WINDOW = 60_000_000_000


class Delays:
    def __init__(self):
        self.since = 0
        self.windows = [[], []]  # the newest last; only those that had values count

    def record(self, kind, ns, now):
        """One delay or round trip."""
        if now - self.since >= WINDOW:
            self.since = now
            for kept in self.windows:
                if kept and kept[-1]:
                    kept.append([])
        kept = self.windows[kind == "round_trip"]
        if not kept:
            kept.append([])
        if kind == "delay" or ns >= 0:
            kept[-1].append(ns)

    def least(self, kind):
        kept = self.windows[kind == "round_trip"]
        values = [value for window in kept[-2:] for value in window]
        return min(values) if values else None
