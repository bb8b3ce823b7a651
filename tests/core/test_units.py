"""Exact conversions, and refusals that name what was expected."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from engine.core.units import NANOS, duration_ns, from_nanos, positive, round_to_step, to_nanos


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (0.1, 100_000_000),
        ("0.000000001", 1),
        (Decimal("-12.5"), -12_500_000_000),
        (9_223_372_036, 9_223_372_036 * NANOS),
        ("9223372036.854775807", 2**63 - 1),
        (np.int64(7), 7 * NANOS),
        (np.uint8(7), 7 * NANOS),
        (np.float64(0.1), 100_000_000),
        (np.float32(0.1), 100_000_000),  # its own shortest text, not the double's beside it
        (np.float16(0.1), 100_000_000),
        (np.longdouble("0.1"), 100_000_000),
    ],
)
def test_numbers_become_exact_counts_and_come_back(value, count):
    assert to_nanos(value) == count
    assert to_nanos(from_nanos(count)) == count


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1e-10", "a multiple of 1e-9"),
        ("1e-1000500", "a multiple of 1e-9"),
        ("nan", "a finite number"),
        (np.float32("inf"), "a finite number"),
        (10**10, "between"),
        (Decimal("-1e999999"), "between"),
        ("9223372036.854775808", "between"),
        ("ten", "a number"),
        (None, "a number"),
        ((0, (1,), 0), "a number"),
        (np.array([1, 2]), "a number"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(value, expected):
    with pytest.raises(ValueError, match=f"price is .*{expected}"):
        to_nanos(value, "price")


@pytest.mark.parametrize(
    ("value", "step", "down", "up"),
    [
        (np.int32(3), "0.3", "3.0", "3.0"),
        (np.float32(101.237), "0.01", "101.23", "101.24"),
        (101.2371234567891, "0.01", "101.23", "101.24"),  # finer than 1e-9: a price computed from others
        (Decimal("1e-999999"), "0.01", "0", "0.01"),
        ("-9223372036", "0.000000001", "-9223372036", "-9223372036"),
    ],
)
def test_steps(value, step, down, up):
    assert round_to_step(value, Decimal(step), up=False) == Decimal(down)
    assert round_to_step(value, Decimal(step), up=True) == Decimal(up)


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        ("250ms", 250_000_000),
        ("15m", 900 * NANOS),
        ("1.5 h", 5_400 * NANOS),
        ("0.1us", 100),
        ("0s", 0),
        (timedelta(days=1, microseconds=3), 86_400 * NANOS + 3_000),
    ],
)
def test_durations_become_nanoseconds(value, ns):
    assert duration_ns(value) == ns


@pytest.mark.parametrize("value", ["", "5", "-1s", "1 day", "0.1ns", timedelta(seconds=-1), 5])
def test_durations_that_are_none_are_refused(value):
    with pytest.raises(ValueError, match="wait is "):
        duration_ns(value, "wait")


def test_positive_numbers_have_the_fewest_digits():
    assert [str(positive(value, "tick")) for value in (0.01, "0.010", 1, "1.0", 1e3)] == [
        "0.01",
        "0.01",
        "1",
        "1",
        "1000",
    ]
    for wrong in (0, -1, "1e-10", "nan"):
        with pytest.raises(ValueError, match="tick is"):
            positive(wrong, "tick")
