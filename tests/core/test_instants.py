from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any

import numpy as np
import pytest

from engine.core.instants import instant_ns
from engine.core.units import NANOS

NOW = 1_767_623_400 * NANOS  # 2026-01-05 09:30 in New York, 14:30 UTC


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (17, 17),
        (np.int64(17), 17),
        (datetime(2026, 1, 5, 14, 30, 0, 5, tzinfo=UTC), NOW + 5_000),
        (np.datetime64("2026-01-05T14:30:00.000000007"), NOW + 7),
        (np.datetime64("2026-01-05"), NOW - 52_200 * NANOS),
        ("09:30", NOW),
        ("9:31", NOW + 60 * NANOS),
        ("15:55:30", NOW + 23_130 * NANOS),
        ("09:30:00.000000001", NOW + 1),
        (time(9, 30, 1), NOW + NANOS),
        (time(14, 30, tzinfo=UTC), NOW),
    ],
)
def test_instants_are_ns(value: Any, expected: int) -> None:
    assert instant_ns(value, now=NOW) == expected


def test_today_is_todays_date_in_the_zone() -> None:
    night = NOW + 20 * 3_600 * NANOS  # 05:30 the next day in New York, 10:30 UTC, 19:30 in Tokyo
    assert instant_ns("09:30", now=night) == NOW + 86_400 * NANOS
    assert instant_ns("09:30", now=night, time_zone="Asia/Tokyo") == night - 10 * 3_600 * NANOS
    summer = 1_783_346_400 * NANOS  # 2026-07-06 10:00 in New York, four hours behind UTC
    assert instant_ns("10:00", now=summer) == summer


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (datetime(2026, 1, 5), ValueError, "without a zone"),  # noqa: DTZ001 - a naive one is meant
        (np.datetime64("NaT"), ValueError, "NaT"),
        ("25:00", ValueError, "'25:00'; expected int ns, an aware datetime"),
        ("noon", ValueError, "'noon'"),
        (1.5, TypeError, "1.5"),
        (True, TypeError, "True"),
        (timedelta(1), TypeError, "timedelta"),
    ],
)
def test_anything_else_is_refused(value: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        instant_ns(value, now=NOW, name="at")


def test_a_zone_of_ones_own() -> None:
    assert instant_ns(datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), now=0) == 0
