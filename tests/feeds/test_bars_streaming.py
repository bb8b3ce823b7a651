"""``engine.Bars`` against the rule followed one print at a time, against ``bars_of``, and against recorded bars."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.events import EVENT, Condition, Kind
from engine.core.units import NANOS
from engine.feeds import bars as bars_module
from engine.feeds.bars import Bar, Bars, bars_of, prints_of

Row = tuple[int, int, Kind, int, int, int, int, int]
NAMES = ("ts_event", "ts_recv", "kind", "price", "quantity", "order_id", "conditions", "instrument")


def events(rows: list[Row]) -> np.ndarray:
    array = np.zeros(len(rows), EVENT)
    for name, column in zip(NAMES, zip(*rows, strict=True), strict=False):
        array[name] = column
    return array


class SlowBars:
    """The twin: one event after the other, every print kept."""

    def __init__(self, interval: int, delay: int) -> None:
        self.interval, self.delay = interval, delay
        self.prints: dict[int, list[tuple[int, int, int, int, int, bool]]] = {}
        self.mark: dict[int, int] = {}
        self.counts = {"prints": 0, "late": 0, "broken": 0, "unbroken": 0}

    def update(self, row: Row) -> list[Bar]:
        ts, received, kind, price, quantity, order_id, conditions, instrument = row
        held = self.prints.setdefault(instrument, [])
        if kind is Kind.TRADE_BREAK:
            same = [at for at, one in enumerate(held) if one[5] and one[4] == order_id]
            self.counts["broken" if same else "unbroken"] += 1
            if same:
                del held[same[-1]]
            return []
        if kind not in {Kind.TRADE, Kind.EXECUTE}:
            return []
        slot = ts // self.interval
        if instrument in self.mark and slot < (self.mark[instrument] - self.delay) // self.interval:
            self.counts["late"] += 1
            return []
        self.counts["prints"] += 1
        if kind is Kind.EXECUTE and price == 0:
            conditions |= Condition.NO_LAST | Condition.NO_HIGH_LOW
        held.append((slot, price, quantity, conditions, order_id, kind is Kind.TRADE))
        shown = min(ts, received) if received > 0 else ts
        self.mark[instrument] = max(self.mark.get(instrument, shown), shown)
        return self.close(instrument, self.mark[instrument])

    def close(self, instrument: int, now: int | None) -> list[Bar]:
        held, bars = self.prints[instrument], []
        for slot in sorted({one[0] for one in held}):
            if now is not None and slot >= (now - self.delay) // self.interval:
                continue
            ours = [one for one in held if one[0] == slot]
            held[:] = [one for one in held if one[0] != slot]
            last = [one[1] for one in ours if not one[3] & Condition.NO_LAST]
            if last:
                ranged = [one[1] for one in ours if not one[3] & Condition.NO_HIGH_LOW] + [last[0], last[-1]]
                sizes = [one[2] for one in ours if not one[3] & Condition.NO_VOLUME]
                prices = [price / NANOS for price in (last[0], max(ranged), min(ranged), last[-1])]
                bars.append(Bar(slot * self.interval, *prices, sum(sizes) / NANOS, len(sizes), instrument))
        return bars


ROWS = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.integers(0, 60),
        st.sampled_from([Kind.TRADE, Kind.TRADE, Kind.EXECUTE, Kind.TRADE_BREAK, Kind.LEVEL]),
        st.integers(0, 5).map(lambda price: price * NANOS),
        st.integers(1, 9).map(lambda size: size * NANOS),
        st.integers(1, 4),
        st.integers(0, 7),
        st.integers(0, 1),
    ),
    max_size=40,
)


@pytest.mark.parametrize("few", [0, 4, 64])  # up to how many events go one by one
@given(rows=ROWS, interval=st.integers(1, 20), delay=st.integers(0, 15), data=st.data())
def test_any_batches_give_what_the_twin_gives(few: int, rows: list[Row], interval: int, delay: int, data: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bars_module, "_FEW", few)
        compare(rows, interval, delay, data)


def compare(rows: list[Row], interval: int, delay: int, data: Any) -> None:
    bars, slow = Bars(f"{interval}ns", delay=f"{delay}ns"), SlowBars(interval, delay)
    expected = [bar for row in rows for bar in slow.update(row)]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    parts = [rows[start:end] for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    found = [bar for part in parts if part for bar in bars.update(events(part))]
    assert bars.counts == slow.counts

    def by_instrument(many: list[Bar]) -> list[Bar]:
        return sorted(many, key=lambda bar: bar.instrument)  # stable: the order of closing stays

    assert by_instrument(found) == by_instrument(expected)
    rest = [bar for instrument in sorted(slow.prints) for bar in slow.close(instrument, None)]
    for instrument in (0, 1):
        newest = [bar for bar in rest if bar.instrument == instrument][-1:]
        assert [bars.forming(instrument)] == (newest or [None])
    assert bars.close() == rest


@given(ROWS, st.integers(1, 20))
def test_with_delay_enough_the_bars_are_those_of_the_recording(rows: list[Row], interval: int) -> None:
    bars = Bars(f"{interval}ns", delay="1s")
    found = [bar for row in rows for bar in bars.update(events([row]))] + bars.close()
    for instrument in (0, 1):
        table = bars_of(prints_of([events(rows)] if rows else [], instrument), interval)
        ours = [bar for bar in found if bar.instrument == instrument]
        for at, name in enumerate(("ts", "open", "high", "low", "close", "volume")):
            assert [bar[at] for bar in ours] == table[name].tolist()


def trade(ts: int, price: int, *, order_id: int = 0, received: int = 0) -> Row:
    return (ts, received, Kind.TRADE, price * NANOS, NANOS, order_id, 0, 0)


def test_time_closes_bars_too_and_what_comes_after_is_late() -> None:
    bars = Bars("10ns", delay="2ns")
    assert bars.update(events([trade(3, 7)])) == []
    assert bars.close(11) == []
    assert bars.close(12) == [Bar(0, 7.0, 7.0, 7.0, 7.0, 1.0, 1, 0)]
    assert bars.close(12) == []
    assert bars.update(events([trade(9, 8)])) == []
    assert bars.counts["late"] == 1
    assert bars.update(events([trade(11, 9)])) == []
    assert bars.forming(0) == Bar(10, 9.0, 9.0, 9.0, 9.0, 1.0, 1, 0)
    assert bars.forming(1) is None


def test_a_stamp_in_the_future_closes_nothing() -> None:
    bars = Bars("10ns")
    assert bars.update(events([trade(3, 7, received=4), trade(999, 8, received=5), trade(6, 9, received=7)])) == []
    assert [bar.close for bar in bars.update(events([trade(11, 1, received=12)]))] == [9.0]


def test_too_many_prints_are_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars_module, "PRINTS", 8)
    rows = [trade(at, 1 + at * 7 % 13, order_id=at) for at in range(30)]
    bars, plain = Bars("20ns"), bars_of(prints_of([events(rows)], 0), 20)
    found = [bar for row in rows for bar in bars.update(events([row]))]
    assert bars._forming[0]._held <= 8
    bars.update(events([(30, 0, Kind.TRADE_BREAK, 0, 0, 20, 0, 0)]))
    assert bars.counts["unbroken"] == 1
    found += bars.close()
    assert [bar[:6] for bar in found] == list(zip(*(plain[name].tolist() for name in plain), strict=True))


def test_an_interval_is_a_positive_duration() -> None:
    with pytest.raises(ValueError, match=r"interval is '0s'; expected a positive duration"):
        Bars("0s")
    with pytest.raises(ValueError, match="delay is '-1s'"):
        Bars("1m", delay="-1s")


def lean_rows(path: Path, columns: int) -> list[list[str]]:
    """The rows of the one file in an archive."""
    with zipfile.ZipFile(path) as archive:
        lines = archive.read(archive.namelist()[0]).decode().split()
    rows = [line.split(",") for line in lines]
    assert {len(row) for row in rows} == {columns}
    return rows


def lean_events(path: Path) -> np.ndarray:
    """Trades that are not suspicious. Condition bit 0x1 marks those that may set a price (data/README.md)."""
    rows = np.array([row for row in lean_rows(path, 6) if row[5] == "0"])
    array = np.zeros(len(rows), EVENT)
    array["ts_event"] = rows[:, 0].astype(np.int64) * 1_000_000
    array["price"] = rows[:, 1].astype(np.int64) * 100_000
    array["quantity"] = rows[:, 2].astype(np.int64) * NANOS
    array["kind"] = Kind.TRADE
    eligible = np.array([int(text, 16) & 1 for text in rows[:, 4]], bool)
    array["conditions"] = np.where(eligible, 0, Condition.NO_LAST | Condition.NO_HIGH_LOW)
    return array


def minutes(array: np.ndarray) -> dict[int, list[float]]:
    """Open, high, low, close, volume of each minute, by its first millisecond; built piece by piece."""
    bars = Bars("1m")
    closed = [bar for piece in np.array_split(array, 50) for bar in bars.update(piece)] + bars.close()
    assert bars.counts["late"] == 0
    return {bar.ts // 1_000_000: list(bar[1:6]) for bar in closed}


def recorded_minutes(path: Path) -> dict[int, list[float]]:
    rows = np.array(lean_rows(path, 6), np.int64)
    return {int(row[0]): [*(row[1:5] / 10_000).tolist(), float(row[5])] for row in rows}


def test_bars_of_recorded_trades_are_the_recorded_bars(data: Callable[[str], Path]) -> None:
    """The counts are those data/README.md gives: the exceptions are auctions and a few prints of the provider's."""
    volumes = bars = closes = prices = regular = 0
    for path in sorted(data("us_equity_lean").glob("tick/*/*_trade.zip")):
        recorded = recorded_minutes(Path(str(path).replace("/tick/", "/minute/")))
        array = lean_events(path)
        if path.parent.name == "ibm":
            built = minutes(array)
            session = [ms for ms in recorded if 34_260_000 <= ms < 57_540_000]  # 09:31 to 15:58
            regular += len(session)
            closes += sum(built[ms][3] == recorded[ms][3] for ms in session)
            prices += sum(built[ms][:4] == recorded[ms][:4] for ms in session)
        array["conditions"] = 0  # the recorded volume counts every minute, also those no trade of which sets a price
        built = minutes(array)
        assert set(built) >= set(recorded)
        bars += len(recorded)
        volumes += sum(built[ms][4] == recorded[ms][4] for ms in recorded)
    assert (volumes, bars) == (5760, 5792)
    assert (prices, closes, regular) == (1932, 1939, 1939)
