"""Runs in cryptofeed's own virtual environment: one JSON line in, one JSON line out. Imports nothing of ours.

A frame goes to `message_handler` of the exchange, awaited one after the other in one coroutine, as the library's
connection handler does it. Nothing is connected: the symbols, which the library would fetch, are set by hand.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from cryptofeed.defines import L2_BOOK
from cryptofeed.exchanges import Bitstamp, Kraken
from cryptofeed.symbols import Symbols
from cryptofeed.types import OrderBook

EXCHANGES: dict[str, tuple[Any, Callable[[str], str]]] = {
    "bitstamp": (Bitstamp, lambda base: f"{base.lower()}usd"),
    "kraken": (Kraken, lambda base: f"{base}/USD"),
}


async def nothing(book: Any, receipt: float) -> None:
    """The user's callback."""


class Workload:
    """One feed, its snapshots and frames."""

    def __init__(self, exchange: str, bases: Sequence[str], snapshot: list[str], updates: list[str]) -> None:
        kind, wire_name = EXCHANGES[exchange]
        self.pairs = [f"{base}-USD" for base in bases]
        Symbols.set(kind.id, {f"{base}-USD": wire_name(base) for base in bases}, {"instrument_type": {}})
        self.feed = kind(symbols=self.pairs, channels=[L2_BOOK], callbacks={L2_BOOK: nothing})
        self.snapshot, self.updates = snapshot, updates

    async def reset(self) -> None:
        feed = self.feed
        if not isinstance(feed, Bitstamp):
            await self.receive(self.snapshot)
            return
        feed.last_update_id = {}  # what its subscribe() and _snapshot() do, the latter from the answer of a REST call
        for pair, text in zip(self.pairs, self.snapshot, strict=True):
            data = json.loads(text)["data"]
            bids, asks = ({Decimal(price): Decimal(size) for price, size in data[side]} for side in ("bids", "asks"))
            feed._l2_book[pair] = OrderBook(feed.id, pair, max_depth=feed.max_depth, bids=bids, asks=asks)

    async def receive(self, frames: list[str]) -> None:
        handler = self.feed.message_handler
        for frame in frames:
            await handler(frame, None, 0.0)

    async def timed(self, clock: Callable[[], int]) -> int:
        await self.reset()
        gc.collect()
        gc.disable()
        try:
            start = clock()
            await self.receive(self.updates)
            return clock() - start
        finally:
            gc.enable()

    def tops(self, levels: int) -> list[Any]:
        """[bids, asks] of every book, levels as [price, size] text, for comparison."""
        books = (self.feed._l2_book[pair].book for pair in self.pairs)
        return [
            [[[str(price), str(size)] for price, size in side.to_list()[:levels]] for side in (book.bids, book.asks)]
            for book in books
        ]


def answer(request: dict[str, Any], held: list[Workload]) -> dict[str, Any]:
    if request["do"] == "load":
        held.clear()
        with open(request["path"]) as file:
            held.append(Workload(request["exchange"], request["bases"], **json.load(file)))
        return {}
    if request["do"] == "round":
        return {"ns": asyncio.run(held[0].timed(getattr(time, request["clock"])))}
    if request["do"] == "tops":
        return {"tops": held[0].tops(request["levels"])}
    return {"error": f"request is {request['do']!r}; expected load, round or tops"}


def main() -> None:
    held: list[Workload] = []
    out, sys.stdout = sys.stdout, sys.stderr  # whatever the library prints must not reach the pipe
    for line in sys.stdin:
        out.write(json.dumps(answer(json.loads(line), held)) + "\n")
        out.flush()


main()
