from hypothesis import given
from hypothesis import strategies as st

from engine._native.latency import Histogram
from engine.feeds.latency import HOPS, ClockOffset, LineLatency, summary

S = 1_000_000_000


def test_a_summary_names_count_mean_and_percentiles():
    histogram = Histogram()
    for value in range(1, 101):
        histogram.record(value)
    found = summary(histogram)
    assert found == {
        "count": 100,
        "negative": 0,
        "mean": 50.5,
        "min": 1,
        "p50": 50,
        "p95": 95,
        "p99": 99,
        "p99_9": 100,
        "max": 100,
    }


def test_a_line_reports_every_hop_and_the_stated_error():
    latency = LineLatency()
    latency.decoded.record(120)
    report = latency.report()
    assert [hop for hop in report if hop in HOPS] == list(HOPS)
    assert report["decoded"]["p50"] == 120
    assert report["total"]["count"] == 0
    assert report["relative_error"] == 1 / 64
    assert report["clock"] == {"offset_ns": None, "error_ns": None, "round_trip_ns": None}


@given(
    st.integers(-10 * S, 10 * S),
    st.lists(st.integers(0, S), min_size=1, max_size=20),
    st.lists(st.integers(0, S), min_size=1, max_size=20),
)
def test_the_offset_lies_within_its_error(offset, ways, extra):
    """Ways out of a message and extra time of a round trip: a round trip is never faster than the fastest way."""
    clock = ClockOffset()
    for way in ways:
        clock.delay(offset + way, 5 * S)
    for more in extra:
        clock.round_trip(min(ways) + more, 5 * S)
    found = clock.report()
    assert abs(found["offset_ns"] - offset) <= found["error_ns"] + 1
    assert clock.least_delay == offset + min(ways)


def test_without_a_round_trip_only_a_bound_is_known():
    clock = ClockOffset()
    clock.delay(-3 * S, 0)
    assert clock.report() == {"offset_ns": -3 * S, "error_ns": None, "round_trip_ns": None}


def test_drift_shows_after_two_windows():
    clock = ClockOffset()
    for second in range(300):
        clock.delay(second * 1_000, 1_000 * S + second * S)
    assert 299_000 - 121_000 <= clock.least_delay <= 299_000 - 59_000


def test_a_quiet_window_forgets_nothing():
    clock = ClockOffset()
    clock.delay(7, S)
    clock.delay(9, 1_000 * S)
    assert clock.least_delay == 7
