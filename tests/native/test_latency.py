import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine._native.latency import Delays, Histogram
from tests.reference.delays import Delays as Slow
from tests.reference.latency import Latencies

DURATIONS = st.one_of(st.integers(0, 200), st.integers(0, 2**42 - 1), st.integers(0, 10**6))
FRACTIONS = [0.0, 0.001, 0.25, 0.5, 0.95, 0.99, 0.999, 1.0]


def filled(values):
    histogram, twin = Histogram(), Latencies()
    for value in values:
        histogram.record(value)
        twin.record(value)
    return histogram, twin


@given(st.lists(DURATIONS, min_size=1, max_size=60))
def test_readings_agree_with_the_twin(values):
    histogram, twin = filled(values)
    assert histogram.count == len(values)
    assert histogram.min == min(values)
    assert histogram.max == max(values)
    assert histogram.mean == pytest.approx(twin.mean)
    for fraction in FRACTIONS:
        exact = twin.quantile(fraction)
        assert abs(histogram.quantile(fraction) - exact) <= exact * Histogram.RELATIVE_ERROR


@given(st.lists(st.integers(-(2**40), 2**40), max_size=40), st.lists(st.integers(-(2**40), 2**40), max_size=40))
def test_merging_is_recording_both(first, second):
    merged, _ = filled(first)
    merged.merge(filled(second)[0])
    many = Histogram()
    many.record_many(np.array([*first, *second], np.int64))
    assert (merged.count, merged.negative, merged.min, merged.max) == (many.count, many.negative, many.min, many.max)
    assert [merged.quantile(q) for q in FRACTIONS] == [many.quantile(q) for q in FRACTIONS]
    assert many.negative == sum(value < 0 for value in [*first, *second])


@given(st.integers(0, 2**42 - 1))
def test_a_value_is_found_again_within_the_error(value):
    histogram = Histogram()
    for other in (0, value, 2**42 - 1):
        histogram.record(other)
    assert abs(histogram.quantile(0.5) - value) <= value / 128


def test_small_values_are_exact():
    histogram, twin = filled(range(128))
    assert [histogram.quantile(q) for q in FRACTIONS] == [twin.quantile(q) for q in FRACTIONS]


def test_what_is_too_long_is_counted_and_the_longest_is_exact():
    histogram, _ = filled([5, 2**42, 2**62])
    assert histogram.count == 3
    assert histogram.max == 2**62
    assert histogram.quantile(1.0) == 2**62


def test_negative_values_stand_before_all_others():
    histogram, _ = filled([-7, -3, 10])
    assert histogram.negative == 2
    assert histogram.min == -7
    assert histogram.mean == 0.0
    assert histogram.quantile(0.5) == -7
    assert histogram.quantile(1.0) == 10


def test_empty_and_cleared():
    histogram, _ = filled([3])
    histogram.clear()
    assert (histogram.count, histogram.min, histogram.max, histogram.mean, histogram.quantile(0.5)) == (0, 0, 0, 0.0, 0)
    histogram.record_many(np.empty(0, np.int64))
    assert histogram.count == 0


def test_arguments_are_checked():
    histogram = Histogram()
    with pytest.raises(ValueError, match=r"fraction is 1\.5; expected 0 to 1"):
        histogram.quantile(1.5)
    with pytest.raises(ValueError, match="fraction is nan"):
        histogram.quantile(float("nan"))
    with pytest.raises(TypeError, match="expected integers"):
        histogram.record_many(np.array([1.5]))
    with pytest.raises(TypeError):
        histogram.record("1")


def test_the_stated_error_is_one_in_64():
    assert Histogram.RELATIVE_ERROR == 1 / 64


@given(
    st.lists(st.tuples(st.sampled_from(["delay", "round_trip"]), st.integers(-(10**12), 10**12), st.integers(0, 40)))
)
def test_least_delays_agree_with_the_twin(steps):
    native, twin, now = Delays(), Slow(), 0
    for kind, ns, seconds in steps:
        now += seconds * 10**9
        getattr(native, kind)(ns, now)
        twin.record(kind, ns, now)
        assert (native.least_delay, native.least_trip) == (twin.least("delay"), twin.least("round_trip"))
