"""A recorded tape as a market to trade in: our orders stand among the recorded ones in a matching venue.

The record is played into a venue order by order, each in its recorded place. A recorded execution comes as an incoming
order of its size, so it meets ours first where ours stand before the one that was hit. What is assumed:

* Nobody reacts. Others do what they did, whatever we do; there is no impact beyond what we take.
* What we take is missing. Later executions go on to the next in the queue, cancellations of what is gone do nothing.
* What we got was not theirs. A recorded order that was hit leaves by as much as recorded, though ours was hit instead.
* An order of ours that a recorded one would have crossed trades with it, at our price.
* A print against an order that nobody saw trades with ours only where ours are better than its price.
* Requests take ``latency`` to the venue; reports are stamped there.
* Of a tape of orders places in the queue are exact. In a tape of levels an order joins behind all that is shown; prints
  take from the front; of what goes without a print ``queue`` says from where: "back" (the latest first: we advance by
  prints alone) or "proportional" (from everywhere alike). Prints come before the levels they change.
"""

from __future__ import annotations

from collections import Counter
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import numpy as np

from engine._native.venue import Venue
from engine.core.events import EVENT, NO_INSTRUMENT, Flag, Kind, Side, Status
from engine.core.orders import ORDER, REPORT, Action, ReportKind
from engine.core.units import NANOS, Duration, duration_ns, to_nanos
from engine.core.venues import venue_name
from engine.sim.world import NEVER, OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from engine._native.book import VenueBook
    from engine.core.instruments import Instruments

__all__ = ["TapeWorld"]

_TAKERS: Final = 1 << 62  # ids of incoming orders, which a record does not name
_MADE: Final = 1 << 61  # ids of the orders that stand for levels
_PASSED: Final = (Kind.TRADE, Kind.TRADE_BREAK, Kind.STATUS)
_FIELDS: Final = ["owner", "order_id", "kind", "leaves", "quantity", "price", "instrument", "side", "action"]
_TRADING: Final = (Status.TRADING, Status.OPERATIONAL_TRADING)
_STOPPED: Final = (Status.HALTED, Status.PAUSED, Status.QUOTE_ONLY, Status.OPERATIONAL_HALTED)


class Recorded(Protocol):
    """What is asked of an `engine.Tape`."""

    @property
    def instruments(self) -> Instruments: ...
    def __iter__(self) -> Iterator[npt.NDArray[Any]]: ...


class _Order:
    """A recorded order: what is left of it in the record, and (less where we took) in the venue, of what total."""

    __slots__ = ("instrument", "left", "price", "recorded", "side", "total")

    def __init__(self, instrument: int, side: Side, price: int, quantity: int) -> None:
        self.instrument, self.side, self.price = instrument, side, price
        self.total = self.left = self.recorded = quantity


class TapeWorld:
    """Plays ``tape`` from its start; has the methods of `World` that trade: `submit`, `advance`, `take_reports`.

    Attributes:
        symbols: of the tape; ``instrument`` is an index into them.
        counts: what of the record could not be followed, by reason: "out of turn" (an order was executed that did not
            stand in front), "refused" (an order that the venue refused: it crosses, or is off tick or lot), "other
            venue" (only the first one is played), "unknown order".

    Args:
        tape: batches of EVENT and their instruments.
        latency: from `submit` to the venue.
        queue: of tapes of levels, see above.
        start: when the first event shall be, ns since epoch; None: when it was.
        interval: for those who take it in batches.

    Raises:
        ValueError: an empty tape, or an argument out of its range.
    """

    def __init__(
        self,
        tape: Recorded,
        *,
        latency: Duration = "0ns",
        queue: Literal["back", "proportional"] = "back",
        start: int | None = None,
        interval: Duration = "10ms",
    ) -> None:
        if queue not in {"back", "proportional"}:
            raise ValueError(f"queue is {queue!r}; expected 'back' or 'proportional'")
        self._latency = duration_ns(latency, "latency")
        self._proportional = queue == "proportional"
        self._batches = iter(tape)
        self._rows: list[tuple[int, ...]] = []
        self._row = 0
        self._shift = 0
        self._clock = 0
        if not self._load():
            raise ValueError("the tape is empty; expected at least one event")
        self.start = self.now = self._clock if start is None else start
        self._shift = self.start - self._clock
        self.interval = duration_ns(interval, "interval")
        self.symbols = tuple(row.symbol for row in tape.instruments)
        self._ticks = [to_nanos(row.tick, "tick") for row in tape.instruments]
        self.end = NEVER
        self.counts: Counter[str] = Counter()
        self._played = self._rows[0][7]
        self._venue = Venue(tape.instruments, venue=venue_name(self._played), events=True)
        self._orders: dict[int, _Order] = {}
        self._levels: dict[tuple[int, int, int], list[int]] = {}  # (instrument, side, price) -> ids, oldest first
        self._missing: Counter[tuple[int, int, int]] = Counter()  # what we took of a level that is still shown
        self._ours: dict[int, tuple[int, int, int]] = {}  # live orders of others than the record: where they stand
        self._halted: set[int] = set()
        self._arrivals: list[tuple[int, int, bytes]] = []
        self._number = 0
        self._sequence = 0
        self._out: list[npt.NDArray[Any]] = []
        self._reports: list[npt.NDArray[Any]] = []

    # ---- as a World

    @property
    def next_time(self) -> int:
        """When something happens next, ns since epoch; 2^63 - 1 after the end. While events wait it is now."""
        if self._out:
            return self.now
        due = self._arrivals[0][0] if self._arrivals else NEVER
        return min(due, self._due) if self._load() else due

    def advance(self, until: int) -> npt.NDArray[Any]:
        """Lets everything before ``until`` happen; then it is ``until``. All events since the last call, perhaps none.

        Ours stand among them. Raises ValueError if ``until`` is past.
        """
        self._reach(until)
        events = np.concatenate(self._out) if self._out else np.zeros(0, EVENT)
        self._out = []
        events["ts_recv"] = self.now
        events["sequence"] = np.arange(self._sequence + 1, self._sequence + 1 + len(events), dtype=np.uint64)
        self._sequence += len(events)
        if len(events):
            events["flags"][-1] |= Flag.BATCH_END
        return events

    def submit(self, orders: npt.NDArray[Any], at: int | None = None) -> npt.NDArray[Any]:
        """Sends requests (ORDER) at ``at``, or now; without latency the REPORTs they cause at once, else none yet.

        Raises:
            TypeError: not an array of ORDER.
            ValueError: ``at`` is past, owner 0, or an order id without the highest bit: those are the record's.
        """
        if not isinstance(orders, np.ndarray) or orders.dtype != ORDER or orders.ndim != 1:
            raise TypeError("orders must be a one-dimensional numpy.ndarray of engine.ORDER")
        for row, (owner, order_id) in enumerate(orders[["owner", "order_id"]].tolist()):
            if not owner or order_id < OUTSIDE:
                raise ValueError(
                    f"orders[{row}] has owner {owner} and order_id {order_id}; expected 1 or more, {OUTSIDE} or more"
                )
        self._reach(self.now if at is None else at)
        if self._latency:
            for order in orders:
                self._number += 1
                heappush(self._arrivals, (self.now + self._latency, self._number, order.tobytes()))
            return np.zeros(0, REPORT)
        before, self._reports = self._reports, []
        for order in orders:
            self._enter(np.array([order], ORDER), self.now)
        self._flush()
        caused, self._reports = self.take_reports(), before
        return caused

    def take_reports(self) -> npt.NDArray[Any]:
        """REPORTs to others than the record since the last call, in the order of time."""
        taken, self._reports = self._reports, []
        return np.concatenate(taken) if taken else np.zeros(0, REPORT)

    def book(self, symbol: str) -> VenueBook:
        """The book as it stands, ours among the others: a live view. Raises KeyError if the symbol is unknown."""
        return self._venue[symbol]

    # ---- the course of things

    def _load(self) -> bool:
        """Whether there is a next row of the record, which is made ready."""
        while self._row == len(self._rows):
            batch = next(self._batches, None)
            if batch is None:
                return False
            self._batch, self._rows, self._row = batch, batch.tolist(), 0
        self._clock = max(self._clock, self._rows[self._row][0])  # a tape's clock may run backwards, ours may not
        return True

    @property
    def _due(self) -> int:
        return self._clock + self._shift

    def _reach(self, until: int) -> None:
        if until < self.now:
            raise ValueError(f"time is {until}; expected {self.now} or later")
        while True:
            due = self._due if self._load() else NEVER
            if self._arrivals and self._arrivals[0][0] < min(due, until):
                ts, _, order = heappop(self._arrivals)
                self._enter(np.frombuffer(order, ORDER).copy(), ts)
            elif due < until:
                self._play(self._rows[self._row], due)
                self._row += 1
            else:
                break
        self._hear()
        self._flush()
        self.now = until

    def _flush(self) -> None:
        events = self._venue.take_events()
        if len(events):
            self._out.append(events)

    def _pass(self, ts: int) -> None:
        """A row of the record that changes no book is told as it was."""
        self._flush()
        event = self._batch[self._row : self._row + 1].copy()
        event["ts_event"] = ts
        self._out.append(event)

    def _enter(self, order: npt.NDArray[Any], ts: int) -> None:
        """A request of ours is at the venue."""
        order["ts"] = ts
        self._hear()
        halted = int(order["instrument"][0]) in self._halted
        if halted:
            self._venue.halt(int(order["instrument"][0]), ts)
        reports = self._venue.apply(order)
        if halted:
            self._venue.resume(int(order["instrument"][0]), ts)
        self._follow(reports, taken=True)

    # ---- what the venue answers

    def _hear(self) -> None:
        self._follow(self._venue.take_reports(), taken=False)

    def _follow(self, reports: npt.NDArray[Any], *, taken: bool) -> None:
        """``taken``: what recorded orders lost went to a request of ours."""
        ours = reports["owner"] != 0
        if ours.any():
            self._reports.append(reports[ours])
        told = reports[ours | (reports["kind"] == ReportKind.FILL) | (reports["kind"] == ReportKind.REJECTED)]
        for owner, order_id, kind, leaves, quantity, price, instrument, side, action in told[_FIELDS].tolist():
            order = self._orders.get(order_id)
            if owner:
                if not leaves:
                    self._ours.pop(order_id, None)
                elif kind in {ReportKind.ACCEPTED, ReportKind.REPLACED}:
                    self._ours[order_id] = (instrument, side, price)
            elif kind == ReportKind.REJECTED:
                if action == Action.NEW and self._orders.pop(order_id, None):
                    self.counts["refused"] += 1
            elif order is not None:
                order.left = leaves
                if taken:
                    self._missing[order.instrument, order.side, order.price] += quantity

    # ---- what is recorded

    def _play(self, row: tuple[int, ...], ts: int) -> None:
        _, _, price, quantity, _, order_id, instrument, venue, _, kind, side, flags, _, conditions = row
        if venue != self._played:
            self.counts["other venue"] += 1
        elif kind == Kind.ADD:
            self._add(order_id, instrument, Side(side), price, quantity, ts)
        elif kind in {Kind.EXECUTE, Kind.REDUCE, Kind.DELETE, Kind.REPLACE}:
            self._change(Kind(kind), order_id, price, quantity, flags, ts)
        elif kind == Kind.LEVEL:
            self._level(instrument, Side(side), price, quantity, ts)
        elif kind == Kind.CLEAR:
            for known, order in list(self._orders.items()):
                if order.instrument == instrument and side in {Side.NONE, order.side}:
                    self._keep(known, order, 0, ts)
        elif kind in _PASSED:
            self._pass(ts)
            if kind == Kind.TRADE and side != Side.NONE and instrument != NO_INSTRUMENT:
                self._print(instrument, Side(side), price, quantity, ts)
            elif kind == Kind.STATUS:
                self._halted -= {instrument} if conditions in _TRADING else set()
                self._halted |= {instrument} if conditions in _STOPPED else set()
        else:
            raise ValueError(f"the tape has {Kind(kind).name} events; expected orders or levels: others have no queue")

    def _add(self, order_id: int, instrument: int, side: Side, price: int, quantity: int, ts: int) -> None:
        """A recorded order trades with none but ours: if it would, the record is wrong, and the venue refuses it."""
        if order_id in self._orders:
            self.counts["refused"] += 1
            return
        self._orders[order_id] = _Order(instrument, side, price, quantity)
        meets = instrument not in self._halted and any(
            where == instrument and other != side and (ours >= price if side is Side.ASK else ours <= price)
            for where, other, ours in self._ours.values()
        )
        self._venue.place(instrument, side, price, quantity, order_id, ts=ts, tif="gtc", post_only=not meets)
        if meets:
            self._hear()

    def _change(self, kind: Kind, order_id: int, price: int, quantity: int, flags: int, ts: int) -> None:
        order = self._orders.get(order_id)
        if order is None:
            self.counts["unknown order"] += 1
        elif kind == Kind.REPLACE:
            less = price == order.price and quantity < order.recorded
            if less and flags & Flag.KEEP_PRIORITY:
                self._keep(order_id, order, quantity, ts)
            elif order.left == order.recorded and not less:
                order.total += quantity - order.left
                order.price, order.left, order.recorded = price, quantity, quantity
                self._venue.replace(order_id, price, order.total, ts=ts)
                self._hear()
            else:
                self._keep(order_id, order, 0, ts)
                self._add(order_id, order.instrument, order.side, price, quantity, ts)
        else:
            if kind == Kind.EXECUTE:
                if order.left and not self._is_next(order_id, order):
                    self.counts["out of turn"] += 1
                else:
                    self._take(order.instrument, order.side, order.price, quantity, ts)
            self._keep(order_id, order, 0 if kind == Kind.DELETE else order.recorded - quantity, ts)

    def _keep(self, order_id: int, order: _Order, recorded: int, ts: int) -> None:
        """So much of the order is left in the record, and no more in the venue."""
        order.recorded = max(0, recorded)
        if order.left > order.recorded:
            order.total -= order.left - order.recorded
            order.left = order.recorded
            if order.left:
                self._venue.replace(order_id, order.price, order.total, ts=ts)
            else:
                self._venue.cancel(order_id, ts=ts)
        if not order.recorded:
            del self._orders[order_id]

    def _take(self, instrument: int, side: Side, price: int, quantity: int, ts: int) -> None:
        """An incoming order takes from ``side`` at the price or better."""
        self._number += 1
        taker = Side.ASK if side is Side.BID else Side.BID
        self._venue.place(instrument, taker, price, quantity, _TAKERS + self._number, ts=ts, tif="ioc")
        self._hear()

    def _print(self, instrument: int, side: Side, price: int, quantity: int, ts: int) -> None:
        if self._levels:
            self._take(instrument, side, price, quantity, ts)
        elif any(where == instrument and other == side for where, other, _ in self._ours.values()):
            tick = self._ticks[instrument]
            better = price // tick * tick + tick if side is Side.BID else -(-price // tick) * tick - tick
            if self._only_ours(instrument, side, price):
                self._take(instrument, side, better, quantity, ts)

    def _level(self, instrument: int, side: Side, price: int, quantity: int, ts: int) -> None:
        """Brings the orders that stand for a level to what is shown there, less what we took of it."""
        key = (instrument, side, price)
        ids = self._levels[key] = [order_id for order_id in self._levels.get(key, ()) if self._left(order_id)]
        if not quantity:
            self._missing.pop(key, None)
        wanted, standing = max(0, quantity - self._missing[key]), sum(map(self._left, ids))
        if wanted > standing:
            self._number += 1
            ids.append(_MADE + self._number)
            self._add(ids[-1], instrument, side, price, wanted - standing, ts)
            self._missing[key] += wanted - standing - self._left(ids[-1])
            return
        for order_id in reversed(ids):
            left = self._left(order_id)
            share = -(-left * (standing - wanted) // standing) if self._proportional else standing - wanted
            gone = min(left, share, max(0, standing - wanted))
            standing -= left  # of those before
            wanted -= left - gone
            if gone:
                self._keep(order_id, self._orders[order_id], left - gone, ts)

    def _left(self, order_id: int) -> int:
        order = self._orders.get(order_id)
        return order.left if order is not None else 0

    # ---- who stands where

    def _is_next(self, order_id: int, order: _Order) -> bool:
        """Whether none but ours stand before a recorded order."""
        book = self._venue[self.symbols[order.instrument]]
        place = book.queue_position(order_id)
        ahead = place[0] if place is not None else 0
        if ahead and self._ours:
            key = (order.instrument, order.side, order.price)
            positions = [book.queue_position(ours) for ours, where in self._ours.items() if where == key]
            ahead -= sum(position is not None and position[0] < ahead for position in positions)
        return not ahead and self._only_ours(order.instrument, order.side, order.price)

    def _only_ours(self, instrument: int, side: Side, price: int) -> bool:
        """Whether none but ours stand at prices better than this one."""
        ours = Counter(at for where, other, at in self._ours.values() if where == instrument and other == side)
        name = "bid" if side is Side.BID else "ask"
        for row in self._venue[self.symbols[instrument]].depth(len(ours) + 1):
            if not row[f"{name}_count"]:
                return True
            at = round(float(row[f"{name}_price"]) * NANOS)
            if at <= price if side is Side.BID else at >= price:
                return True
            if row[f"{name}_count"] != ours[at]:
                return False
        return False
