"""Matching engines that Python can call: cython-orderbook, and lightmatchingengine as it installs: in Python.

The best way of each is used: whole numbers as prices, methods looked up before the clock starts. Beside our batches,
whose records are ready, the orders they take are ready, too (`prepared`); where every request of ours is a call with
plain values, theirs are made of plain values within the clock (`called`).
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from typing import Any

from bench.matching import Flow, Request
from bench.measure import Absent, Contender, local
from engine.core.orders import Action

CYTHON, LIGHT = "cython-orderbook", "lightmatchingengine"
try:
    import cython_orderbook
except ImportError:
    cython_orderbook = None
try:
    from lightmatchingengine import lightmatchingengine
except ImportError:
    lightmatchingengine = None

_HOW = "not installed: pip install '.[bench]'"
Operation = tuple[Callable[..., object], Any]


def version(name: str) -> str | None:
    installed = cython_orderbook if name == CYTHON else lightmatchingengine
    return importlib.metadata.version(name) if installed else None


def run_prepared(operations: list[Operation]) -> None:
    for method, argument in operations:
        method(argument)


class CythonOrderbook:
    """Its orders carry what is left of them, so every round makes its own. Ids are texts, counted in the process."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.sides = (None, cython_orderbook.OrderSide.BID, cython_orderbook.OrderSide.ASK)

    def fill(self) -> Any:
        self.book = cython_orderbook.OrderBook()
        self.orders = {request.number: self.order(request) for request in self.flow.resting}
        for order in self.orders.values():
            self.book.add_limit_order(order)
        return self.book

    def order(self, request: Request) -> Any:
        return cython_orderbook.Order(self.sides[request.side], request.quantity, request.price)

    def prepared(self) -> list[Operation]:
        book, operations = self.fill(), []
        for request in self.flow.requests:
            if request.action == Action.CANCEL:
                operations.append((book.cancel_order, self.orders[request.number].order_id))
            else:
                order = self.orders[request.number] = self.order(request)
                operations.append((book.add_limit_order, order))
        return operations

    def plain(self) -> list[tuple[Any, ...]]:
        """(side, quantity, price) of orders, (None, 0, id) of cancels: the next id of the process is known."""
        self.fill()
        before = int(self.orders[1].order_id) - 1
        return [
            (self.sides[request.side], request.quantity, request.price)
            if request.side
            else (None, 0, str(before + request.number))
            for request in self.flow.requests
        ]

    def run_plain(self, rows: list[tuple[Any, ...]]) -> None:
        make, add, cancel = cython_orderbook.Order, self.book.add_limit_order, self.book.cancel_order
        for side, quantity, price in rows:
            if side is None:
                cancel(price)
            else:
                add(make(side, quantity, price))

    def levels(self) -> dict[int, int]:
        """Price -> shares that rest there; a level's own `total_quantity` forgets partial fills."""
        return {
            price: sum(order.remaining_quantity for order in level.queue.values())
            for side in (self.book.bids, self.book.asks)
            for price, level in side.items()
        }


class LightMatchingEngine:
    """It numbers orders itself, from 1."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow

    def plain(self) -> list[Request]:
        self.engine = lightmatchingengine.LightMatchingEngine()
        self.run_plain(self.flow.resting)
        return self.flow.requests

    def run_plain(self, rows: list[Request]) -> None:
        add, cancel = self.engine.add_order, self.engine.cancel_order
        for _, number, side, price, quantity in rows:
            if side:
                add("A", price, quantity, side)
            else:
                cancel(number, "A")

    def levels(self) -> dict[int, int]:
        """Price -> shares that rest there; bids lie below asks."""
        book = self.engine.order_books["A"]
        return {
            price: sum(order.leaves_qty for order in orders)
            for side in (book.bids, book.asks)
            for price, orders in side.items()
        }


def contenders(flow: Flow, *, ready: bool) -> tuple[Contender | Absent, ...]:
    count = len(flow.requests)
    found: list[Contender | Absent] = []
    if cython_orderbook is None:
        found.append(Absent(CYTHON, _HOW))
    else:
        book = CythonOrderbook(flow)
        way = (book.prepared, run_prepared) if ready else (book.plain, book.run_plain)
        found.append(local(CYTHON, count, *way))
    if lightmatchingengine is None:
        found.append(Absent(LIGHT, _HOW))
    else:
        light = LightMatchingEngine(flow)
        found.append(local(LIGHT, count, light.plain, light.run_plain))
    return tuple(found)


def prepared(flow: Flow) -> tuple[Contender | Absent, ...]:
    return contenders(flow, ready=True)


def called(flow: Flow) -> tuple[Contender | Absent, ...]:
    return contenders(flow, ready=False)
