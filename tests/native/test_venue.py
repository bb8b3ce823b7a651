"""The native venue against its slow twin, and what holds whatever comes: conservation, equal feeds, one result."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Book, Instruments
from engine._native.venue import Venue
from engine.core.events import DEPTH, EVENT, Kind, Side
from engine.core.orders import ORDER, REPORT, ReportFlag, ReportKind
from tests.order_flow import random_orders
from tests.reference.venue import Venue as Twin

SEEDS = st.integers(0, 2**32 - 1)
INSTRUMENTS = Instruments(["AAPL", {"symbol": "MSFT", "tick": "0.02", "lot": "1"}])


def assert_equal(left: np.ndarray, right: np.ndarray) -> None:
    for name in left.dtype.names or ():
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)


def assert_same_book(left: Any, right: Any) -> None:
    """Forty levels of both sides; nan where there is none equals nan."""
    for name in DEPTH.names or ():
        np.testing.assert_array_equal(left.depth(40)[name], right.depth(40)[name], err_msg=name)


@settings(max_examples=300, deadline=None)
@given(SEEDS, st.integers(0, 150))
def test_reports_and_events_equal_the_twins(seed: int, count: int):
    draw = random.Random(seed)
    venue, twin = Venue(INSTRUMENTS, events=True, venue="XNAS"), Twin(INSTRUMENTS, venue_id=1)
    public = [Book(by="order"), Book(by="order")]
    for _ in range(3):
        orders = random_orders(draw, count)
        assert_equal(venue.apply(orders), twin.apply(orders))
        events = venue.take_events()
        assert_equal(events, twin.take_events())
        for number, symbol in enumerate(INSTRUMENTS.symbols):
            public[number].apply(events[events["instrument"] == number])
            assert_same_book(public[number], venue[symbol])
        if draw.random() < 0.5:
            number, halted = draw.randrange(2), draw.random() < 0.5
            (venue.halt if halted else venue.resume)(number, 5)
            twin.halt(number, 5, halted)
        if draw.random() < 0.3:
            assert_equal(venue.expire(7), twin.expire(7))
    assert all(book.counts["unknown_order"] == book.counts["duplicate_order"] == 0 for book in public)


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_money_and_quantity_are_conserved(seed: int):
    draw = random.Random(seed)
    venue = Venue(INSTRUMENTS)
    reports = np.concatenate([venue.apply(random_orders(draw, 200)), venue.expire(0)])
    fills = reports[reports["kind"] == ReportKind.FILL]
    trades = defaultdict(list)
    for fill in fills:
        trades[fill["execution_id"]].append(fill)
    for maker, taker in trades.values():
        assert (maker["price"], maker["quantity"], maker["instrument"]) == (
            *(taker["price"], taker["quantity"]),
            taker["instrument"],
        )
        assert {int(maker["side"]), int(taker["side"])} == {Side.BID, Side.ASK}
        assert maker["flags"] & ReportFlag.MAKER
        assert taker["flags"] & ReportFlag.TAKER
    assert sorted(trades) == list(range(1, len(trades) + 1))
    live: dict[int, list[int]] = {}  # order id -> total, filled
    for report in reports:
        kind, number = report["kind"], int(report["order_id"])
        quantity, leaves, cumulative = (int(report[name]) for name in ("quantity", "leaves", "cumulative"))
        if kind == ReportKind.REJECTED:
            continue
        if kind == ReportKind.ACCEPTED:
            assert number not in live
            live[number] = [quantity, 0]
        elif kind == ReportKind.REPLACED:
            live[number][0] = quantity
        elif kind == ReportKind.FILL:
            live[number][1] += quantity
        total, filled = live[number]
        ended = quantity if kind in {ReportKind.CANCELLED, ReportKind.EXPIRED} else 0
        assert cumulative == filled
        assert cumulative + leaves + ended == total
        if leaves == 0:
            del live[number]


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_the_result_does_not_depend_on_how_requests_come(seed: int):
    """In one call, in pieces, into a caller's memory that is too small, or one by one."""
    draw = random.Random(seed)
    orders = random_orders(draw, 150)
    whole = Venue(INSTRUMENTS)
    expected = whole.apply(orders)
    assert len(expected) == 0 or expected["flags"][-1] & ReportFlag.LAST
    assert int((expected["flags"] & ReportFlag.LAST > 0).sum()) == len(orders)
    room = np.zeros(len(expected), REPORT)
    exact = Venue(INSTRUMENTS).apply(orders, room)
    assert np.shares_memory(exact, room) or not len(room)
    assert_equal(exact, expected)
    small = np.zeros(draw.randrange(len(expected) + 1), REPORT)
    assert_equal(Venue(INSTRUMENTS).apply(orders, small), expected)
    pieces, venue = [], Venue(INSTRUMENTS)
    while len(orders):
        cut = draw.randrange(1, len(orders) + 1)
        pieces.append(venue.apply(orders[:cut], np.zeros(draw.randrange(5), REPORT) if draw.random() < 0.5 else None))
        orders = orders[cut:]
    assert_equal(np.concatenate(pieces), expected)


def test_no_orders_no_reports():
    venue = Venue(INSTRUMENTS, events=True)
    assert len(venue.apply(np.zeros(0, ORDER))) == len(venue.take_events()) == len(venue.take_reports()) == 0
    assert venue.take_events().dtype == EVENT


def test_a_book_of_thousands_grows_and_empties():
    venue = Venue(Instruments(["A"]), events=True)
    orders = np.zeros(20_000, ORDER)
    orders["action"], orders["side"] = 1, 1 + np.arange(20_000) % 2
    orders["order_id"] = np.arange(20_000)
    orders["price"] = (10_000 + np.arange(20_000) % 977 * np.where(orders["side"] == 1, -1, 1) + orders["side"]) * 10**7
    orders["quantity"] = 10**9
    assert set(venue.apply(orders)["kind"]) == {ReportKind.ACCEPTED}
    assert venue["A"].total("bid") == venue["A"].total("ask") == 10_000
    orders["action"] = 2
    assert set(venue.apply(orders)["kind"]) == {ReportKind.CANCELLED}
    assert venue["A"].total("bid") == venue["A"].total("ask") == 0
    assert venue.memory > 0
    assert list(venue.take_events()["kind"][[0, -1]]) == [Kind.ADD, Kind.DELETE]


@pytest.mark.parametrize("name", ["apply", "out"])
def test_other_arrays_are_refused(name: str):
    venue = Venue(INSTRUMENTS)
    orders = np.zeros(2, ORDER)
    for wrong in (np.zeros(2), [1], np.zeros((2, 2), ORDER if name == "apply" else REPORT)):
        with pytest.raises((TypeError, ValueError), match=r"expected|must be"):
            venue.apply(wrong) if name == "apply" else venue.apply(orders, wrong)
