"""The venue: matching in batches and one call a request, beside matching engines that Python can call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench import matching
from bench.groups import Setting
from bench.matching import CENT, Flow
from bench.measure import NS, Absent, Contender, Contest, Row, local
from bench.peers import matching_engines
from engine.core.orders import REPORT
from engine.core.units import NANOS

Peers = Callable[[Flow], tuple[Contender | Absent, ...]]

OURS = "engine"
BATCH = 1_000  #: requests a batch, and calls after which reports are taken


def new_venue(flow: Flow) -> Any:
    from engine import Instruments, Venue

    venue = Venue(Instruments(["A"]))
    venue.apply(matching.records(flow.resting))
    return venue


def batched(flow: Flow) -> Contender:
    """Reports go to the caller's memory."""
    orders = matching.records(flow.requests)
    batches = [orders[start : start + BATCH] for start in range(0, len(orders), BATCH)]
    out = np.zeros(8 * BATCH, REPORT)

    def apply(venue: Any) -> None:
        for batch in batches:
            venue.apply(batch, out)

    return local(OURS, len(orders), lambda: new_venue(flow), apply)


def called(flow: Flow) -> Contender:
    """One call a request with plain values; the reports of a thousand are taken together."""
    rows = [(request.side, request.price * CENT, request.quantity * NANOS, request.number) for request in flow.requests]
    parts = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]

    def run(venue: Any) -> None:
        place, cancel = venue.place, venue.cancel
        for part in parts:
            for side, price, quantity, number in part:
                if side:
                    place(0, side, price, quantity, number)
                else:
                    cancel(number)
            venue.take_reports()

    return local(OURS, len(rows), lambda: new_venue(flow), run)


def match(ours: Callable[[Flow], Contender], peers: Peers, resting: int) -> Callable[[Setting], Contest]:
    """So many requests that the objects prepared for them, all over the heap, still lie in the caches."""

    def build(setting: Setting) -> Contest:
        flow = matching.flow(setting.count(20_000, 4_000), resting)
        return Contest(
            ours(flow),
            peers(flow),
            f"{len(flow.requests):,} requests, 50 % passive, 40 % cancels, 10 % marketable; {resting:,} orders rest",
        )

    return build


_LINES = "one to three dependent lines in L2 a request, and a report of 72 bytes"

ROWS = [
    Row(
        "batched",
        f"requests in batches of {BATCH:,}",
        NS,
        match(batched, matching_engines.prepared, 1_000),
        13.0,
        _LINES,
    ),
    Row(
        "batched_deep",
        f"batches of {BATCH:,}, 10,000 orders rest",
        NS,
        match(batched, matching_engines.prepared, 10_000),
        13.0,
        _LINES,
    ),
    Row(
        "call",
        "one Python call a request",
        NS,
        match(called, matching_engines.called, 1_000),
        45.0,
        "the same and a call with five arguments",
    ),
]
