"""Every order of an engine, and who wants to hear of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from engine.execution.states import FINAL
from engine.live.callbacks import Callback
from engine.live.news import Update, UpdateLog, public_fill
from engine.live.order import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.core import trading
    from engine.feeds.stream import Stream
    from engine.live.engine import Engine

__all__ = ["Board"]


class Board:
    """Orders by number and key, their news, and those who wait for them.

    Attributes:
        orders: by number, oldest first, those found in the journal too.
        keys: those that were given a key.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.orders: dict[int, Order] = {}
        self.keys: dict[str, Order] = {}
        self._log = UpdateLog()
        self._callbacks: list[Callback] = []
        self._finals: dict[int, asyncio.Future[None]] = {}
        self.closed = False

    def begin(self, sequence: int) -> None:
        """Updates up to this sequence were told by processes before this one."""
        self._log.start = sequence

    @property
    def last(self) -> int:
        """Sequence of the newest update."""
        return self._log.last

    @property
    def failures(self) -> int:
        """Callbacks that were stopped by an exception."""
        return sum(callback.failed for callback in self._callbacks)

    def add(self, order: Order) -> None:
        """A new order."""
        self.orders[order.id] = order
        if order.key is not None:
            self.keys[order.key] = order

    def news(self, updates: Sequence[trading.Update]) -> None:
        """What a step led to: kept, told to callbacks and readers, and those who wait for an end wake."""
        found = []
        for one in updates:
            order = self.orders.get(one.parent)
            if order is None:  # found at a broker, not in the journal
                order = Order(self._engine, self._engine.trader.parents[one.parent].asked)
                self.add(order)
            update = Update(one.order, order, one.state, public_fill(one.fill), one.reason, one.sequence, one.ts_recv)
            self._log.add(update)
            found.append(update)
        self._log.wake()
        for callback in list(self._callbacks):
            callback.run(found)
        for update in found:
            if _ends(update):
                future = self._finals.pop(update.parent.id, None)
                if future is not None and not future.done():
                    future.set_result(None)

    def updates(self, since: int | None, tag: str | None) -> Stream[Update]:
        """What ``Engine.updates`` gives."""
        start = self._log.last if since is None else since
        return self._log.stream(start, lambda one: tag is None or one.parent.tag == tag, lambda one: False)

    def order_updates(self, order: Order, since: int) -> Stream[Update]:
        """What ``Order.updates`` gives."""
        stream = self._log.stream(since or self._log.last, lambda one: one.parent is order, _ends)
        if not order.is_open:
            stream.end()
        return stream

    def on_update(self, callback: Callable[[Sequence[Update]], object], tag: str | None) -> Callback:
        """What ``Engine.on_update`` gives."""
        handle = Callback(callback, tag, self._callbacks)
        self._callbacks.append(handle)
        return handle

    def final(self, order: Order) -> asyncio.Future[None]:
        """Done when the order is over.

        Raises:
            RuntimeError: the engine was closed before.
        """
        if self.closed:
            raise RuntimeError("the engine was closed")
        future = self._finals.get(order.id)
        if future is None:
            future = self._finals[order.id] = asyncio.get_running_loop().create_future()
        return future

    def close(self) -> None:
        """Readers get what is left; whoever still waits hears that it ended."""
        self.closed = True
        for future in self._finals.values():
            if not future.done():
                future.set_exception(RuntimeError("the engine was closed"))
                future.exception()
        self._log.end()


def _ends(update: Update) -> bool:
    return not update.order and update.state in FINAL
