"""Frames on their way, and what happens to them there."""

from __future__ import annotations

from typing import Any

from engine.sim.delivery import Delivery
from engine.sim.draws import Draws
from engine.sim.faults import Fault
from engine.sim.market import NEVER
from engine.sim.providers.protocol import Close, Send
from engine.sim.truth_log import Closed


class Way(Delivery):
    def __init__(self, *connections: int) -> None:
        self.gone: list[tuple[int, int]] = []
        super().__init__("polygon", Draws(1, 1), lambda *end: self.gone.append(end))
        for connection in connections or (1,):
            self.opened(connection)

    def sends(
        self, *texts: str, now: int = 0, fault: Fault | None = None, market: bool = True, content: str = ""
    ) -> None:
        self.accept([Send(1, text, (), market) for text in texts], now, [fault] if fault else [], content)

    def taken(self, now: int = NEVER - 1) -> list[Any]:
        return [item.code if isinstance(item, Closed) else item.data for item in self.take(now)]


def fault(kind: str, **values: Any) -> Fault:
    return Fault(kind, "polygon", 0, 100, **values)  # type: ignore[arg-type]


def test_frames_are_numbered_and_arrive_at_once():
    way = Way()
    assert way.next_time == NEVER
    way.sends("a", "b", now=5)
    assert way.next_time == 5
    assert way.take(4) == []
    one, two = way.take(5)
    assert (one.number, two.number, one.time, one.fault, one.market) == (1, 2, 5, "", True)


def test_lag_and_jitter_delay_and_nothing_overtakes():
    way = Way()
    way.sends("a", now=0, fault=fault("lag", by=50))
    way.sends("b", now=10)  # the fault is over
    assert [(item.data, item.time, item.fault) for item in way.take(99)] == [("a", 50, "lag"), ("b", 50, "")]
    for now in range(100, 200):
        way.sends(str(now), now=now, fault=fault("jitter", by=30))
    items = way.take(NEVER - 1)
    assert [item.data for item in items] == [str(now) for now in range(100, 200)]
    assert all(0 <= item.time - int(item.data) <= 30 for item in items)
    assert len({item.time - int(item.data) for item in items}) > 5


def test_mute_loses_market_data_only():
    way = Way()
    way.sends("data", fault=fault("mute"))
    way.sends("status", fault=fault("mute"), market=False)
    assert way.taken() == ["status"]


def test_duplicate_reorder_truncate():
    way = Way()
    way.sends("a", fault=fault("duplicate", rate=100))
    items = way.take(0)
    assert [(item.data, item.number, item.fault) for item in items] == [("a", 1, ""), ("a", 2, "duplicate")]
    way.sends("b", fault=fault("reorder", rate=100))
    assert way.taken() == []
    way.sends("status", market=False)  # is no frame to follow
    way.sends("c")
    assert way.taken() == ["status", "c", "b"]
    way.sends("d", fault=fault("reorder", rate=100))
    way.flush(7)
    assert way.taken() == ["d"]
    way.sends("0123456789", fault=fault("truncate", rate=100))
    (item,) = way.take(7)
    assert "0123456789".startswith(item.data)
    assert 1 <= len(item.data) < 10
    assert item.fault == "truncate"


def test_rates_are_percents():
    way = Way()
    way.sends(*["a"] * 1_000, fault=fault("duplicate", rate=20))
    assert 1_150 < len(way.taken()) < 1_250


def test_a_name_of_changed_contents_stays_with_the_frame():
    way = Way()
    way.sends("a", content="crossed")
    way.sends("b", content="crossed", market=False)
    assert [item.fault for item in way.take(0)] == ["crossed", ""]


def test_a_close_comes_behind_what_is_on_its_way_and_a_drop_loses_it():
    way = Way(1, 2)
    way.sends("a", fault=fault("lag", by=50))
    way.accept([Close(1, 1000, "bye"), Send(1, "late")], 10, [])
    assert way.gone == [(1, 10)]
    assert way.taken(49) == []
    assert way.taken(50) == ["a", 1000]
    way.accept([Send(2, "a")], 60, [fault("lag", by=50)])
    way.drop(2, 60, "gone")
    assert way.taken() == [None]
    assert way.gone == [(1, 10), (2, 60)]
    assert way.connections == []
    way.drop(2, 70, "again")
    way.close(2, 70, 1000, "again")
    assert way.taken() == []


def test_a_half_open_connection_is_silent_until_it_is_dropped():
    way = Way(1, 2)
    way.sends("on its way", fault=fault("lag", by=50))
    way.kill(1)
    way.kill(9)
    way.sends("lost")
    assert way.taken() == []
    assert not way.is_open(1)
    assert way.connections == [1, 2]
    way.drop(1, 80, "half_open")
    assert way.taken() == [None]
    way.kill(2)
    way.client_closed(2, 90)  # the server does not learn it
    assert way.gone == [(1, 80)]
    way.drop(2, 100, "half_open")
    assert way.taken() == []  # nobody is there to be told
    assert way.gone == [(1, 80), (2, 100)]


def test_a_client_that_goes_takes_its_frames_along():
    way = Way()
    way.sends("a", fault=fault("lag", by=50))
    way.client_closed(1, 10)
    assert way.gone == [(1, 10)]
    assert way.taken() == []
    way.client_closed(1, 11)
    assert way.gone == [(1, 10)]
