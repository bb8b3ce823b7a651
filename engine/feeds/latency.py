"""Where the time of market data goes, per line and hop, and how far the sender's clock is from ours.

All histograms are log-linear in fixed memory (``engine._native.latency``): count, mean and max are exact, percentiles
at most 1/64 off. ``received`` and ``total`` compare two clocks, so they are wrong by the clocks' offset, which is
estimated and reported beside them and never taken off.
"""

from __future__ import annotations

from typing import Any, Final

from engine._native.latency import Delays, Histogram

__all__ = ["HOPS", "ClockOffset", "LineLatency", "summary"]

#: received: provider's stamp to frame callback; decoded: frame callback to decoded; applied: decoded to book updated;
#: returned: frame callback to user's callback returned, of frames that were told of; total: their stamp to the same.
HOPS: Final = ("received", "decoded", "applied", "returned", "total")
_QUANTILES: Final = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p99_9", 0.999))


def summary(histogram: Histogram) -> dict[str, Any]:
    """``count``, ``negative`` and in ns ``mean``, ``min``, ``p50``, ``p95``, ``p99``, ``p99_9``, ``max``."""
    found: dict[str, Any] = {"count": histogram.count, "negative": histogram.negative}
    found |= {"mean": histogram.mean, "min": histogram.min}
    found |= {name: histogram.quantile(fraction) for name, fraction in _QUANTILES}
    return found | {"max": histogram.max}


class ClockOffset(Delays):
    """How much our clock is ahead of a provider's, from one-way delays and round trips.

    A one-way delay is the offset plus a true delay of at least 0 and, for the fastest message, at most the fastest
    round trip. So the offset lies between (least delay - least round trip) and the least delay; the middle is reported,
    with half the width as its error. Time the provider itself spends between stamp and sending counts as offset here.
    Least values are of the last one to two minutes, so that drift shows.
    """

    __slots__ = ()

    def report(self) -> dict[str, int | None]:
        """``offset_ns`` and ``error_ns``; without a round trip the error is None and the offset at most that."""
        least, trip = self.least_delay, self.least_trip
        if least is None:
            return {"offset_ns": None, "error_ns": None, "round_trip_ns": None}
        if trip is None:
            return {"offset_ns": least, "error_ns": None, "round_trip_ns": None}
        return {"offset_ns": least - trip // 2, "error_ns": (trip + 1) // 2, "round_trip_ns": trip}


class LineLatency:
    """The histograms of one line, one a hop, and its clock's offset."""

    __slots__ = ("applied", "clock", "decoded", "received", "returned", "total")

    def __init__(self) -> None:
        self.received = Histogram()
        self.decoded = Histogram()
        self.applied = Histogram()
        self.returned = Histogram()
        self.total = Histogram()
        self.clock = ClockOffset()

    def report(self) -> dict[str, Any]:
        """A ``summary`` for each hop, and ``clock``."""
        hops: dict[str, Any] = {hop: summary(getattr(self, hop)) for hop in HOPS}
        return hops | {"clock": self.clock.report(), "relative_error": Histogram.RELATIVE_ERROR}
