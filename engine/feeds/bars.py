"""Bars from prints.

The rule: prints are TRADE and EXECUTE events, in the order they came, put into intervals by ``ts_event``. Open and
close are the first and last print without NO_LAST; high and low are over prints without NO_HIGH_LOW, and open and
close; volume sums prints without NO_VOLUME. Executions of orders older than the file, whose price nobody told, count
in the volume only. A TRADE_BREAK takes back the latest TRADE before it with the same id. An
interval without a print that may set the last price has no bar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.core.events import EVENT, Condition, Kind
from engine.core.units import NANOS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["bars_of", "prints_of"]

_PRICED = (Kind.ADD, Kind.REPLACE)
_WANTED = (*_PRICED, Kind.EXECUTE, Kind.TRADE, Kind.TRADE_BREAK)


def prints_of(batches: Iterable[NDArray[np.void]], instrument: int) -> NDArray[np.void]:
    """The prints of an instrument that stand, with prices: executions without one have that of their order."""
    parts = []
    for batch in batches:
        ours = batch[batch["instrument"] == instrument]
        parts.append(ours[np.isin(ours["kind"], _WANTED)])
    events = np.concatenate(parts) if parts else np.empty(0, EVENT)
    prints = np.isin(events["kind"], (Kind.EXECUTE, Kind.TRADE))
    _price_executions(events)
    unpriced = (events["kind"] == Kind.EXECUTE) & (events["price"] == 0)
    events["conditions"][unpriced] |= np.uint32(Condition.NO_LAST | Condition.NO_HIGH_LOW)
    broken = [_broken(events, int(at)) for at in np.flatnonzero(events["kind"] == Kind.TRADE_BREAK)]
    prints[[at for at in broken if at is not None]] = False
    return events[prints]


def _broken(events: NDArray[np.void], at: int) -> int | None:
    before = events[:at]
    same = np.flatnonzero((before["kind"] == Kind.TRADE) & (before["order_id"] == events["order_id"][at]))
    return int(same[-1]) if len(same) else None


def _price_executions(events: NDArray[np.void]) -> None:
    """ITCH executions tell the order only: its price is that of the latest addition or replacement before."""
    wanted = np.flatnonzero((events["kind"] == Kind.EXECUTE) & (events["price"] == 0))
    priced = np.flatnonzero(np.isin(events["kind"], _PRICED))
    if not len(wanted) or not len(priced):
        return
    order = np.lexsort((priced, events["order_id"][priced]))
    priced = priced[order]
    ids = events["order_id"]
    # (id, place) pairs as one sortable number: ranks of the ids, then the place in the stream
    _, inverse = np.unique(ids[np.concatenate([priced, wanted])], return_inverse=True)
    key = inverse * (len(events) + 1) + np.concatenate([priced, wanted])
    found = np.searchsorted(key[: len(priced)], key[len(priced) :]) - 1
    known = found >= 0
    known[known] = ids[priced[found[known]]] == ids[wanted[known]]
    events["price"][wanted[known]] = events["price"][priced[found[known]]]


def bars_of(prints: NDArray[np.void], interval_ns: int) -> dict[str, NDArray[np.generic]]:
    """Bars of the prints (see the module).

    Args:
        prints: what ``prints_of`` gives.
        interval_ns: length of a bar; intervals start at multiples of it since the epoch.

    Returns:
        Columns ``ts`` (start of the interval, int64 ns), ``open``, ``high``, ``low``, ``close``, ``volume`` (float64).
    """
    # a bar that a late print belongs to is still one bar: sorted by interval, the order of arrival kept inside
    prints = prints[np.argsort(prints["ts_event"] // interval_ns, kind="stable")]
    slot = prints["ts_event"] // interval_ns
    last = (prints["conditions"] & Condition.NO_LAST) == 0
    starts = np.unique(slot[last])
    columns: dict[str, NDArray[np.generic]] = {"ts": starts * interval_ns}
    price = prints["price"]
    first, final = np.searchsorted(slot[last], starts), np.searchsorted(slot[last], starts, side="right") - 1
    opened, closed = price[last][first], price[last][final]
    ranged = (prints["conditions"] & Condition.NO_HIGH_LOW) == 0
    within = ranged & np.isin(slot, starts)
    place = np.searchsorted(starts, slot[within])
    high, low = np.maximum(opened, closed), np.minimum(opened, closed)
    np.maximum.at(high, place, price[within])
    np.minimum.at(low, place, price[within])
    counted = ((prints["conditions"] & Condition.NO_VOLUME) == 0) & np.isin(slot, starts)
    for name, counts in (("open", opened), ("high", high), ("low", low), ("close", closed)):
        columns[name] = counts / NANOS
    columns["volume"] = _volumes(prints["quantity"][counted], np.searchsorted(starts, slot[counted]), len(starts))
    return columns


def _volumes(quantities: NDArray[np.int64], place: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    """Exact sums by place: two halves of 32 bits, since the sum of counts of 1e-9 may need more than 64."""
    high, low = np.zeros(count, np.int64), np.zeros(count, np.int64)
    np.add.at(high, place, quantities >> 32)
    np.add.at(low, place, quantities & 0xFFFFFFFF)
    sums = zip(high.tolist(), low.tolist(), strict=True)
    return np.array([((above << 32) + below) / NANOS for above, below in sums], np.float64)
