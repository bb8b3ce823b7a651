"""What traded so far, as bars and last values: for the bars servers send and for their REST answers."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from engine.core.units import NANOS
from engine.sim.market import NO_TOP, Top

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.sim.market import Batch, Print

__all__ = ["MINUTE", "MINUTES_MAX", "SECOND", "History", "Window"]

SECOND: Final = NANOS
MINUTE: Final = 60 * NANOS
MINUTES_MAX: Final = 10_000  #: minutes kept of a symbol; older ones go
_ROUND_LOT: Final = 100 * NANOS


class Window:
    """Trades of a span of time. Prices and volume are counts of 1e-9; odd lots give volume, and no prices."""

    __slots__ = ("close", "count", "high", "low", "notional", "open", "start", "volume")

    def __init__(self, start: int) -> None:
        self.start = start
        self.open = self.high = self.low = self.close = 0
        self.volume = self.notional = self.count = 0

    def add(self, trade: Print) -> None:
        """One more trade."""
        self.volume += trade.quantity
        self.notional += trade.price * (trade.quantity // NANOS)
        self.count += 1
        if trade.quantity < _ROUND_LOT:
            return
        if not self.open:
            self.open = self.high = self.low = trade.price
        self.high, self.low = max(self.high, trade.price), min(self.low, trade.price)
        self.close = trade.price

    def join(self, later: Window) -> None:
        """The trades of a later window, too."""
        self.volume += later.volume
        self.notional += later.notional
        self.count += later.count
        if later.open:
            if not self.open:
                self.open, self.high, self.low = later.open, later.high, later.low
            self.high, self.low, self.close = max(self.high, later.high), min(self.low, later.low), later.close

    @property
    def vwap(self) -> int:
        """Volume-weighted average price to 1e-4, in counts of 1e-9; 0 without trades."""
        shares = self.volume // NANOS
        return self.notional // shares // 100_000 * 100_000 if shares else 0


class _Symbol:
    def __init__(self) -> None:
        self.minutes: OrderedDict[int, Window] = OrderedDict()
        self.second: Window | None = None
        self.day: Window | None = None
        self.last: tuple[int, Print] | None = None
        self.quote = NO_TOP
        self.quote_ts = 0


class History:
    """Of all venues together."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self._symbols = {symbol: _Symbol() for symbol in symbols}

    def add(self, batch: Batch) -> None:
        """What happened."""
        for tick in batch.ticks:
            kept = self._symbols[tick.symbol]
            if tick.nbbo is not None:
                kept.quote, kept.quote_ts = tick.nbbo, tick.ts
            for trade in tick.prints:
                self._trade(kept, tick.ts, trade)

    def _trade(self, kept: _Symbol, ts: int, trade: Print) -> None:
        kept.last = (ts, trade)
        minute = ts // MINUTE * MINUTE
        if minute not in kept.minutes:
            kept.minutes[minute] = Window(minute)
            if len(kept.minutes) > MINUTES_MAX:
                kept.minutes.popitem(last=False)
        if kept.second is None or kept.second.start != ts // SECOND * SECOND:
            kept.second = Window(ts // SECOND * SECOND)
        if kept.day is None:
            kept.day = Window(ts)
        for window in (kept.minutes[minute], kept.second, kept.day):
            window.add(trade)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Those of the market."""
        return tuple(self._symbols)

    def minutes(self, symbol: str) -> list[Window]:
        """The minutes with trades, oldest first; the last may still go on. Empty for unknown symbols."""
        return list(self._symbols[symbol].minutes.values()) if symbol in self._symbols else []

    def second(self, symbol: str, start: int) -> Window | None:
        """The second that began at ``start``, if it was the last one with trades."""
        window = self._symbols[symbol].second
        return window if window is not None and window.start == start else None

    def minute(self, symbol: str, start: int) -> Window | None:
        """The minute that began at ``start``, if it had trades."""
        return self._symbols[symbol].minutes.get(start)

    def day(self, symbol: str) -> Window | None:
        """Everything since the opening."""
        return self._symbols[symbol].day if symbol in self._symbols else None

    def last(self, symbol: str) -> tuple[int, Print] | None:
        """Time and value of the last trade."""
        return self._symbols[symbol].last if symbol in self._symbols else None

    def quote(self, symbol: str) -> tuple[int, Top]:
        """Time and value of the last NBBO; zero and none for unknown symbols."""
        kept = self._symbols.get(symbol)
        return (kept.quote_ts, kept.quote) if kept is not None else (0, NO_TOP)
