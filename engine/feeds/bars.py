"""Bars from prints.

The rule: prints are TRADE and EXECUTE events, in the order they came, put into intervals by ``ts_event``. Open and
close are the first and last print without NO_LAST; high and low are over prints without NO_HIGH_LOW, and open and
close; volume sums prints without NO_VOLUME. Executions of orders older than the file, whose price nobody told, count
in the volume only. A TRADE_BREAK takes back the latest TRADE before it with the same id. An
interval without a print that may set the last price has no bar.

``bars_of`` follows the rule over a whole recording, ``Bars`` as the prints come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from engine.core.events import EVENT, Condition, Kind
from engine.core.units import NANOS, Duration, duration_ns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["PRINTS", "Bar", "Bars", "bars_of", "prints_of"]

_PRICED = (Kind.ADD, Kind.REPLACE)
_WANTED = (*_PRICED, Kind.EXECUTE, Kind.TRADE, Kind.TRADE_BREAK)
_UNPRICED: Final = np.uint32(Condition.NO_LAST | Condition.NO_HIGH_LOW)

#: Prints an instrument of ``Bars`` holds one by one at most; the older half of more is summed up, and can no longer be
#: taken back.
PRINTS: Final = 1 << 18


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
    events["conditions"][unpriced] |= _UNPRICED
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


class Bar(NamedTuple):
    """A closed bar of one instrument.

    ``ts`` is the start of its interval in ns, prices and volume are in units, ``trades`` counts the prints in the
    volume, ``instrument`` is the id in the events.
    """

    ts: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int
    instrument: int


class Bars:
    """Builds bars from prints as they come; many instruments at once, each on its own.

    A bar closes when a print of the instrument shows that its interval is over, or when ``close`` says what time it is.
    The time a print shows is its ``ts_event``, though never later than its ``ts_recv``: one wrong stamp in the future
    closes nothing. A print for a bar that has closed is counted as late and dropped. Executions whose price the event
    does not tell count in the volume only.

    Args:
        interval: length of a bar; intervals start at multiples of it since the epoch.
        delay: how long after its interval's end a bar stays open for late prints.

    Attributes:
        interval_ns: the length of a bar.
        delay_ns: the delay.
        counts: ``prints`` taken, ``late`` ones dropped, ``broken`` ones taken back, and ``unbroken``: breaks of prints
            that were not there (any more).

    Raises:
        ValueError: ``interval`` is not a positive duration, or ``delay`` is none.
    """

    def __init__(self, interval: Duration, *, delay: Duration = "0s") -> None:
        self.interval_ns = duration_ns(interval, "interval")
        if self.interval_ns == 0:
            raise ValueError(f"interval is {interval!r}; expected a positive duration")
        self.delay_ns = duration_ns(delay, "delay")
        self.counts = {"prints": 0, "late": 0, "broken": 0, "unbroken": 0}
        self._forming: dict[int, _Forming] = {}
        self._now = _BEFORE_ALL

    def update(self, events: NDArray[np.void]) -> list[Bar]:
        """Takes prints and breaks of prints, of any instruments; other events pass by.

        Args:
            events: (n,) of ``engine.EVENT``, in the order they came.

        Returns:
            The bars that closed, by instrument and time.
        """
        if len(events) <= _FEW:
            return self._update_few(events)
        kinds = events["kind"]
        ours = events[(kinds == Kind.TRADE) | (kinds == Kind.EXECUTE) | (kinds == Kind.TRADE_BREAK)]
        bars: list[Bar] = []
        for number in np.unique(ours["instrument"]).tolist():
            own = ours[ours["instrument"] == number]
            forming = self._forming.setdefault(number, _Forming(self))
            breaks = np.flatnonzero(own["kind"] == Kind.TRADE_BREAK).tolist()
            start = 0
            for end in (*breaks, len(own)):  # what a break can take back depends on what was there before it
                bars += self._closed(number, forming.take(own[start:end], self._now))
                if end < len(own):
                    forming.take_back(int(own["order_id"][end]))
                start = end + 1
        return bars

    def _update_few(self, events: NDArray[np.void]) -> list[Bar]:
        """The same, one event after the other: arrays cost more than they save."""
        bars: list[Bar] = []
        for ts, received, price, quantity, _, order_id, number, _, _, kind, _, _, _, conditions in events.tolist():
            if kind in _PRINTS:
                forming = self._forming.get(number)
                if forming is None:
                    forming = self._forming[number] = _Forming(self)
                trade = kind == Kind.TRADE
                closed = forming.take_one(ts, received, (price, quantity, order_id, conditions, trade), self._now)
                if closed:
                    bars += self._closed(number, closed)
            elif kind == Kind.TRADE_BREAK:
                self._forming.setdefault(number, _Forming(self)).take_back(order_id)
        if len(bars) > 1:
            bars.sort(key=lambda bar: bar.instrument)
        return bars

    def close(self, now: int | None = None) -> list[Bar]:
        """Closes what is over: bars whose interval and delay ended at ``now`` (ns) or before, all of them if None.

        Later prints for these bars are late; None leaves the builder as it was at first.
        """
        bars: list[Bar] = []
        for number, forming in sorted(self._forming.items()):
            bars += self._closed(number, forming.close(_AFTER_ALL if now is None else now))
        if now is None:
            self._forming.clear()
            self._now = _BEFORE_ALL
        else:
            self._now = max(self._now, now)
        return bars

    def forming(self, instrument: int) -> Bar | None:
        """The newest bar of an instrument that is still open, as far as it goes; None if there is none."""
        forming = self._forming.get(instrument)
        sums = {} if forming is None else forming.sums()
        bars = self._closed(instrument, sorted(sums.items()))
        return bars[-1] if bars else None

    def _closed(self, number: int, sums: Iterable[tuple[int, _Sum]]) -> list[Bar]:
        return [
            Bar(slot * self.interval_ns, *one.prices(), one.volume / NANOS, one.trades, number)
            for slot, one in sums
            if one.opened is not None
        ]


_FEW: Final = 64  #: events up to which arrays cost more than they save
_PRINTS: Final = frozenset({int(Kind.TRADE), int(Kind.EXECUTE)})
_BEFORE_ALL: Final = -(1 << 62)
_AFTER_ALL: Final = (1 << 63) - 1
_PRINT: Final = np.dtype(
    [
        ("slot", "<i8"),
        ("price", "<i8"),
        ("quantity", "<i8"),
        ("order_id", "<u8"),
        ("conditions", "<u4"),
        ("trade", "?"),
    ]
)


class _Sum(NamedTuple):
    """What some prints of one bar come to: counts of 1e-9, None where no print tells."""

    opened: int | None
    high: int | None
    low: int | None
    closed: int | None
    volume: int
    trades: int

    def prices(self) -> tuple[float, float, float, float]:
        """Open, high, low, close in units, of a bar that has them."""
        opened, closed = self.opened or 0, self.closed or 0
        high = max(opened, closed, opened if self.high is None else self.high)
        low = min(opened, closed, opened if self.low is None else self.low)
        return opened / NANOS, high / NANOS, low / NANOS, closed / NANOS

    def then(self, later: _Sum) -> _Sum:
        """Of these prints and later ones together."""
        highs = [value for value in (self.high, later.high) if value is not None]
        lows = [value for value in (self.low, later.low) if value is not None]
        return _Sum(
            later.opened if self.opened is None else self.opened,
            max(highs, default=None),
            min(lows, default=None),
            self.closed if later.closed is None else later.closed,
            self.volume + later.volume,
            self.trades + later.trades,
        )


def _sum_of(prints: NDArray[np.void]) -> _Sum:
    """Of prints of one bar, in the order they came."""
    conditions, price = prints["conditions"], prints["price"]
    last = price[(conditions & Condition.NO_LAST) == 0]
    ranged = price[(conditions & Condition.NO_HIGH_LOW) == 0]
    counted = prints["quantity"][(conditions & Condition.NO_VOLUME) == 0]
    # exact beyond 64 bits: two halves
    volume = (int((counted >> 32).sum()) << 32) + int((counted & 0xFFFFFFFF).sum())
    return _Sum(
        int(last[0]) if len(last) else None,
        int(ranged.max()) if len(ranged) else None,
        int(ranged.min()) if len(ranged) else None,
        int(last[-1]) if len(last) else None,
        volume,
        len(counted),
    )


class _Forming:
    """The open bars of one instrument: their prints in the order they came, and sums of the oldest of too many."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._parts: list[NDArray[np.void]] = []
        self._few: list[tuple[int, int, int, int, int, bool]] = []  # those after ``_parts``
        self._held = 0
        self._old: dict[int, _Sum] = {}
        self._mark = _BEFORE_ALL  # the latest time that prints have shown
        self._oldest = _AFTER_ALL  # slot of the oldest open bar

    def take(self, prints: NDArray[np.void], now: int) -> list[tuple[int, _Sum]]:
        """Adds prints; gives the bars that they close, oldest first."""
        if not len(prints):
            return []
        step, counts = self._bars.interval_ns, self._bars.counts
        stamps, received = prints["ts_event"], prints["ts_recv"]
        shown = np.where(received > 0, np.minimum(stamps, received), stamps)
        marks = np.maximum.accumulate(np.concatenate([[max(self._mark, now)], shown]))
        slots = stamps // step
        late = slots < (marks[:-1] - self._bars.delay_ns) // step
        self._mark = int(marks[-1])
        taken = np.empty(len(prints) - int(late.sum()), _PRINT)
        taken["slot"] = slots[~late]
        for name in ("price", "quantity", "order_id", "conditions"):
            taken[name] = prints[name][~late]
        taken["trade"] = prints["kind"][~late] == Kind.TRADE
        taken["conditions"][~taken["trade"] & (taken["price"] == 0)] |= _UNPRICED
        counts["late"] += len(prints) - len(taken)
        counts["prints"] += len(taken)
        if len(taken):
            if self._few:
                self._together()
            self._parts.append(taken)
            self._held += len(taken)
            self._oldest = min(self._oldest, int(taken["slot"].min()))
        closed = self.close(self._mark)
        if self._held > PRINTS:
            self._fold()
        return closed

    def take_one(
        self, ts: int, received: int, values: tuple[int, int, int, int, bool], now: int
    ) -> list[tuple[int, _Sum]]:
        """``take`` of one print: price, quantity, order id, conditions, whether it is a trade."""
        bars = self._bars
        slot, mark = ts // bars.interval_ns, max(self._mark, now)
        shown = received if 0 < received < ts else ts
        self._mark = max(mark, shown)
        if slot < (mark - bars.delay_ns) // bars.interval_ns:
            bars.counts["late"] += 1
        else:
            price, quantity, order_id, conditions, trade = values
            if not trade and price == 0:
                conditions |= int(_UNPRICED)
            bars.counts["prints"] += 1
            self._few.append((slot, price, quantity, order_id, conditions, trade))
            self._held += 1
            self._oldest = min(self._oldest, slot)
        closed = self.close(self._mark)
        if self._held > PRINTS:
            self._fold()
        return closed

    def close(self, now: int) -> list[tuple[int, _Sum]]:
        """Gives and forgets the bars that are over at ``now``, oldest first."""
        end = _AFTER_ALL if now == _AFTER_ALL else (now - self._bars.delay_ns) // self._bars.interval_ns
        if self._oldest >= end:
            return []
        sums = self.sums()
        held = self._together()
        self._keep(held[held["slot"] >= end])
        self._old = {slot: one for slot, one in self._old.items() if slot >= end}
        self._oldest = min((slot for slot in sums if slot >= end), default=_AFTER_ALL)
        return sorted((slot, one) for slot, one in sums.items() if slot < end)

    def sums(self) -> dict[int, _Sum]:
        """Every open bar by slot."""
        held = self._together()
        sums = dict(self._old)
        for slot in np.unique(held["slot"]).tolist():
            new = _sum_of(held[held["slot"] == slot])
            sums[slot] = sums[slot].then(new) if slot in sums else new
        return sums

    def take_back(self, order_id: int) -> None:
        """Forgets the latest trade with an id."""
        held = self._together()
        found = np.flatnonzero(held["trade"] & (held["order_id"] == np.uint64(order_id)))
        self._bars.counts["broken" if len(found) else "unbroken"] += 1
        if len(found):
            self._keep(np.delete(held, found[-1]))

    def _together(self) -> NDArray[np.void]:
        if self._few:
            self._parts.append(np.array(self._few, _PRINT))
            self._few.clear()
        if len(self._parts) != 1:
            self._parts = [np.concatenate(self._parts)] if self._parts else [np.empty(0, _PRINT)]
        return self._parts[0]

    def _keep(self, held: NDArray[np.void]) -> None:
        self._parts, self._held = [held], len(held)

    def _fold(self) -> None:
        """Sums the older half up."""
        held = self._together()
        old, new = np.split(held, [len(held) - PRINTS // 2])
        self._keep(old)
        self._old = self.sums()
        self._keep(new.copy())
