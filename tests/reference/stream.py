"""What every book keeps about its stream of events, whatever it holds: times, atomic events, well-formedness."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from engine.core.events import EVENT, Flag, Kind, Side
from tests.reference.readings import Readings, Top

if TYPE_CHECKING:
    import numpy as np

INT64_MAX = 2**63 - 1
MOST_PRICE = 2**63 - 2  # either way; what lies beyond marks "no level" in the native book

PRINTS = {Kind.TRADE, Kind.TRADE_BREAK, Kind.STATUS}
ORDER_KINDS = {Kind.ADD, Kind.REDUCE, Kind.DELETE, Kind.REPLACE, Kind.EXECUTE}
PRICE_BOOK = {Kind.CLEAR, Kind.LEVEL, Kind.QUOTE}
ORDER_BOOK = {Kind.CLEAR, Kind.LEVEL, *ORDER_KINDS}


class Event(NamedTuple):
    """One record of ``EVENT`` as Python integers."""

    ts_event: int
    ts_recv: int
    price: int
    quantity: int
    sequence: int
    order_id: int
    instrument: int
    venue: int
    provider: int
    kind: int
    side: int
    flags: int
    reserved: int
    conditions: int


def records(events: np.ndarray) -> list[Event]:
    assert events.dtype == EVENT
    return [Event(*row) for row in events.tolist()]


def in_range(price: int) -> bool:
    return -MOST_PRICE <= price <= MOST_PRICE


def refusal(event: Event, held: set[Kind]) -> str | None:
    """The count an event falls under when it cannot be applied whatever the book holds; None if it is well formed.

    ``held`` are the kinds a book of this type holds. The order of the checks is part of the specification.
    """
    if event.reserved:
        return "reserved"
    if not Kind.NONE < event.kind <= Kind.STATUS:
        return "unknown_kind"
    if event.kind in PRINTS:
        return "other"
    if event.kind not in held:
        return "unsupported_kind"
    if event.kind == Kind.CLEAR:
        return None if event.side <= Side.ASK else "wrong_side"
    if event.quantity < 0:
        return "negative_quantity"
    if event.kind in {Kind.LEVEL, Kind.QUOTE} and event.side not in {Side.BID, Side.ASK}:
        return "wrong_side"
    if event.kind in {Kind.LEVEL, Kind.QUOTE, Kind.REPLACE} and not in_range(event.price):
        return "out_of_range"
    return None


class Atomic:
    """Holds changes back until the venue's atomic event ends, once the stream has shown that it marks the ends."""

    def __init__(self) -> None:
        self.marks = False  # an event with LAST was seen
        self.held = False  # a change waits for its LAST

    def report(self, changed: bool, event: Event) -> bool:
        """Whether a change is to be told now. Prints and states end nothing: they may lie within an atomic event."""
        self.held |= changed
        last = bool(event.flags & Flag.LAST)
        self.marks |= last
        if self.marks and not (last and event.kind not in PRINTS):
            return False
        told, self.held = self.held, False
        return told


class Stream(Readings):
    """Times, counts and the time-weighted spread of a book."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.restart()

    def restart(self) -> None:
        self.ts_event = self.ts_recv = 0
        self.clock: int | None = None
        self.spread_time = self.duration = 0

    def advance(self, event: Event) -> None:
        """Moves the clock to an event that is about to be applied, refused ones included."""
        self.ts_event, self.ts_recv = event.ts_event, event.ts_recv
        if self.clock is None:
            self.clock, self.venue = event.ts_event, event.venue
        elif event.ts_event > self.clock:
            bid, ask = self.top()
            if bid and ask and ask.price >= bid.price:
                self.spread_time += (ask.price - bid.price) * (event.ts_event - self.clock)
                self.duration += event.ts_event - self.clock
            self.clock = event.ts_event

    def changed(self, before: Top) -> bool:
        """Whether the top differs from ``before``; counts a crossed or locked one."""
        after = self.top()
        if after.best == before.best:
            return False
        if after.bid and after.ask and after.bid.price >= after.ask.price:
            self.counts["crossed" if after.bid.price > after.ask.price else "locked"] += 1
        return True
