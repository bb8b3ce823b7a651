"""TWAP as users write it: arguments, window, plan."""

from datetime import UTC, datetime, time, timedelta

import numpy as np
import pytest

from engine.execution.algos.twap import TWAP

UNIT = 10**9
NOON = int(datetime(2026, 11, 20, 17, tzinfo=UTC).timestamp()) * UNIT  # in New York
HOUR = 3_600 * UNIT


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"slices": 0}, "slices is 0; expected a whole number from 1 to 100,000"),
        ({"slices": 2.5}, "slices is 2.5"),
        ({"duration": "15"}, "duration is '15'; expected a timedelta or text"),
        ({"duration": "0s"}, "duration is 0; expected more"),
        ({"end": "16:00", "duration": "15m"}, "end is '16:00' and duration '15m'; expected one of them"),
        ({"end": "4pm"}, "end is '4pm'"),
        ({"start": datetime(2026, 1, 1)}, "start is .*without a zone"),  # noqa: DTZ001
        ({"start": time(9, tzinfo=UTC)}, "start is .*without a zone, or an instant"),
        ({"jitter": "-1s"}, "jitter is '-1s'"),
        ({"jitter": None}, "jitter is None"),
        ({"size_jitter": 1.5}, "size_jitter is 1.5; expected 0 to 1"),
        ({"band": -0.5}, "band is -0.5; expected 0 to 1"),
        ({"limit": 0}, "limit is 0"),
        ({"min_slice": 100, "max_slice": 50}, "min_slice is 100; expected at most max_slice, 50"),
        ({"style": "fast"}, "style is 'fast'; expected 'passive' or 'cross'"),
        ({"collar_bps": 0}, "collar_bps is 0"),
    ],
)
def test_wrong_arguments(arguments, text):
    with pytest.raises(ValueError, match=text):
        TWAP(**arguments)


@pytest.mark.parametrize(
    ("algo", "text"),
    [
        (TWAP(limit="10.005"), "limit is 10.005; expected a multiple of the tick 0.01"),
        (TWAP(min_slice="1.5"), "min_slice is 1.5; expected a multiple of the lot 1"),
        (TWAP(max_slice="1.5"), "max_slice is 1.5; expected a multiple of the lot 1"),
        (TWAP(slices=3, max_slice=300), "max_slice is 300 and slices 3; expected more slices or bigger ones for 1000"),
    ],
)
def test_what_the_instrument_and_the_quantity_do_not_allow(algo, text):
    with pytest.raises(ValueError, match=text):
        algo.check(1_000 * UNIT, UNIT, UNIT // 100)
    TWAP(slices=4, max_slice=300, min_slice=100, limit="10.01").check(1_000 * UNIT, UNIT, UNIT // 100)


def test_times_of_day_become_instants():
    algo = TWAP(start="12:15", end=time(13, 0))
    assert algo.to_dict()["end"] == "13:00:00"
    algo = algo.resolve(NOON)
    assert (algo.start, algo.end) == (NOON + HOUR // 4, NOON + HOUR)
    assert algo.resolve(NOON) == algo
    assert algo.window(NOON, 0, 0) == (NOON + HOUR // 4, NOON + HOUR)
    same = TWAP(start=datetime(2026, 11, 20, 17, 15, tzinfo=UTC), end=np.datetime64("2026-11-20T18:00"))
    assert same == algo


@pytest.mark.parametrize(
    ("algo", "text"),
    [
        (TWAP(), "neither end nor duration"),
        (TWAP(end="11:59"), "end is '11:59', .*; expected after start and now"),
        (TWAP(start="14:00", end="13:00"), "end is '13:00'"),
    ],
)
def test_a_window_that_cannot_be(algo, text):
    with pytest.raises(ValueError, match=text):
        algo.resolve(NOON)


def test_the_window_lies_within_the_session():
    algo = TWAP(duration=timedelta(hours=2))
    assert algo.window(NOON, 0, 0) == (NOON, NOON + 2 * HOUR)
    assert algo.window(NOON, NOON + HOUR, NOON + 2 * HOUR) == (NOON + HOUR, NOON + 2 * HOUR)
    late = TWAP(start="12:15", end="13:00").resolve(NOON)
    assert late.window(NOON + HOUR // 2, 0, 0) == (NOON + HOUR // 2, NOON + HOUR)


def test_the_plan_is_pure_and_seeded():
    algo = TWAP(slices=10)
    plan = algo.plan(1_000, NOON, NOON + HOUR, seed=1)
    assert plan.tolist() == algo.plan(1_000, NOON, NOON + HOUR, seed=1).tolist()
    assert plan.tolist() != algo.plan(1_000, NOON, NOON + HOUR, seed=2).tolist()
    assert plan["quantity"].sum() == 1_000 * UNIT
    middles = NOON + HOUR * (2 * np.arange(10) + 1) // 20
    assert abs(plan["ts"] - middles).max() <= 10 * UNIT
    assert plan["ts"].dtype == plan["quantity"].dtype == np.int64
    even = TWAP(slices=4, jitter="0s", size_jitter=0).plan("0.5", NOON, NOON + HOUR, lot="0.1")
    assert even["quantity"].tolist() == [UNIT // 10, 2 * UNIT // 10, UNIT // 10, UNIT // 10]


def test_a_plan_that_cannot_be():
    with pytest.raises(ValueError, match=r"quantity is 10.5; expected a multiple of the lot 1"):
        TWAP().plan(10.5, NOON, NOON + HOUR)
    with pytest.raises(ValueError, match=r"start is .* expected at least 1 ns"):
        TWAP().plan(10, NOON, NOON)
