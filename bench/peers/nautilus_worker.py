"""Runs in nautilus_trader's own virtual environment: one JSON line in, one JSON line out. Imports nothing of ours.

The library has two order books: the Cython one of ``nautilus_trader.model`` and the one of ``nautilus_pyo3``, whose
``bids(depth)`` builds only the levels asked for. Mode "depth_pyo3" is done by the latter, all others by the former.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from nautilus_trader.core import nautilus_pyo3
from nautilus_trader.model.book import OrderBook
from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas
from nautilus_trader.model.enums import BookAction, BookType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.objects import Price, Quantity

LEVELS = 10
CYTHON = SimpleNamespace(
    OrderBook=OrderBook,
    BookOrder=BookOrder,
    OrderBookDelta=OrderBookDelta,
    BookAction=BookAction,
    BookType=BookType,
    OrderSide=OrderSide,
    InstrumentId=InstrumentId,
    Price=Price,
    Quantity=Quantity,
)


class Workload:
    """Books, deltas and batches of one stream."""

    def __init__(self, mode: str, snapshot: Any, updates: Any, batch: int) -> None:
        self.mode = mode
        self.library: Any = nautilus_pyo3 if mode == "depth_pyo3" else CYTHON
        self.books: dict[tuple[int, int], Any] = {}
        present: set[tuple[int, int, int, int]] = set()
        self.snapshot = self.deltas(snapshot, present)
        self.operations = len(updates)
        one_by_one = self.deltas(updates, present)
        # methods are looked up once, as everybody's are
        if mode == "apply_deltas":
            methods = {id(book): book.apply_deltas for book in self.books.values()}
            batches = grouped(one_by_one, batch)
            self.operations = batch * len(batches)
            self.calls = [(methods[id(book)], deltas) for book, deltas in batches]
        else:
            methods = {id(book): book.apply_delta for book in self.books.values()}
            self.calls = [(methods[id(book)], delta) for book, delta in one_by_one]

    def book(self, instrument: int, venue: int) -> Any:
        key = (instrument, venue)
        if key not in self.books:
            identifier = self.library.InstrumentId.from_str(f"S{instrument}.V{venue}")
            self.books[key] = self.library.OrderBook(identifier, self.library.BookType.L2_MBP)
        return self.books[key]

    def deltas(self, events: Any, present: set[tuple[int, int, int, int]]) -> list[tuple[Any, Any]]:
        """Deletions of levels that are not there are left out, but count as done."""
        of = self.library
        sides = {1: of.OrderSide.BUY, 2: of.OrderSide.SELL}
        names = ("instrument", "venue", "side", "price", "quantity", "sequence", "ts_event", "ts_recv")
        built = []
        for instrument, venue, side, price, quantity, sequence, ts_event, ts_recv in zip(
            *(events[name].tolist() for name in names), strict=True
        ):
            level = (instrument, venue, side, price)
            if quantity:
                present.add(level)
            elif level in present:
                present.remove(level)
            else:
                continue
            book = self.book(instrument, venue)
            # nine digits: the same numbers everybody gets
            order = of.BookOrder(sides[side], number(of.Price, price), number(of.Quantity, quantity), 0)
            action = of.BookAction.UPDATE if quantity else of.BookAction.DELETE
            built.append((book, of.OrderBookDelta(book.instrument_id, action, order, 0, sequence, ts_event, ts_recv)))
        return built

    def reset(self) -> None:
        for book in self.books.values():
            book.reset()
        for book, delta in self.snapshot:
            book.apply_delta(delta)

    def round(self, clock: Callable[[], int]) -> int:
        self.reset()
        gc.collect()
        gc.disable()
        try:
            start = clock()
            RUNS[self.mode](self)
            return clock() - start
        finally:
            gc.enable()

    def tops(self, levels: int) -> list[Any]:
        """[instrument, venue, bids, asks] of every book, levels as [price, quantity] text, for comparison."""
        return [
            [
                *key,
                *(
                    [[str(level.price), str(level.size())] for level in side()[:levels]]
                    for side in (book.bids, book.asks)
                ),
            ]
            for key, book in self.books.items()
        ]

    def latencies(self) -> list[int]:
        self.reset()
        clock = time.perf_counter_ns
        empty = []
        for _ in range(2_000):
            start = clock()
            empty.append(clock() - start)
        overhead = int(statistics.median(empty))
        spans = []
        (book,) = self.books.values()
        bids, asks = book.bids, book.asks
        pyo3 = self.mode == "depth_pyo3"
        for apply, delta in self.calls:
            start = clock()
            apply(delta)
            if pyo3:
                bids(LEVELS)
                asks(LEVELS)
            else:
                bids()[:LEVELS]
                asks()[:LEVELS]
            spans.append(clock() - start - overhead)
        return spans


def grouped(deltas: list[tuple[OrderBook, OrderBookDelta]], batch: int) -> list[tuple[OrderBook, OrderBookDeltas]]:
    """Batches of one book each, in the order they fill up; what does not fill one is left out."""
    waiting: dict[int, list[OrderBookDelta]] = {}
    groups = []
    for book, delta in deltas:
        batch_of_book = waiting.setdefault(id(book), [])
        batch_of_book.append(delta)
        if len(batch_of_book) == batch:
            groups.append((book, OrderBookDeltas(book.instrument_id, batch_of_book)))
            waiting[id(book)] = []
    return groups


def number(kind: Any, count: int) -> Any:
    """A Price or Quantity of nine digits from a count of 1e-9."""
    return kind.from_str(f"{count // 10**9}.{count % 10**9:09d}")


def run_calls(workload: Workload) -> None:
    for apply, delta in workload.calls:
        apply(delta)


def run_depth(workload: Workload) -> None:
    (book,) = workload.books.values()
    bids, asks = book.bids, book.asks
    for apply, delta in workload.calls:
        apply(delta)
        bids()[:LEVELS]
        asks()[:LEVELS]


def run_depth_pyo3(workload: Workload) -> None:
    """Only the levels asked for are built: the library's best way to read some of many."""
    (book,) = workload.books.values()
    bids, asks = book.bids, book.asks
    for apply, delta in workload.calls:
        apply(delta)
        bids(LEVELS)
        asks(LEVELS)


RUNS: dict[str, Callable[[Workload], None]] = {
    "apply_delta": run_calls,
    "apply_deltas": run_calls,
    "depth": run_depth,
    "depth_pyo3": run_depth_pyo3,
}


def answer(request: dict[str, Any], held: list[Workload]) -> dict[str, Any]:
    if request["do"] == "load":
        held.clear()
        with open(request["path"], "rb") as file:
            snapshot, updates = np.load(file), np.load(file)
        held.append(Workload(request["mode"], snapshot, updates, request["batch"]))
        return {"operations": held[0].operations}
    if request["do"] == "round":
        return {"ns": held[0].round(getattr(time, request["clock"]))}
    if request["do"] == "tops":
        return {"tops": held[0].tops(request["levels"])}
    if request["do"] == "latencies":
        return {"ns": held[0].latencies()}
    return {"error": f"request is {request['do']!r}; expected load, round, tops or latencies"}


def main() -> None:
    held: list[Workload] = []
    out, sys.stdout = sys.stdout, sys.stderr  # whatever the library prints must not reach the pipe
    for line in sys.stdin:
        out.write(json.dumps(answer(json.loads(line), held)) + "\n")
        out.flush()


main()
