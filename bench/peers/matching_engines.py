"""Matching engines that Python can call: cython-orderbook, and lightmatchingengine as it installs: in Python.

The best way of each is used: whole numbers as prices, methods looked up and order objects made before the clock starts.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from typing import Any

from bench.matching import Flow
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

Operation = tuple[Callable[..., object], tuple[Any, ...]]
_HOW = "not installed: pip install '.[bench]'"


def version(name: str) -> str | None:
    installed = cython_orderbook if name == CYTHON else lightmatchingengine
    return importlib.metadata.version(name) if installed else None


def run(operations: list[Operation]) -> None:
    for method, arguments in operations:
        method(*arguments)


class CythonOrderbook:
    """Its orders carry what is left of them, so every round makes its own."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow

    def reset(self) -> list[Operation]:
        side = (None, cython_orderbook.OrderSide.BID, cython_orderbook.OrderSide.ASK)
        self.book = book = cython_orderbook.OrderBook()
        self.orders: dict[int, Any] = {}
        operations: list[Operation] = []
        for request in [*self.flow.resting, *self.flow.requests]:
            if request.action == Action.CANCEL:
                operations.append((book.cancel_order, (self.orders[request.number].order_id,)))
            else:
                order = cython_orderbook.Order(side[request.side], request.quantity, request.price)
                self.orders[request.number] = order
                operations.append((book.add_limit_order, (order,)))
        run(operations[: len(self.flow.resting)])
        return operations[len(self.flow.resting) :]

    def left(self) -> int:
        """Shares that did not trade, of all orders not cancelled."""
        cancelled = {request.number for request in self.flow.requests if request.action == Action.CANCEL}
        return sum(order.remaining_quantity for number, order in self.orders.items() if number not in cancelled)


class LightMatchingEngine:
    """It numbers orders itself, from 1."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow

    def reset(self) -> list[Operation]:
        self.engine = engine = lightmatchingengine.LightMatchingEngine()
        operations: list[Operation] = [
            (engine.cancel_order, (request.number, "A"))
            if request.action == Action.CANCEL
            else (engine.add_order, ("A", request.price, request.quantity, request.side))
            for request in [*self.flow.resting, *self.flow.requests]
        ]
        run(operations[: len(self.flow.resting)])
        return operations[len(self.flow.resting) :]

    def left(self) -> int:
        """Shares that rest in the book."""
        book = self.engine.order_books["A"]
        levels = [*book.bids.values(), *book.asks.values()]
        return sum(order.leaves_qty for level in levels for order in level)


def contenders(flow: Flow) -> tuple[Contender | Absent, ...]:
    """One call a request, which is all they have."""
    return (
        local(CYTHON, len(flow.requests), CythonOrderbook(flow).reset, run)
        if cython_orderbook
        else Absent(CYTHON, _HOW),
        local(LIGHT, len(flow.requests), LightMatchingEngine(flow).reset, run)
        if lightmatchingengine
        else Absent(LIGHT, _HOW),
    )
