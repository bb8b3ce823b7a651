"""What traded, as bars and last values."""

from engine.core.events import Side
from engine.core.units import NANOS
from engine.sim.history import MINUTE, MINUTES_MAX, SECOND, History
from engine.sim.market import NO_TOP, Batch, Print, Slot, Tick, Top


def trade(price, shares):
    return Print(1, Side.BID, price * NANOS, shares * NANOS, 1, hidden=False)


def tick(ts, *prints, nbbo=None):
    return Tick(ts, "A", 1, (), (), nbbo, prints)


def test_bars_of_seconds_minutes_and_the_day():
    history = History(["A", "B"])
    times = [5, SECOND + 1, MINUTE + 2]
    ticks = [tick(ts, trade(10 + place, 100)) for place, ts in enumerate(times)]
    history.add(Batch(MINUTE + 3, [*ticks, tick(MINUTE + 4, trade(1, 50))]))
    assert [bar.start for bar in history.minutes("A")] == [0, MINUTE]
    first, second = history.minutes("A")
    assert (first.open, first.high, first.low, first.close) == (10 * NANOS, 11 * NANOS, 10 * NANOS, 11 * NANOS)
    assert (first.volume, first.count, first.vwap) == (200 * NANOS, 2, 10_500_000_000)
    assert (second.open, second.low, second.volume) == (12 * NANOS, 12 * NANOS, 150 * NANOS)  # odd lots give no price
    assert history.second("A", MINUTE).count == 2
    assert history.second("A", 0) is None
    assert history.minute("A", 2 * MINUTE) is None
    assert history.day("A").volume == 350 * NANOS
    assert history.last("A") == (MINUTE + 4, trade(1, 50))
    first.join(second)
    assert (first.volume, first.high, first.close) == (350 * NANOS, 12 * NANOS, 12 * NANOS)


def test_quotes_and_what_is_unknown():
    history = History(["A"])
    top = Top(Slot(1, 5, 6), Slot(2, 7, 8))
    history.add(Batch(9, [tick(3, nbbo=top)]))
    assert history.quote("A") == (3, top)
    assert history.quote("Z") == (0, NO_TOP)
    assert history.last("Z") is history.day("Z") is history.last("A") is None
    assert history.minutes("Z") == []
    assert history.symbols == ("A",)


def test_old_minutes_go():
    history = History(["A"])
    history.add(Batch(0, [tick(minute * MINUTE, trade(1, 100)) for minute in range(MINUTES_MAX + 5)]))
    kept = history.minutes("A")
    assert len(kept) == MINUTES_MAX
    assert kept[0].start == 5 * MINUTE
    assert kept[0].vwap == NANOS
    assert type(kept[0])(0).vwap == 0
