"""From order-by-order events to what a price-level feed tells, as slow clear Python: the twin of ``LevelFeed``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.core.events import EVENT, Flag, Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LevelFeed"]


class LevelFeed:
    """Turns ADD, REDUCE, DELETE, REPLACE and EXECUTE into LEVEL and TRADE; whatever else there is passes.

    Args:
        venue: of the events that come out.
        provider: of the events that come out.
    """

    def __init__(self, venue: int, provider: int = 0) -> None:
        self._venue, self._provider = venue, provider
        self._orders: dict[int, list[int]] = {}  # order id -> side, price, quantity
        self._levels: dict[tuple[int, int, int], int] = {}  # instrument, side, price -> quantity
        self._trades = 0

    def convert(self, events: NDArray[np.void]) -> NDArray[np.void]:
        """The events of a batch, in order; one LEVEL for each level it changed, at the end of its atomic event."""
        rows: list[tuple[Any, ...]] = []
        changed: dict[tuple[int, int, int], None] = {}
        for event in events.tolist():
            ts, recv, price, quantity, _, order_id, instrument, _, _, kind, side, flags, _, conditions = event
            if kind == Kind.STATUS:
                rows.append((ts, recv, 0, 0, 0, instrument, kind, 0, Flag.LAST, conditions))
                continue
            if kind == Kind.EXECUTE:
                self._trades += 1
                rows.append((ts, recv, price, quantity, self._trades, instrument, Kind.TRADE, side, 0, 0))
            elif kind == Kind.TRADE:
                self._trades += 1
                rows.append((ts, recv, price, quantity, self._trades, instrument, kind, side, 0, conditions))
            self._apply(kind, instrument, side, price, quantity, order_id, changed)
            if flags & Flag.LAST:
                for key in changed:
                    number, on, at = key
                    rows.append((ts, recv, at, self._levels.get(key, 0), 0, number, Kind.LEVEL, on, 0, 0))
                changed.clear()
                if rows:
                    rows[-1] = (*rows[-1][:8], Flag.LAST, rows[-1][9])
        return self._records(rows)

    def _apply(
        self,
        kind: int,
        instrument: int,
        side: int,
        price: int,
        quantity: int,
        order_id: int,
        changed: dict[tuple[int, int, int], None],
    ) -> None:
        if kind == Kind.ADD:
            self._orders[order_id] = [side, price, quantity]
            self._change((instrument, side, price), quantity, changed)
            return
        order = self._orders.get(order_id)
        if order is None:
            return
        key = (instrument, order[0], order[1])
        if kind in {Kind.REDUCE, Kind.EXECUTE}:
            order[2] -= quantity
            self._change(key, -quantity, changed)
            if order[2] <= 0:
                del self._orders[order_id]
        elif kind == Kind.DELETE:
            del self._orders[order_id]
            self._change(key, -order[2], changed)
        elif kind == Kind.REPLACE:
            self._change(key, -order[2], changed)
            order[1], order[2] = price, quantity
            self._change((instrument, order[0], price), quantity, changed)

    def _change(self, key: tuple[int, int, int], by: int, changed: dict[tuple[int, int, int], None]) -> None:
        left = self._levels.get(key, 0) + by
        if left > 0:
            self._levels[key] = left
        else:
            self._levels.pop(key, None)
        changed[key] = None

    def _records(self, rows: list[tuple[Any, ...]]) -> NDArray[np.void]:
        found = np.zeros(len(rows), EVENT)
        if rows:
            names = (
                "ts_event",
                "ts_recv",
                "price",
                "quantity",
                "order_id",
                "instrument",
                "kind",
                "side",
                "flags",
                "conditions",
            )
            for name, column in zip(names, np.array(rows, np.int64).T, strict=True):
                found[name] = column
            found["venue"], found["provider"] = self._venue, self._provider
        return found
