"""order-book: a sorted dictionary in C, one a side, driven by plain item assignment.

Its best way is used: integers as keys and values, converted before the clock starts, the sides looked up beforehand,
and a loop of nothing but the assignment. It raises KeyError when a level to delete is absent; where a stream has such
deletions (recorded data has), its loop asks before it deletes, as everybody who uses it must.
"""

from __future__ import annotations

import importlib.metadata
from typing import Any

from bench.measure import Absent, Contender, local, timed_calls
from bench.workloads import Stream

NAME = "order-book"
try:
    import order_book
except ImportError:
    order_book = None  # type: ignore[assignment]

Operation = tuple[Any, int, int]  # a side's levels, price, quantity


def version() -> str | None:
    return importlib.metadata.version(NAME) if order_book else None


class Books:
    """A book for each (instrument, venue) of a stream, and the stream as operations on their sides."""

    def __init__(self, stream: Stream, max_depth: int = 0) -> None:
        self.books: dict[tuple[int, int], Any] = {}
        self._sides: dict[tuple[int, int, int], Any] = {}
        self._max_depth = max_depth
        self._snapshot = self._operations(stream.snapshot)
        self.updates = self._operations(stream.updates)

    def _operations(self, events: Any) -> list[Operation]:
        columns = (events[name].tolist() for name in ("instrument", "venue", "side", "price", "quantity"))
        return [
            (self._levels(instrument, venue, side), price, quantity)
            for instrument, venue, side, price, quantity in zip(*columns, strict=True)
        ]

    def _levels(self, instrument: int, venue: int, side: int) -> Any:
        key = (instrument, venue, side)
        if key not in self._sides:
            book = self.books.setdefault(key[:2], order_book.OrderBook(max_depth=self._max_depth))
            self._sides[key] = book.bids if side == 1 else book.asks
        return self._sides[key]

    def reset(self) -> list[Operation]:
        """Books as the snapshot left them; the updates to do."""
        for levels in self._sides.values():
            for price in list(levels.keys()):
                del levels[price]
        apply(self._snapshot)
        return self.updates


def apply(operations: list[Operation]) -> None:
    for levels, price, quantity in operations:
        if quantity:
            levels[price] = quantity
        else:
            del levels[price]


def apply_asking(operations: list[Operation]) -> None:
    for levels, price, quantity in operations:
        if quantity:
            levels[price] = quantity
        elif price in levels:
            del levels[price]


def absent() -> Absent | None:
    if order_book is None:
        return Absent(NAME, "not installed: pip install '.[bench]'")
    return None


def applying(stream: Stream, *, absent_levels: bool = False) -> Contender | Absent:
    """One assignment or deletion an update; ``absent_levels`` where some of those to delete are not there."""
    if missing := absent():
        return missing
    books = Books(stream)
    return local(NAME, len(books.updates), books.reset, apply_asking if absent_levels else apply)


def reading(stream: Stream, levels: int = 10) -> Contender | Absent:
    """An assignment or deletion and both sides' best levels as a dictionary, each update. One instrument and venue."""
    if missing := absent():
        return missing
    books = Books(stream, max_depth=levels)
    (book,) = books.books.values()

    def run(operations: list[Operation]) -> None:
        to_dict = book.to_dict
        for side, price, quantity in operations:
            if quantity:
                side[price] = quantity
            else:
                del side[price]
            to_dict()

    def one(side: Any, price: int, quantity: int) -> None:
        if quantity:
            side[price] = quantity
        else:
            del side[price]
        book.to_dict()

    def latencies() -> list[int]:
        return timed_calls((one, operation) for operation in books.reset())

    contender = local(NAME, len(books.updates), books.reset, run)
    return Contender(contender.name, contender.operations, contender.round, latencies)
