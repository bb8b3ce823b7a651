"""The venue: matching in batches and one call a request, beside matching engines that Python can call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench import matching
from bench.groups import Setting
from bench.matching import CENT, Flow
from bench.measure import NS, Contender, Contest, Row, local
from bench.peers import matching_engines
from bench.peers.matching_engines import Operation, run
from engine.core.orders import REPORT, Action
from engine.core.units import NANOS

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
    """One call a request; the reports of a thousand are taken together."""

    def prepare() -> list[Operation]:
        venue = new_venue(flow)
        operations: list[Operation] = []
        for count, request in enumerate(flow.requests, 1):
            if request.action == Action.CANCEL:
                operations.append((venue.cancel, (request.number,)))
            else:
                price, quantity = request.price * CENT, request.quantity * NANOS
                operations.append((venue.place, (0, request.side, price, quantity, request.number)))
            if count % BATCH == 0:
                operations.append((venue.take_reports, ()))
        return operations

    return local(OURS, len(flow.requests), prepare, run)


def match(ours: Callable[[Flow], Contender], resting: int) -> Callable[[Setting], Contest]:
    def build(setting: Setting) -> Contest:
        flow = matching.flow(setting.count(100_000, 4_000), resting)
        return Contest(
            ours(flow),
            matching_engines.contenders(flow),
            f"{len(flow.requests):,} requests, 50 % passive, 40 % cancels, 10 % marketable; {resting:,} orders rest",
        )

    return build


_LINES = "one to three dependent lines in L2 a request, and a report of 72 bytes"

ROWS = [
    Row("batched", f"requests in batches of {BATCH:,}", NS, match(batched, 1_000), 13.0, _LINES),
    Row("batched_deep", f"batches of {BATCH:,}, 10,000 orders rest", NS, match(batched, 10_000), 13.0, _LINES),
    Row("call", "one Python call a request", NS, match(called, 1_000), 45.0, "the same and a call with five arguments"),
]
