"""A matching venue as slow clear Python: the specification of the native ``Venue``.

Open points settled here:
* A request is judged in the order of the lines below; the first thing wrong is the reason. REJECTED says price and
  quantity as asked for, and leaves and cumulative of the living order where a REPLACE is refused.
* CANCEL and REPLACE find their order by ``order_id`` and ``owner`` alone; another owner's order is an unknown one.
* A taker trades at the resting order's price. Of each trade the maker's fill is reported first, then the taker's.
* What a market, IOC or FOK order does not get is CANCELLED with NO_LIQUIDITY. A FOK order counts reserves.
* A reserve order shows min(display, leaves). When that is gone its next part joins the back of the queue at once, so
  one taker may meet it several times. Its quantity is less than MOST_REFRESHES + 1 displays.
* REPLACE keeps the place only when the price and the display are unchanged and the quantity shrinks; what is hidden
  shrinks first. A quantity of no more than was filled cancels. A post-only order stays one.
* The displayed sum of a level stays within 2**63 - 1: an order, or the next part of one, that does not fit is
  CANCELLED with LEVEL_FULL.
* Halted: NEW and REPLACE are rejected, CANCEL and the end of the day pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from engine.core.events import EVENT, Flag, Kind, Side, Status
from engine.core.orders import (
    ORDER,
    REPORT,
    Action,
    OrderFlag,
    OrderType,
    Reason,
    ReportFlag,
    ReportKind,
    TimeInForce,
)
from engine.core.units import to_nanos

if TYPE_CHECKING:
    from engine.core.instruments import Instruments

MOST = 2**63 - 1
MOST_REFRESHES = 4096


class Request(NamedTuple):
    """One ORDER record."""

    ts: int
    price: int
    quantity: int
    display: int
    order_id: int
    instrument: int
    owner: int
    action: int
    side: int
    type: int
    tif: int
    flags: int
    clean: bool


@dataclass
class Resting:
    """A live order. ``shown`` + ``reserve`` = what is left of ``total``."""

    order_id: int
    owner: int
    instrument: int
    side: Side
    price: int
    total: int
    shown: int
    reserve: int
    display: int
    tif: int
    post_only: bool

    @property
    def leaves(self) -> int:
        return self.shown + self.reserve


@dataclass
class Instrument:
    """The book of one instrument: price -> queue, oldest first."""

    tick: int
    lot: int
    halted: bool = False
    sides: dict[Side, dict[int, list[Resting]]] = field(default_factory=lambda: {Side.BID: {}, Side.ASK: {}})

    def prices(self, side: Side) -> list[int]:
        """Best first."""
        return sorted(self.sides[side], reverse=side == Side.BID)


def requests(orders: np.ndarray) -> list[Request]:
    names = [name for name in ORDER.names or () if name != "reserved"]
    columns = [orders[name].tolist() for name in names]
    clean = (~orders["reserved"].any(axis=1)).tolist()
    return [Request(*row) for row in zip(*columns, clean, strict=True)]


def opposite(side: Side) -> Side:
    return Side.ASK if side == Side.BID else Side.BID


class Venue:
    """``events`` says whether public events are made; ``id`` is the venue number they carry."""

    def __init__(self, instruments: Instruments, events: bool = True, venue_id: int = 0) -> None:
        self.books = [Instrument(to_nanos(row.tick, "tick"), to_nanos(row.lot, "lot")) for row in instruments]
        self.live: dict[int, Resting] = {}
        self.publishes = events
        self.id = venue_id
        self.executions = 0
        self.sequence = 0
        self.reports: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.marked = 0

    # --- the door

    def apply(self, orders: np.ndarray) -> np.ndarray:
        for request in requests(orders):
            self.request(request)
            self.end()
        return self.take_reports()

    def take_reports(self) -> np.ndarray:
        taken, self.reports = self.reports, []
        return records(taken, REPORT)

    def take_events(self) -> np.ndarray:
        taken, self.events, self.marked = self.events, [], 0
        return records(taken, EVENT)

    def halt(self, instrument: int, ts: int, halted: bool = True) -> None:
        book = self.books[instrument]
        if book.halted != halted:
            book.halted = halted
            status = Status.HALTED if halted else Status.TRADING
            self.publish(Kind.STATUS, instrument, ts, Side.NONE, 0, 0, 0, conditions=status)
            self.end()

    def expire(self, ts: int) -> np.ndarray:
        for book in self.books:
            for side in (Side.BID, Side.ASK):
                for price in book.prices(side):
                    for order in [order for order in book.sides[side][price] if order.tif == TimeInForce.DAY]:
                        self.finish(order, ts, ReportKind.EXPIRED, Action.NONE)
                        self.end()
        return self.take_reports()

    # --- requests

    def request(self, request: Request) -> None:
        if not request.clean:
            self.reject(request, Reason.BAD_FLAGS)
        elif request.action == Action.NEW:
            self.new(request)
        elif request.action == Action.CANCEL:
            self.cancel(request)
        elif request.action == Action.REPLACE:
            self.replace(request)
        else:
            self.reject(request, Reason.BAD_ACTION)

    def new(self, request: Request) -> None:
        if reason := self.judge_new(request):
            self.reject(request, reason)
            return
        book, side = self.books[request.instrument], Side(request.side)
        market = request.type == OrderType.MARKET
        order = Resting(
            *(request.order_id, request.owner, request.instrument, side, request.price),
            *(request.quantity, 0, request.quantity, request.display, request.tif),
            post_only=bool(request.flags & OrderFlag.POST_ONLY),
        )
        self.answer(order, request.ts, ReportKind.ACCEPTED, Action.NEW, order.total)
        limit = None if market else order.price
        if request.tif == TimeInForce.FOK and self.available(book, side, limit) < order.total:
            self.stop(order, request.ts, Reason.NO_LIQUIDITY, Action.NEW)
            return
        self.match(book, order, limit, request.ts, Action.NEW)
        if not order.leaves:
            return
        if market or request.tif in {TimeInForce.IOC, TimeInForce.FOK}:
            self.stop(order, request.ts, Reason.NO_LIQUIDITY, Action.NEW)
        else:
            self.rest(book, order, request.ts, Action.NEW, Kind.ADD)

    def judge_new(self, request: Request) -> Reason:
        if request.instrument >= len(self.books):
            return Reason.UNKNOWN_INSTRUMENT
        book = self.books[request.instrument]
        market = request.type == OrderType.MARKET
        rests = not market and request.tif in {TimeInForce.DAY, TimeInForce.GTC}
        if request.side not in {Side.BID, Side.ASK}:
            return Reason.BAD_SIDE
        if request.type > OrderType.MARKET or request.tif > TimeInForce.FOK:
            return Reason.BAD_TYPE
        if request.flags > OrderFlag.POST_ONLY or (request.flags and not rests):
            return Reason.BAD_FLAGS
        if market and request.price != 0:
            return Reason.BAD_PRICE
        if reason := judge(book, book.tick if market else request.price, request.quantity, request.display):
            return reason
        if request.quantity == 0:
            return Reason.BAD_QUANTITY
        if request.display and not rests:
            return Reason.BAD_DISPLAY
        if book.halted:
            return Reason.HALTED
        if request.order_id in self.live:
            return Reason.DUPLICATE_ID
        if request.flags and self.crosses(book, Side(request.side), request.price):
            return Reason.WOULD_CROSS
        return Reason.NONE

    def cancel(self, request: Request) -> None:
        order = self.live.get(request.order_id)
        if order is None or order.owner != request.owner:
            self.reject(request, Reason.UNKNOWN_ORDER)
        else:
            self.finish(order, request.ts, ReportKind.CANCELLED, Action.CANCEL)

    def replace(self, request: Request) -> None:
        order = self.live.get(request.order_id)
        if order is None or order.owner != request.owner:
            self.reject(request, Reason.UNKNOWN_ORDER)
            return
        book, filled = self.books[order.instrument], order.total - order.leaves
        reason = judge(book, request.price, request.quantity, request.display)
        if not reason and book.halted:
            reason = Reason.HALTED
        crosses = self.crosses(book, order.side, request.price)
        if not reason and request.quantity > filled and order.post_only and crosses:
            reason = Reason.WOULD_CROSS
        if reason:
            self.reject(request, reason, order)
        elif request.quantity <= filled:
            self.finish(order, request.ts, ReportKind.CANCELLED, Action.REPLACE)
        elif request.price == order.price and request.display == order.display and request.quantity < order.total:
            self.shrink(order, request)
        else:
            self.relocate(book, order, request, crosses)

    def shrink(self, order: Resting, request: Request) -> None:
        leaves = request.quantity - (order.total - order.leaves)
        gone = max(0, order.shown - leaves)
        order.total = request.quantity
        order.shown -= gone
        order.reserve = leaves - order.shown
        self.answer(order, request.ts, ReportKind.REPLACED, Action.REPLACE, order.total)
        if gone:
            self.publish_order(Kind.REDUCE, order, request.ts, gone)

    def relocate(self, book: Instrument, order: Resting, request: Request, crosses: bool) -> None:
        before, filled = (order.price, order.shown), order.total - order.leaves
        self.leave(order)
        order.price, order.total, order.display = request.price, request.quantity, request.display
        order.shown, order.reserve = 0, request.quantity - filled
        self.answer(order, request.ts, ReportKind.REPLACED, Action.REPLACE, order.total)
        if crosses:
            self.publish_order(Kind.DELETE, order, request.ts, before[1], before[0])
            self.match(book, order, order.price, request.ts, Action.REPLACE)
            if order.leaves:
                self.rest(book, order, request.ts, Action.REPLACE, Kind.ADD)
        elif not self.rest(book, order, request.ts, Action.REPLACE, Kind.REPLACE):
            self.publish_order(Kind.DELETE, order, request.ts, before[1], before[0])

    # --- matching; an order on its way has all it has left in `reserve`

    def crosses(self, book: Instrument, side: Side, limit: int | None) -> bool:
        prices = book.prices(opposite(side))
        return bool(prices) and acceptable(side, limit, prices[0])

    def available(self, book: Instrument, side: Side, limit: int | None) -> int:
        there = book.sides[opposite(side)]
        return sum(order.leaves for price in there if acceptable(side, limit, price) for order in there[price])

    def match(self, book: Instrument, taker: Resting, limit: int | None, ts: int, action: Action) -> None:
        while taker.leaves and self.crosses(book, taker.side, limit):
            side = opposite(taker.side)
            maker = book.sides[side][book.prices(side)[0]][0]
            quantity = min(taker.leaves, maker.shown)
            taker.reserve -= quantity
            maker.shown -= quantity
            self.executions += 1
            for order, flag in ((maker, ReportFlag.MAKER), (taker, ReportFlag.TAKER)):
                done = Action.NONE if order is maker else action
                self.answer(order, ts, ReportKind.FILL, done, quantity, price=maker.price, flags=flag)
            self.publish_order(Kind.EXECUTE, maker, ts, quantity)
            if maker.shown == 0:
                self.refresh(book, maker, ts)

    def refresh(self, book: Instrument, order: Resting, ts: int) -> None:
        self.leave(order)
        if order.reserve:
            self.rest(book, order, ts, Action.NONE, Kind.ADD)

    def rest(self, book: Instrument, order: Resting, ts: int, action: Action, kind: Kind) -> bool:
        """Shows what is to be shown, at the back of the queue; False if the level is full and the order ended."""
        shown = min(order.display or order.leaves, order.leaves)
        queue = book.sides[order.side].get(order.price, [])
        if sum(other.shown for other in queue) + shown > MOST:
            self.stop(order, ts, Reason.LEVEL_FULL, action)
            return False
        order.shown, order.reserve = shown, order.leaves - shown
        book.sides[order.side].setdefault(order.price, []).append(order)
        self.live[order.order_id] = order
        self.publish_order(kind, order, ts, shown)
        return True

    def leave(self, order: Resting) -> None:
        del self.live[order.order_id]
        levels = self.books[order.instrument].sides[order.side]
        levels[order.price] = [other for other in levels[order.price] if other is not order]
        if not levels[order.price]:
            del levels[order.price]

    def finish(self, order: Resting, ts: int, kind: ReportKind, action: Action) -> None:
        """A live order ends."""
        self.leave(order)
        self.publish_order(Kind.DELETE, order, ts, order.shown)
        self.stop(order, ts, Reason.NONE, action, kind)

    # --- what is said

    def stop(
        self, order: Resting, ts: int, reason: Reason, action: Action, kind: ReportKind = ReportKind.CANCELLED
    ) -> None:
        """What is left of an order ends."""
        gone, cumulative = order.leaves, order.total - order.leaves
        order.shown = order.reserve = 0
        self.answer(order, ts, kind, action, gone, reason=reason, cumulative=cumulative)

    def answer(
        self,
        order: Resting,
        ts: int,
        kind: ReportKind,
        action: Action,
        quantity: int,
        *,
        price: int | None = None,
        reason: Reason = Reason.NONE,
        cumulative: int | None = None,
        flags: int = 0,
    ) -> None:
        self.reports.append(
            {
                "ts": ts,
                "price": order.price if price is None else price,
                "quantity": quantity,
                "leaves": order.leaves,
                "cumulative": order.total - order.leaves if cumulative is None else cumulative,
                "order_id": order.order_id,
                "execution_id": self.executions if kind == ReportKind.FILL else 0,
                "instrument": order.instrument,
                "owner": order.owner,
                "kind": kind,
                "reason": reason,
                "side": order.side,
                "flags": flags,
                "action": action,
            }
        )

    def reject(self, request: Request, reason: Reason, order: Resting | None = None) -> None:
        self.reports.append(
            {
                "ts": request.ts,
                "price": request.price,
                "quantity": request.quantity,
                "leaves": order.leaves if order else 0,
                "cumulative": order.total - order.leaves if order else 0,
                "order_id": request.order_id,
                "instrument": request.instrument,
                "owner": request.owner,
                "kind": ReportKind.REJECTED,
                "reason": reason,
                "side": request.side,
                "action": request.action,
            }
        )

    def publish_order(self, kind: Kind, order: Resting, ts: int, quantity: int, price: int | None = None) -> None:
        at = order.price if price is None else price
        self.publish(kind, order.instrument, ts, order.side, order.order_id, at, quantity)

    def publish(
        self,
        kind: Kind,
        instrument: int,
        ts: int,
        side: Side,
        order_id: int,
        price: int,
        quantity: int,
        conditions: int = 0,
    ) -> None:
        if not self.publishes:
            return
        self.sequence += 1
        self.events.append(
            {
                "ts_event": ts,
                "ts_recv": ts,
                "price": price,
                "quantity": quantity,
                "sequence": self.sequence,
                "order_id": order_id,
                "instrument": instrument,
                "venue": self.id,
                "kind": kind,
                "side": side,
                "conditions": conditions,
            }
        )

    def end(self) -> None:
        """A request is done: its last report and its last event say so."""
        if self.reports:
            self.reports[-1]["flags"] = self.reports[-1].get("flags", 0) | ReportFlag.LAST
        if len(self.events) > self.marked:
            self.events[-1]["flags"] = Flag.LAST
        self.marked = len(self.events)


def judge(book: Instrument, price: int, quantity: int, display: int) -> Reason:
    if price <= 0 or price % book.tick or price == MOST:
        return Reason.BAD_PRICE
    if quantity < 0 or quantity % book.lot:
        return Reason.BAD_QUANTITY
    if display and (display < 0 or display % book.lot or quantity // display > MOST_REFRESHES):
        return Reason.BAD_DISPLAY
    return Reason.NONE


def acceptable(side: Side, limit: int | None, price: int) -> bool:
    return limit is None or (price <= limit if side == Side.BID else price >= limit)


def records(rows: list[dict[str, Any]], dtype: np.dtype) -> np.ndarray:
    array = np.zeros(len(rows), dtype)
    for name in dtype.names or ():
        if name != "reserved":
            array[name] = [row.get(name, 0) for row in rows]
    return array
