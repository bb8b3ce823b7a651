"""A seeded market: order-by-order flow of made-up instruments with a realistic shape, on virtual time.

Every symbol has a fair price that drifts, a volatility that wanders, makers who quote around the fair price (wider when
it moves more), cancellations, repricing, and takers who come mostly when the book lags the fair price; arrivals follow
the U shape of a trading day. Numbers come from Philox words through integer arithmetic only, one stream a symbol, so a
seed means the same bytes on every machine and NumPy version, and another symbol does not change the flow of the first.
"""

from __future__ import annotations

from heapq import heapify, heappop, heapreplace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from engine.core.events import EVENT, Flag, Kind, Side, Status
from engine.core.units import NANOS, Duration, duration_ns
from engine.sim.draws import Draws
from engine.sim.truth import TruthBook

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from engine.sim.truth import TruthOrder

__all__ = ["World"]

TICK: Final = NANOS // 100  #: one cent in counts of 1e-9
SESSION_NS: Final = 23_400 * NANOS  #: 09:30 to 16:00
OPEN: Final = 1_767_623_400 * NANOS  #: 2026-01-05 09:30 in New York, ns since epoch
VENUE: Final = 1  #: XNAS
PROVIDER: Final = 8  #: simulation
RESTING: Final = 300  #: orders a symbol's book is drawn towards
_FINE: Final = 1_000  #: parts of a tick the fair price moves in

Row = tuple[int, int, int, int, int, int, int, int]  # ts, kind, side, flags, price, quantity, order id, conditions


class _Flow:
    """The agents of one symbol and the book they act on. Prices here are ticks unless the name says otherwise."""

    def __init__(self, index: int, seed: int, start: int, mean_ns: int) -> None:
        self.index = index
        self.draws = Draws(seed, index)
        self.book = TruthBook()
        self.ts = start
        self.mean_ns = mean_ns
        self.fair = (2_000 + self.draws.below(48_000)) * _FINE  # 20 to 500 dollars
        self.volatility = 2
        self.orders = 0
        self.rows: list[Row] = []

    def open(self) -> None:
        """Trading begins with the orders that were waiting for it."""
        self._emit(Kind.STATUS, Side.NONE, 0, 0, 0, conditions=Status.TRADING)
        for _ in range(RESTING // 2):
            self._make(Side.BID)
            self._make(Side.ASK)
        self._wait()

    def step(self) -> None:
        """Something happens at ``ts``: the fair price moves, one agent acts, and the time of the next act is drawn."""
        self._move_fair()
        bid, ask = self._touch()
        if not bid * _FINE - 200 < self.fair < ask * _FINE + 200 and self.draws.below(3):
            self._take(Side.ASK if self.fair >= ask * _FINE else Side.BID)
        else:
            act = self.draws.below(1_000)
            if act < 30:
                self._take(Side.BID if self.draws.below(2) else Side.ASK)
            elif act < 40:
                self._hidden(bid, ask)
            elif act < 80:
                self._reduce()
            elif act < 160:
                self._reprice()
            elif self.draws.below(2 * RESTING) < len(self.book.orders_list):
                self._cancel()
            else:
                self._make(Side.BID if self.draws.below(2) else Side.ASK)
        self._wait()

    def _wait(self) -> None:
        # U shape: twice the mean rate at the open and the close, half of it at noon (mean over the session 1)
        x = min((self.ts - OPEN) % (24 * 3_600 * NANOS), SESSION_NS) * 2_000 // SESSION_NS - 1_000
        self.ts += self.draws.waiting(self.mean_ns) * 1_000_000 // (500_000 + 3 * x * x // 2)

    def _move_fair(self) -> None:
        if self.draws.below(256) == 0:  # volatility wanders between 1 and 8, drawn towards 2
            up = self.draws.below(8) < (5 if self.volatility < 2 else 3)
            self.volatility = min(8, max(1, self.volatility + (1 if up else -1)))
        # the sum of four uniforms is normal enough
        step = sum(self.draws.below(2 * 12 * self.volatility + 1) for _ in range(4)) - 4 * 12 * self.volatility
        self.fair = max(200 * _FINE, self.fair + step)

    def _touch(self) -> tuple[int, int]:
        """Best bid and ask; `_leave` never lets a side run empty."""
        bid, ask = self.book.best(Side.BID), self.book.best(Side.ASK)
        return (bid or 0) // TICK, (ask or 0) // TICK

    def _quote(self, side: Side) -> int:
        """A passive price: a humped distance behind half the spread from fair, never at or through the other side."""
        half = 300 + 150 * self.volatility
        distance = self.draws.geometric() + (self.draws.below(24) if self.draws.below(4) == 0 else self.draws.below(5))
        other = self.book.best(Side.ASK if side is Side.BID else Side.BID)
        if side is Side.BID:
            price = (self.fair - half) // _FINE - distance
            return price if other is None else min(price, other // TICK - 1)
        price = -(-(self.fair + half) // _FINE) + distance
        return price if other is None else max(price, other // TICK + 1)

    def _size(self) -> int:
        """Shares in counts of 1e-9: round lots, or in a quarter of the cases an odd lot."""
        shares = 1 + self.draws.below(99) if self.draws.below(4) == 0 else 100 * (1 + self.draws.geometric())
        return shares * NANOS

    def _make(self, side: Side, flags: int = Flag.LAST) -> None:
        self.orders += 1
        order_id = self.index << 40 | self.orders
        price, quantity = self._quote(side) * TICK, self._size()
        self.book.add(order_id, side, price, quantity)
        self._emit(Kind.ADD, side, price, quantity, order_id, flags)

    def _leave(self) -> TruthOrder | None:
        """An order that may go: of two drawn, the farther from fair, unless its side would be empty without it."""
        pool = self.book.orders_list
        one, two = pool[self.draws.below(len(pool))], pool[self.draws.below(len(pool))]
        fair = self.fair * TICK // _FINE
        order = one if abs(one.price - fair) >= abs(two.price - fair) else two
        levels = self.book.levels[order.side]
        return None if len(levels) == 1 and len(levels[order.price]) == 1 else order

    def _cancel(self) -> None:
        if order := self._leave():
            self._emit(Kind.DELETE, order.side, order.price, order.quantity, order.order_id)
            self.book.delete(order)

    def _reprice(self) -> None:
        """A new id at a new price: a deletion and an addition in one atomic event, as ITCH's replace."""
        if order := self._leave():
            self._emit(Kind.DELETE, order.side, order.price, order.quantity, order.order_id, flags=0)
            self.book.delete(order)
            self._make(order.side)

    def _reduce(self) -> None:
        order = self._leave()
        if order and order.quantity > NANOS:
            quantity = (1 + self.draws.below(order.quantity // NANOS - 1)) * NANOS
            self._emit(Kind.REDUCE, order.side, order.price, quantity, order.order_id)
            self.book.reduce(order, quantity)

    def _take(self, side: Side) -> None:
        """A marketable order takes from ``side``: oldest orders of the best price first, at most three levels."""
        left = self._size() * (1 + self.draws.geometric())
        for _ in range(min(3, len(self.book.levels[side]) - 1)):
            price = self.book.best(side)
            for order in list(self.book.levels[side][price]) if price is not None else ():
                quantity = min(left, order.quantity)
                self._emit(Kind.EXECUTE, side, order.price, quantity, order.order_id)
                self.book.reduce(order, quantity)
                left -= quantity
                if left == 0:
                    return

    def _hidden(self, bid: int, ask: int) -> None:
        """A print against an order nobody saw, inside the spread."""
        price = (bid * TICK + ask * TICK) // 2
        self._emit(
            Kind.TRADE, Side.BID if self.draws.below(2) else Side.ASK, price, self._size(), 0, Flag.LAST | Flag.HIDDEN
        )

    def _emit(
        self,
        kind: Kind,
        side: Side,
        price: int,
        quantity: int,
        order_id: int,
        flags: int = Flag.LAST,
        conditions: int = 0,
    ) -> None:
        self.rows.append((self.ts, kind, side, flags, price, quantity, order_id, conditions))
        self.book.ts_event = self.ts


class World:
    """Order flow of ``symbols``; iterate for batches, again and again with the same bytes.

    A batch is an array of EVENT in time order: everything that happened in one ``interval`` (empty ones are left out).
    Its ``ts_recv`` is the end of that interval in every record, ``instrument`` the index of the symbol in ``symbols``.
    After a batch was taken, `truth` shows the book as it stands then.

    Args:
        symbols: names, each once.
        seed: 0 <= seed < 2^64.
        duration: length in virtual time, a timedelta or text such as "10m".
        start: ns since epoch; 2026-01-05 09:30 in New York unless given.
        interval: virtual time a batch covers.
        rate: acts a second and symbol, averaged over a trading day; an act is one event, sweeps and repricing are more.

    Raises:
        ValueError: no symbols, a symbol twice, or a number out of its range.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        seed: int = 0,
        duration: Duration = "10m",
        *,
        start: int = OPEN,
        interval: Duration = "10ms",
        rate: int = 1_000,
    ) -> None:
        if not symbols or len(set(symbols)) != len(symbols) or isinstance(symbols, str):
            raise ValueError(f"symbols is {symbols!r}; expected a sequence of names, each once")
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed is {seed}; expected 0 <= seed < 2**64")
        if not 1 <= rate <= 1_000_000:
            raise ValueError(f"rate is {rate}; expected 1 to 1000000 acts a second")
        self.symbols = tuple(symbols)
        self.seed = seed
        self.start = start
        self.end = start + duration_ns(duration, "duration")
        self._interval = duration_ns(interval, "interval")
        if self._interval == 0:
            raise ValueError("interval is 0; expected a positive duration")
        self.rate = rate
        self._mean_ns = NANOS // rate
        self._flows: list[_Flow] = []
        self._reset()

    def truth(self, symbol: str) -> TruthBook:
        """The book of ``symbol`` after the batch taken last: a live object, not a copy. Raises KeyError if unknown."""
        try:
            return self._flows[self.symbols.index(symbol)].book
        except ValueError:
            raise KeyError(f"symbol is {symbol!r}; expected one of {', '.join(self.symbols)}") from None

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        self._reset()
        flows, sequence = self._flows, 0
        for flow in flows:
            flow.open()
        queue = [(flow.ts, flow.index) for flow in flows]
        heapify(queue)
        close = self.start
        while close < self.end:
            close = min(close + self._interval, self.end)
            rows = [(*row, flow.index) for flow in flows for row in flow.rows]  # of the opening; empty later
            for flow in flows:
                flow.rows.clear()
            while queue and queue[0][0] < close:
                flow = flows[queue[0][1]]
                flow.step()
                rows += [(*row, flow.index) for row in flow.rows]
                flow.rows.clear()
                if flow.ts < self.end:
                    heapreplace(queue, (flow.ts, flow.index))
                else:
                    heappop(queue)
            if rows:
                yield _batch(rows, close, sequence + 1)
                sequence += len(rows)

    def _reset(self) -> None:
        self._flows = [_Flow(index, self.seed, self.start, self._mean_ns) for index in range(len(self.symbols))]


def _batch(rows: Sequence[tuple[int, ...]], ts_recv: int, sequence: int) -> npt.NDArray[Any]:
    columns = np.array(rows, np.int64).T
    batch = np.zeros(len(rows), EVENT)
    names = ("ts_event", "kind", "side", "flags", "price", "quantity", "order_id", "conditions", "instrument")
    for name, column in zip(names, columns, strict=True):
        batch[name] = column
    batch["ts_recv"] = ts_recv
    batch["sequence"] = np.arange(sequence, sequence + len(rows), dtype=np.uint64)
    batch["venue"] = VENUE
    batch["provider"] = PROVIDER
    batch["flags"][-1] |= Flag.BATCH_END
    return batch
