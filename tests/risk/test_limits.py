"""Limits: checked when set, plain in the journal."""

from decimal import Decimal

import pytest

from engine.risk.limits import Limits


def test_plain_form_and_back():
    limits = Limits(order_quantity="1000.5", collar_bps=50, restricted=["GME"], data_age="2s", daily_loss=None)
    plain = limits.to_dict()
    assert Limits.from_dict(plain) == Limits(**{**plain, "restricted": ("GME",)})
    assert plain["order_quantity"] == "1000.5"
    assert plain["data_age"] == "2000000000ns"
    assert Limits.from_dict(plain).to_dict() == plain


def test_numbers_mean_the_same_however_they_are_written():
    same = {Limits(order_notional=value) for value in (200_000, 200_000.0, "200000.00", Decimal("2e5"))}
    assert len(same) == 1
    assert same.pop().nanos("order_notional") == 200_000 * 10**9


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("order_quantity", 0),
        ("order_quantity", True),
        ("order_notional", "many"),
        ("collar_bps", -1),
        ("orders_per_second", 0),
        ("orders_per_second", 1.5),
        ("orders_per_minute", True),
        ("data_age", 3),
        ("data_age", "0s"),
        ("duplicate_window", None),
        ("session", "yes"),
        ("restricted", "GME"),
        ("restricted", [3]),
        ("daily_loss", float("nan")),
    ],
)
def test_what_is_wrong_is_named_with_its_value(name, value):
    with pytest.raises(ValueError, match=name) as caught:
        Limits(**{name: value})
    assert repr(value) in str(caught.value)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"limit 'order_size' is not known; expected some of order_quantity"):
        Limits.from_dict({"order_size": 3})
