"""Prices to take and to join: on the tick, inside the limit, whatever the book."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.execution.algos.pricing import far_side, join_price, take_price
from engine.execution.planner import View
from tests.execution.algos.desk import CENT, UNIT, book


def view(side="buy", price=0, top=None, tick=CENT):
    return View(side, UNIT, 0, UNIT, price, top, (), tick, UNIT, 0, 0)


@pytest.mark.parametrize(
    ("side", "limit", "top", "expected"),
    [
        ("buy", 0, book(), 10_000),
        ("sell", 0, book(), 10_002),
        ("buy", 99_99, book(), 9_999),
        ("sell", 100_05, book(), 10_005),
        ("buy", 0, book(bid=0), 10_001),
        ("buy", 99_50, book(bid=0), 9_950),
        ("buy", 100_50, book(bid=0), 10_050),
        ("sell", 0, book(ask=0), 10_001),
        ("buy", 0, book(state="stale"), 0),
        ("sell", 0, None, 0),
        ("sell", 0, book(bid=0, ask=0), 0),
        ("sell", 100_00, book(bid=0, ask=0), 10_000),
    ],
)
def test_joining_the_near_touch(side, limit, top, expected):
    assert join_price(view(side, limit * CENT, top)) == expected * CENT


def test_the_far_side_of_a_book_that_cannot_be_trusted_is_none():
    assert far_side(view(top=book())) == 10_002 * CENT
    assert far_side(view("sell", top=book())) == 10_000 * CENT
    assert far_side(view(top=book(state="stale"))) == far_side(view()) == 0


def test_a_sale_reaches_down_to_one_tick_at_most():
    assert take_price(view("sell", top=book(bid=1, ask=2, levels=1, shown=1)), 5 * UNIT, 20_000 * UNIT) == CENT


@given(
    side=st.sampled_from(["buy", "sell"]),
    bid=st.integers(1, 10**6),
    spread=st.integers(-5, 1000),
    tick=st.sampled_from([1, 3, 10**6, CENT, 5 * CENT]),
    limit=st.integers(0, 2 * 10**6),
    collar=st.integers(1, 5_000),
    quantity=st.integers(1, 5_000),
    levels=st.integers(1, 5),
)
def test_taking_and_joining_hold_the_rules(side, bid, spread, tick, limit, collar, quantity, levels):
    top = book(bid + 5, max(bid + 5 + spread, 1), levels=levels)
    asked = view(side, -(-limit * CENT // tick) * tick, top, tick)
    take, join = take_price(asked, quantity * UNIT, collar * UNIT), join_price(asked)
    for price in (take, join):
        assert price % tick == 0
        if asked.price:
            assert price <= asked.price if side == "buy" else price >= asked.price
    assert take > 0
    far = top.ask if side == "buy" else top.bid
    apart = take - far if side == "buy" else far - take
    assert apart * 10_000 <= far * collar or apart < tick
    if not asked.price:
        assert apart > -tick  # it reaches the touch
