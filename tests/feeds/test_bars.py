"""Bars from prints, against the rule spelled out slowly."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.core.events import EVENT, Condition, Kind
from engine.core.units import NANOS
from engine.feeds.bars import bars_of, prints_of

Row = tuple[int, Kind, int, int, int, int]  # ts, kind, price, quantity, order_id, conditions


def events(rows: list[Row], instrument: int = 0) -> np.ndarray:
    array = np.zeros(len(rows), EVENT)
    for name, column in zip(
        ("ts_event", "kind", "price", "quantity", "order_id", "conditions"), zip(*rows, strict=True), strict=False
    ):
        array[name] = column
    array["instrument"] = instrument
    return array


def slow_bars(rows: list[Row], interval: int) -> dict[str, list[Any]]:
    """The twin: one print after the other."""
    prints: list[list[int] | None] = []
    prices: dict[int, int] = {}
    trades: dict[int, list[int]] = {}
    for ts, kind, price, quantity, order_id, conditions in rows:
        if kind in {Kind.ADD, Kind.REPLACE}:
            prices[order_id] = price
        if kind in {Kind.EXECUTE, Kind.TRADE}:
            paid = prices.get(order_id, 0) if kind is Kind.EXECUTE and price == 0 else price
            untold = Condition.NO_LAST | Condition.NO_HIGH_LOW if kind is Kind.EXECUTE and paid == 0 else 0
            prints.append([ts // interval, paid, quantity, conditions | untold])
        if kind is Kind.TRADE:
            trades.setdefault(order_id, []).append(len(prints) - 1)
        if kind is Kind.TRADE_BREAK and trades.get(order_id):
            prints[trades[order_id][-1]] = None
    bars: dict[int, list[list[int]]] = {}
    for one in prints:
        if one is not None:
            bars.setdefault(one[0], []).append(one)
    out: dict[str, list[Any]] = {name: [] for name in ("ts", "open", "high", "low", "close", "volume")}
    for slot, members in sorted(bars.items()):
        last = [price for _, price, _, conditions in members if not conditions & Condition.NO_LAST]
        if not last:
            continue
        ranged = [price for _, price, _, conditions in members if not conditions & Condition.NO_HIGH_LOW]
        ranged += [last[0], last[-1]]
        volume = sum(quantity for _, _, quantity, conditions in members if not conditions & Condition.NO_VOLUME)
        values = (slot * interval, last[0] / NANOS, max(ranged) / NANOS, min(ranged) / NANOS, last[-1] / NANOS)
        for name, value in zip(out, (*values, volume / NANOS), strict=True):
            out[name].append(value)
    return out


ROWS = st.lists(
    st.tuples(
        st.integers(0, 50),
        st.sampled_from([Kind.ADD, Kind.REPLACE, Kind.EXECUTE, Kind.TRADE, Kind.TRADE_BREAK, Kind.STATUS]),
        st.integers(0, 5).map(lambda price: price * NANOS),
        st.integers(1, 9).map(lambda size: size * NANOS),
        st.integers(1, 4),
        st.integers(0, 7),
    ),
    max_size=50,
)


@given(ROWS, st.integers(1, 20))
def test_bars_equal_the_rule(rows: list[Row], interval: int) -> None:
    ours, other = events(rows) if rows else np.empty(0, EVENT), events([(1, Kind.TRADE, 99 * NANOS, 1, 1, 0)], 7)
    half = len(ours) // 2
    bars = bars_of(prints_of([ours[:half], other, ours[half:]], 0), interval)
    assert {name: column.tolist() for name, column in bars.items()} == slow_bars(rows, interval)


def test_a_minute_by_hand() -> None:
    second = NANOS
    rows: list[Row] = [
        (1 * second, Kind.TRADE, 10 * NANOS, 100 * NANOS, 1, 0),
        (2 * second, Kind.TRADE, 99 * NANOS, 50 * NANOS, 2, 0),  # broken below
        (3 * second, Kind.TRADE, 12 * NANOS, 10 * NANOS, 3, Condition.NO_LAST),
        (4 * second, Kind.TRADE, 5 * NANOS, 10 * NANOS, 4, Condition.NO_HIGH_LOW | Condition.NO_LAST),
        (5 * second, Kind.TRADE, 11 * NANOS, 7 * NANOS, 5, Condition.NO_VOLUME),
        (61 * second, Kind.TRADE_BREAK, 0, 0, 2, 0),
        (62 * second, Kind.TRADE, 13 * NANOS, NANOS, 6, Condition.NO_LAST),  # a minute without a last price: no bar
    ]
    bars = bars_of(prints_of([events(rows)], 0), 60 * second)
    assert {name: column.tolist() for name, column in bars.items()} == {
        "ts": [0],
        "open": [10.0],
        "high": [12.0],
        "low": [10.0],
        "close": [11.0],
        "volume": [120.0],
    }


def test_no_prints_no_bars() -> None:
    assert all(len(column) == 0 for column in bars_of(prints_of([], 0), 1).values())


def test_volumes_beyond_64_bits_are_sums_still() -> None:
    rows: list[Row] = [(1, Kind.TRADE, NANOS, 4 * 10**18, 0, 0)] * 4 + [(1, Kind.TRADE, NANOS, 1, 0, 0)]
    assert bars_of(prints_of([events(rows)], 0), NANOS)["volume"].tolist() == [16e9] == slow_bars(rows, NANOS)["volume"]
