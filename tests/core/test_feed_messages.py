from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.feed_messages import codes, decimal, epoch_ns, instant_ns, text, whole


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        (1_536_036_818_784, 1_536_036_818_784_000_000),  # ms
        (1_601_316_752_683_746, 1_601_316_752_683_746_000),  # us: Polygon's LULD sample
        (1_601_316_752_683_746_123, 1_601_316_752_683_746_123),  # ns: Polygon's LULD on the wire
        (0, 0),
    ],
)
def test_times_are_told_apart_by_their_size(value, ns):
    assert epoch_ns(value) == ns


@pytest.mark.parametrize("value", [-1, 1.5, "1", None, True, 2**64, 2**63])
def test_no_times(value):
    with pytest.raises(ValueError, match=r"no whole number|no time|outside 64 bits"):
        epoch_ns(value)


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        ("2021-02-22T15:51:44.208Z", 1_614_009_104_208_000_000),
        ("2021-02-22T19:15:00Z", 1_614_021_300_000_000_000),
        ("2023-04-06T14:25:06.542305024Z", 1_680_791_106_542_305_024),
        ("2021-02-22T10:51:44.2-05:00", 1_614_009_104_200_000_000),
        (msgpack.Timestamp(1_614_009_104, 7), 1_614_009_104_000_000_007),
    ],
)
def test_instants(value, ns):
    assert instant_ns(value) == ns


NO_INSTANTS = ["", "2021-02-22", "2021-02-22T15:51:44", "2021-13-22T15:51:44Z", "2021-02-22T15:51:44.Z", 5, None]
NO_INSTANTS += ["2021-02-22T15:51:44.0123456789Z", "2021-02-22 15:51:44.1Z", "x" * 30, "9999-02-22T15:51:44Z" * 2]
NO_INSTANTS += ["0001-01-01T00:00:00Z", "9999-01-01T00:00:00Z"]


@pytest.mark.parametrize("value", NO_INSTANTS)
def test_no_instants(value):
    with pytest.raises(ValueError, match=r"RFC 3339|no time zone|outside 64 bits"):
        instant_ns(value)


@given(st.integers(0, 2**63 - 1))
def test_any_instant_comes_back(ns):
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=ns // 10**9)
    assert instant_ns(f"{moment:%Y-%m-%dT%H:%M:%S}.{ns % 10**9:09d}Z") == ns


def test_numbers():
    assert decimal(0.1) == Decimal("0.1")
    assert decimal("100.5") == Decimal("100.5")
    assert decimal(4110) == Decimal(4110)
    for wrong in (None, True, "x", "nan", float("inf"), [], {}):
        with pytest.raises(ValueError, match="no number"):
            decimal(wrong)
    for wrong in (1.0, "1", None, False, 2**64):
        with pytest.raises(ValueError, match="no whole number"):
            whole(wrong)


def test_texts_and_codes():
    assert (text(None), text("a"), text(5)) == ("", "a", "5")
    assert (codes(None), codes([1, "B"]), codes("R")) == ((), ("1", "B"), ("R",))
    for wrong in (1.5, True, {}):
        with pytest.raises(ValueError, match="no text"):
            text(wrong)


@pytest.mark.parametrize("value", ["1e999999999", "-1e-999999999", "1e65", 1e308])
def test_numbers_of_no_sane_size_are_none(value):
    """As an integer or as text they would take all time and memory."""
    with pytest.raises(ValueError, match="is no number"):
        decimal(value)
