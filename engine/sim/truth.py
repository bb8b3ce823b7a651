"""The plain book a simulated venue keeps: what really rests there, order by order, to hold native books against.

Dictionaries and lists, no cleverness: it is meant to be read and believed, not to be fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from engine.core.events import DEPTH, Quote, Side
from engine.core.units import NANOS

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["TruthBook", "TruthOrder"]


class TruthOrder:
    """One resting order. ``price`` and ``quantity`` (what is left of it) are counts of 1e-9."""

    __slots__ = ("order_id", "price", "quantity", "side", "slot")

    def __init__(self, order_id: int, side: Side, price: int, quantity: int, slot: int) -> None:
        self.order_id = order_id
        self.side = side
        self.price = price
        self.quantity = quantity
        self.slot = slot  # where the order stands in TruthBook.orders_list, for a draw in constant time


class Readable(Protocol):
    """What `TruthBook.disagreements` asks of the book it checks."""

    def depth(self, levels: int, /) -> npt.NDArray[Any]: ...


class TruthBook:
    """Levels of one instrument at one venue; every level is its orders in time priority, oldest first."""

    def __init__(self) -> None:
        self.levels: dict[Side, dict[int, list[TruthOrder]]] = {Side.BID: {}, Side.ASK: {}}
        self.orders: dict[int, TruthOrder] = {}
        self.orders_list: list[TruthOrder] = []
        self.ts_event = 0

    def add(self, order_id: int, side: Side, price: int, quantity: int) -> TruthOrder:
        """An order at the back of its level."""
        order = TruthOrder(order_id, side, price, quantity, len(self.orders_list))
        self.orders[order_id] = order
        self.orders_list.append(order)
        self.levels[side].setdefault(price, []).append(order)
        return order

    def reduce(self, order: TruthOrder, quantity: int) -> None:
        """Takes ``quantity`` off the order, which keeps its place and leaves when nothing is left."""
        order.quantity -= quantity
        if order.quantity == 0:
            self.delete(order)

    def delete(self, order: TruthOrder) -> None:
        """The order leaves, and its level with it if it was the only one."""
        level = self.levels[order.side][order.price]
        level.remove(order)
        if not level:
            del self.levels[order.side][order.price]
        del self.orders[order.order_id]
        last = self.orders_list.pop()
        if last is not order:
            self.orders_list[order.slot] = last
            last.slot = order.slot

    def best(self, side: Side) -> int | None:
        """The best price of a side in counts of 1e-9, or None if it is empty."""
        prices = self.levels[side]
        if not prices:
            return None
        return max(prices) if side is Side.BID else min(prices)

    def queue(self, side: Side, price: int) -> list[tuple[int, int]]:
        """(order id, quantity left) of the orders at a price (counts of 1e-9), oldest first."""
        return [(order.order_id, order.quantity) for order in self.levels[side].get(price, ())]

    def depth(self, levels: int) -> npt.NDArray[Any]:
        """The best ``levels`` levels, shape (levels,), dtype ``DEPTH``: nan and 0 where there is none."""
        out = np.zeros(levels, DEPTH)
        for side, name in ((Side.BID, "bid"), (Side.ASK, "ask")):
            out[f"{name}_price"] = np.nan
            prices = sorted(self.levels[side], reverse=side is Side.BID)[:levels]
            for row, price in enumerate(prices):
                orders = self.levels[side][price]
                out[row][f"{name}_price"] = price / NANOS
                out[row][f"{name}_quantity"] = sum(order.quantity for order in orders) / NANOS
                out[row][f"{name}_count"] = len(orders)
        return out

    def bbo(self) -> Quote:
        """The best bid and ask with the quantities that stand there."""
        top = self.depth(1)[0]
        return Quote(
            float(top["bid_price"]),
            float(top["bid_quantity"]),
            float(top["ask_price"]),
            float(top["ask_quantity"]),
            self.ts_event,
            self.ts_event,
        )

    def disagreements(self, book: Readable, levels: int = 10) -> int:
        """How many of the best ``levels`` rows, both sides and all columns of DEPTH, another book shows differently."""
        ours, theirs = self.depth(levels), book.depth(levels)
        equal = np.ones(levels, bool)
        for name in DEPTH.names or ():
            left, right = ours[name], theirs[name]
            equal &= (left == right) | ((left != left) & (right != right))  # noqa: PLR0124 - nan is the empty price
        return int(levels - equal.sum())
