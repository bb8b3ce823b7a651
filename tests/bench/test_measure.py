"""The figures of the suite are the ones it says."""

import math
import time

import pytest

from bench import measure
from bench.measure import MEBIBYTES, MILLISECONDS, NS, RATE, Absent, Contender, Contest, Measured, Result, Row


def row(build, unit=NS, limit=None, **options):
    return Row("key", "title", unit, build, limit, **options)


def result(ours, peer, unit=NS, clock=4.0, limit=None, **options):
    return Result("g", row(None, unit, limit, **options), Measured("engine", ours), [Measured("peer", peer)], clock)


def scripted(name, spans, order, operations=10):
    """A contender whose rounds take the time they are told, and that notes when it was run."""
    waiting = iter(spans)

    def one_round():
        order.append(name)
        return next(waiting)

    return Contender(name, operations, one_round)


def test_contenders_take_turns_and_the_first_round_does_not_count():
    order = []
    ours = scripted("engine", [999, 10, 30, 20], order)
    peer = scripted("peer", [999, 100, 300, 200], order)
    measured = measure.measure("g", row(lambda _: Contest(ours, (peer,))), None, 3)
    assert order == ["engine", "peer", "engine", "peer", "peer", "engine", "engine", "peer"]
    assert measured.ours.values == [1.0, 3.0, 2.0]
    assert (measured.ours.median, measured.ours.best(NS)) == (2.0, 1.0)
    assert measured.times_faster(measured.peers[0]) == 10.0


def test_an_absent_peer_is_reported_and_an_absent_contender_of_ours_measures_nothing():
    order = []
    ours = scripted("engine", [1] * 8, order)
    measured = measure.measure("g", row(lambda _: Contest(ours, (Absent("peer", "not installed"),))), None, 7)
    assert (measured.peers[0].absent, measured.peers[0].values) == ("not installed", [])
    order.clear()
    contest = Contest(Absent("engine", "no data"), (scripted("peer", [1] * 8, order),))
    measured = measure.measure("g", row(lambda _: contest), None, 7)
    assert measured.ours.absent == "no data"
    assert order == []


def test_only_the_run_is_timed():
    def prepare():
        time.sleep(0.02)
        return [1, 2, 3]

    seen = []
    contender = measure.local("engine", 3, prepare, seen.extend)
    assert 0 < contender.round() < 10_000_000
    assert seen == [1, 2, 3]


def test_the_threads_clock_leaves_waiting_out():
    contender = measure.local("engine", 1, lambda: 0.02, time.sleep)
    assert contender.round() > 19_000_000
    measure.use_clock("thread")
    try:
        assert contender.round() < 10_000_000
    finally:
        measure.use_clock("wall")
    with pytest.raises(ValueError, match="expected one of wall, thread"):
        measure.use_clock("sun")


def test_percentiles_are_latencies_that_were_seen():
    spans = list(range(1, 1001))
    assert measure.percentiles(spans) == {"p50": 500.0, "p99": 990.0, "p99.9": 999.0}
    assert measure.percentiles([7]) == {"p50": 7.0, "p99": 7.0, "p99.9": 7.0}


def test_latencies_of_calls_leave_the_clock_out():
    spans = measure.timed_calls((time.sleep, (0.002,)) for _ in range(3))
    assert all(1_900_000 < span < 100_000_000 for span in spans)
    empty = measure.timed_calls((int, ()) for _ in range(1_000))
    assert sorted(empty)[500] < 1_000


@pytest.mark.parametrize(
    ("unit", "operations", "measured", "value"),
    [(NS, 4, 100, 25.0), (RATE, 1_000, 10_000, 100.0), (MILLISECONDS, 1, 3_000_000, 3.0), (MEBIBYTES, 1, 2**21, 2.0)],
)
def test_units(unit, operations, measured, value):
    assert measure.in_unit(unit, operations, measured) == value


def test_the_reference_clock_keeps_cycles():
    slow = result([10.0], [80.0], clock=3.0, limit=5.0)
    assert slow.at_reference_clock(10.0) == 7.5
    assert slow.times_limit() == 1.5
    rate = result([60.0], [6.0], RATE, clock=3.0, limit=160.0)
    assert rate.at_reference_clock(60.0) == 80.0
    assert rate.times_limit() == 2.0
    assert rate.times_faster(rate.peers[0]) == 10.0
    assert rate.ours.best(RATE) == 60.0


def test_what_does_not_follow_the_clock_is_not_scaled():
    assert result([10.0], [80.0], MILLISECONDS, clock=3.0, scaled=False).at_reference_clock(10.0) == 10.0
    assert result([10.0], [80.0], clock=math.nan).at_reference_clock(10.0) == 10.0
    assert result([10.0], [80.0]).times_limit() is None


def test_the_clock_of_this_core_is_plausible():
    assert 0.2 < measure.clock_ghz() < 10.0
