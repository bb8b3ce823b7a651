"""Where the time of market data goes, per line and hop, and how far the sender's clock is from ours.

All histograms are log-linear in fixed memory (``engine._native.latency``): count, mean and max are exact, percentiles
at most 1/64 off. ``received`` and ``total`` compare two clocks, so they are wrong by the clocks' offset, which is
estimated and reported beside them and never taken off.
"""

from __future__ import annotations

from typing import Any, Final

from engine._native.latency import Histogram

__all__ = ["HOPS", "ClockOffset", "LineLatency", "summary"]

#: received: provider's stamp to frame callback; decoded: frame callback to decoded; applied: decoded to book updated;
#: returned: frame callback of a batch's oldest frame to user's callback returned; total: its stamp to the same.
HOPS: Final = ("received", "decoded", "applied", "returned", "total")
_QUANTILES: Final = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p99_9", 0.999))
_WINDOW: Final = 60_000_000_000
_NONE: Final = 2**63 - 1


def summary(histogram: Histogram) -> dict[str, Any]:
    """``count``, ``negative`` and in ns ``mean``, ``min``, ``p50``, ``p95``, ``p99``, ``p99_9``, ``max``."""
    found: dict[str, Any] = {"count": histogram.count, "negative": histogram.negative}
    found |= {"mean": histogram.mean, "min": histogram.min}
    found |= {name: histogram.quantile(fraction) for name, fraction in _QUANTILES}
    return found | {"max": histogram.max}


class ClockOffset:
    """How much our clock is ahead of a provider's, from one-way delays and round trips.

    A one-way delay is the offset plus a true delay of at least 0 and, for the fastest message, at most the fastest
    round trip. So the offset lies between (least delay - least round trip) and the least delay; the middle is reported,
    with half the width as its error. Time the provider itself spends between stamp and sending counts as offset here.
    Least values are of the last one to two minutes, so that drift shows.
    """

    __slots__ = ("_delays", "_since", "_trips")

    def __init__(self) -> None:
        self._since = 0
        self._delays = [_NONE, _NONE]  # of this window and the one before
        self._trips = [_NONE, _NONE]

    def delay(self, ns: int, now: int) -> None:
        """A message's receipt less its stamp."""
        self._turn(now)
        self._delays[0] = min(self._delays[0], ns)

    def round_trip(self, ns: int, now: int) -> None:
        """A ping's way there and back."""
        self._turn(now)
        if 0 <= ns < self._trips[0]:
            self._trips[0] = ns

    def _turn(self, now: int) -> None:
        if now - self._since >= _WINDOW:
            self._since = now
            for least in (self._delays, self._trips):
                if least[0] != _NONE:  # a window without values keeps what the last one knew
                    least[1], least[0] = least[0], _NONE

    @property
    def least_delay(self) -> int | None:
        """The fastest message's receipt less its stamp; None before the first."""
        least = min(self._delays)
        return None if least == _NONE else least

    def report(self) -> dict[str, int | None]:
        """``offset_ns`` and ``error_ns``; without a round trip the error is None and the offset at most that."""
        least, trip = self.least_delay, min(self._trips)
        if least is None:
            return {"offset_ns": None, "error_ns": None, "round_trip_ns": None}
        if trip == _NONE:
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
