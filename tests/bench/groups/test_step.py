from bench.groups import Setting
from bench.groups.step import Desk, child, day
from engine.core.trading import OrderState


def test_every_order_of_the_desk_is_sent_and_none_is_refused():
    desk = Desk()
    spans = desk.run(10)
    assert len(spans) >= 3 * 10  # two quotes and one that takes a second, and slices
    assert min(spans) > 0
    states = {parent.state for parent in desk.trader.parents.values()}
    assert OrderState.FILLED in states
    assert OrderState.REJECTED not in states
    assert not desk.trader.health()["in_doubt"]


def test_the_day_is_filled_and_counted_in_its_own_time():
    ours = day(Setting(smoke=True)).ours
    assert ours.operations == 60_000_000  # microseconds of a minute: M/s is times real time
    assert ours.round() > 0


def test_a_quantile_is_one_of_the_spans():
    ours = child("p99")(Setting(smoke=True)).ours
    assert ours.round() in ours.latencies()
