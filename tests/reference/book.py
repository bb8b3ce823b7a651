"""One venue's book by price or by order, as slow clear Python: the specification of the native ``Book``.

Open points settled here:
* An event that is refused moves the book's times and ends an atomic event all the same.
* Prices lie within +-(2**63 - 2); what lies beyond is out of range.
* An ADD with side NONE takes the side of the order that the event before it, a DELETE, removed: ITCH replaces an order
  under a new id without repeating the side. Without such an order it is on the wrong side.
* Of an order that is known the id counts; a side that contradicts it is counted as wrong and not followed.
* REPLACE takes the order off its old level before it asks for room in the window at the new one.
* ``set`` is complete by itself: it neither tells nor joins a change that ``apply`` holds back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.core.events import Flag, Kind, Side
from tests.reference.readings import Row, as_side, value
from tests.reference.stream import INT64_MAX, ORDER_BOOK, PRICE_BOOK, Atomic, Event, Stream, in_range, records, refusal

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np


@dataclass
class Level:
    """Quantity at a price: anonymous in front (all there is in a book by price), known orders oldest first behind."""

    anonymous: int = 0
    orders: dict[int, int] = field(default_factory=dict)  # order id -> what is left of it

    @property
    def quantity(self) -> int:
        return self.anonymous + sum(self.orders.values())


class Book(Stream):
    """``levels`` keeps the best so many levels a side and forgets the rest."""

    def __init__(self, by: str = "price", levels: int | None = None) -> None:
        super().__init__()
        self.by = by
        self.kinds = PRICE_BOOK if by == "price" else ORDER_BOOK
        self.window = levels
        self.clear()

    def clear(self) -> None:
        """An empty book that has seen nothing; only the counts stay."""
        self.restart()
        self.atomic = Atomic()
        self.sides: dict[Side, dict[int, Level]] = {Side.BID: {}, Side.ASK: {}}
        self.where: dict[int, tuple[Side, int]] = {}  # order id -> its side and price
        self.inherited = Side.NONE  # of the order this event, a DELETE, removed
        self.orphaned = Side.NONE  # of the order the event before removed

    def prices(self, side: Side) -> Collection[int]:
        return self.sides[side].keys()

    def row(self, side: Side, price: int) -> Row:
        level = self.sides[side][price]
        return Row(price, level.quantity, len(level.orders))

    def apply(self, events: np.ndarray) -> bool:
        """Whether a best price or quantity changed at least once, told at the ends of atomic events."""
        return any([self.step(event) for event in records(events)])  # noqa: C419 - every event is to be applied

    def step(self, event: Event) -> bool:
        self.advance(event)
        return self.atomic.report(self.change(event), event)

    def set(self, side: Side | str, price: int, quantity: int) -> bool:
        """A LEVEL without time, for books by price."""
        if self.by != "price":
            raise TypeError("set is for books by price")
        event = Event(0, 0, price, quantity, 0, 0, 0, 0, 0, Kind.LEVEL, as_side(side), 0, 0, 0)
        return self.change(event)

    def change(self, event: Event) -> bool:
        """Applies one event or counts why not; whether the top changed."""
        self.orphaned, self.inherited = self.inherited, Side.NONE
        if reason := refusal(event, self.kinds):
            self.counts[reason] += 1
            return False
        before = self.top()
        getattr(self, f"_{Kind(event.kind).name.lower()}")(event)
        return self.changed(before)

    # what each kind does; an event that comes here is well formed

    def _clear(self, event: Event) -> None:
        for side in (Side.BID, Side.ASK) if event.side == Side.NONE else (Side(event.side),):
            for price in list(self.sides[side]):
                self._forget(side, price)

    def _level(self, event: Event) -> None:
        side, price = Side(event.side), event.price
        level = self.sides[side].get(price, Level())
        if level.quantity - level.anonymous + event.quantity > INT64_MAX:
            self.counts["out_of_range"] += 1
        elif price in self.sides[side] or (event.quantity and self._open(side, price)):
            self.sides[side][price].anonymous = event.quantity
            self._close_if_empty(side, price)

    def _quote(self, event: Event) -> None:
        side = Side(event.side)
        self.sides[side] = {event.price: Level(event.quantity)} if event.quantity else {}

    def _add(self, event: Event) -> None:
        side, price = event.side, event.price
        if side == Side.NONE:
            side = self.orphaned
        if side not in {Side.BID, Side.ASK}:
            self.counts["wrong_side"] += 1
        elif not in_range(price):
            self.counts["out_of_range"] += 1
        elif event.quantity == 0:
            self.counts["zero_quantity"] += 1
        elif event.order_id in self.where:
            self.counts["duplicate_order"] += 1
        elif self._quantity(Side(side), price) + event.quantity > INT64_MAX:
            self.counts["out_of_range"] += 1
        else:
            self._join(event.order_id, Side(side), price, event.quantity)

    def _reduce(self, event: Event) -> None:
        if event.order_id not in self.where:
            self._unknown(event)
            return
        self._check_side(event)
        side, price = self.where[event.order_id]
        left = self.sides[side][price].orders[event.order_id] - event.quantity
        if left < 0:
            self.counts["over_reduced"] += 1
        if left > 0:
            self.sides[side][price].orders[event.order_id] = left
        else:
            self._leave(event.order_id)

    _execute = _reduce

    def _delete(self, event: Event) -> None:
        if event.order_id not in self.where:
            self._unknown(event)
            return
        self._check_side(event)
        self.inherited, _ = self.where[event.order_id]
        left = self._leave(event.order_id)
        if event.quantity not in {0, left}:
            self.counts["quantity_mismatch"] += 1

    def _replace(self, event: Event) -> None:
        if event.order_id not in self.where:
            self.counts["unknown_order"] += 1
            return
        self._check_side(event)
        side, price = self.where[event.order_id]
        orders = self.sides[side][price].orders
        freed = orders[event.order_id] if price == event.price else 0
        if event.quantity == 0:
            self._leave(event.order_id)
        elif self._quantity(side, event.price) - freed + event.quantity > INT64_MAX:
            self.counts["out_of_range"] += 1
        elif price == event.price and event.flags & Flag.KEEP_PRIORITY:
            orders[event.order_id] = event.quantity
        else:
            self._leave(event.order_id)
            self._join(event.order_id, side, event.price, event.quantity)

    def _check_side(self, event: Event) -> None:
        if event.side not in {Side.NONE, self.where[event.order_id][0]}:
            self.counts["wrong_side"] += 1

    def _unknown(self, event: Event) -> None:
        """An order older than the stream: what is taken comes off the anonymous quantity, if the event says where."""
        self.counts["unknown_order"] += 1
        if event.side in {Side.BID, Side.ASK} and (level := self.sides[Side(event.side)].get(event.price)):
            level.anonymous = max(0, level.anonymous - event.quantity)
            self._close_if_empty(Side(event.side), event.price)

    # levels and queues

    def _quantity(self, side: Side, price: int) -> int:
        level = self.sides[side].get(price)
        return level.quantity if level else 0

    def _join(self, order_id: int, side: Side, price: int, quantity: int) -> None:
        """To the back of its level; forgotten if that lies outside the window."""
        if price in self.sides[side] or self._open(side, price):
            self.sides[side][price].orders[order_id] = quantity
            self.where[order_id] = side, price

    def _leave(self, order_id: int) -> int:
        """Takes an order out; what was left of it."""
        side, price = self.where.pop(order_id)
        left = self.sides[side][price].orders.pop(order_id)
        self._close_if_empty(side, price)
        return left

    def _open(self, side: Side, price: int) -> bool:
        """Makes a new level, unless the window is full of better ones; the worst makes room."""
        held = self.sides[side]
        if self.window is not None and len(held) == self.window:
            self.counts["outside_window"] += 1
            worst = min(held) if side == Side.BID else max(held)
            if (price < worst) if side == Side.BID else (price > worst):
                return False
            self._forget(side, worst)
        held[price] = Level()
        return True

    def _close_if_empty(self, side: Side, price: int) -> None:
        if self.sides[side][price].quantity == 0:
            del self.sides[side][price]

    def _forget(self, side: Side, price: int) -> None:
        for order_id in self.sides[side].pop(price).orders:
            del self.where[order_id]

    def queue_position(self, order_id: int) -> tuple[int, float] | None:
        """(known orders ahead, quantity ahead with the anonymous); None if the order is unknown."""
        if order_id not in self.where:
            return None
        side, price = self.where[order_id]
        level = self.sides[side][price]
        ids = list(level.orders)
        ahead = ids[: ids.index(order_id)]
        return len(ahead), value(level.anonymous + sum(level.orders[i] for i in ahead))
