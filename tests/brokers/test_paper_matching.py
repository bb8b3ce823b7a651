"""Paper fills: never better than what was shown or printed, never more of it, never beyond the limit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.brokers.paper_matching import PaperMatching
from engine.core.events import EVENT, Condition, Kind, Side
from engine.core.orders import ORDER, Action, OrderFlag, OrderType, Reason, ReportKind, TimeInForce

BIDS = ((99, 300), (98, 500))
ASKS = ((101, 200), (102, 400))


def order(number, side="buy", quantity=100, price=100, *, action=Action.NEW, tif=TimeInForce.DAY, flags=0, kind=0):
    row = np.zeros(1, ORDER)
    row["order_id"], row["owner"], row["action"] = number, 1, action
    row["side"] = Side.BID if side == "buy" else Side.ASK
    row["quantity"], row["price"], row["tif"], row["flags"], row["type"] = quantity, price, tif, flags, kind
    return row


def prints(*trades):
    events = np.zeros(len(trades), EVENT)
    events["kind"] = Kind.TRADE
    for number, (price, quantity, *conditions) in enumerate(trades):
        events[number]["price"], events[number]["quantity"] = price, quantity
        events[number]["conditions"] = sum(conditions)
    return events


def shown(bids=BIDS, asks=ASKS, *, live=True):
    matching = PaperMatching()
    matching.show(0, bids, asks, live=live)
    return matching


def told(reports):
    return [(ReportKind(int(row["kind"])).name, int(row["quantity"]), int(row["price"])) for row in reports]


def test_a_marketable_order_takes_levels_at_their_prices_and_the_rest_stands():
    matching = shown()
    assert told(matching.submit(order(1, quantity=700, price=102))) == [
        ("ACCEPTED", 700, 102),
        ("FILL", 200, 101),
        ("FILL", 400, 102),
    ]
    assert matching.instruments == {0}


def test_what_one_order_took_is_gone_until_the_book_shows_another_quantity_there():
    matching = shown()
    matching.submit(order(1, quantity=150, price=101))
    assert told(matching.submit(order(2, quantity=100, price=101, tif=TimeInForce.IOC)))[1:] == [
        ("FILL", 50, 101),
        ("CANCELLED", 50, 101),
    ]
    matching.show(0, BIDS, ASKS, live=True)
    assert told(matching.submit(order(3, price=101, tif=TimeInForce.IOC)))[1:] == [("CANCELLED", 100, 101)]
    matching.show(0, BIDS, ((101, 180), (102, 400)), live=True)
    assert told(matching.submit(order(4, price=101, tif=TimeInForce.IOC)))[1:] == [("FILL", 100, 101)]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"tif": TimeInForce.FOK, "price": 101, "quantity": 201}, [("ACCEPTED", 201, 101), ("CANCELLED", 201, 101)]),
        (
            {"tif": TimeInForce.FOK, "price": 102, "quantity": 201},
            [("ACCEPTED", 201, 102), ("FILL", 200, 101), ("FILL", 1, 102)],
        ),
        ({"flags": OrderFlag.POST_ONLY, "price": 101}, [("REJECTED", 100, 101)]),
        ({"flags": OrderFlag.POST_ONLY, "price": 100}, [("ACCEPTED", 100, 100)]),
        (
            {"side": "sell", "price": 0, "kind": OrderType.MARKET, "quantity": 350},
            [("ACCEPTED", 350, 0), ("FILL", 300, 99), ("FILL", 50, 98)],
        ),
    ],
)
def test_kinds_of_orders(more, expected):
    assert told(shown().submit(order(1, **more))) == expected


def test_the_queue_ahead_trades_first():
    matching = shown()
    matching.submit(order(1, price=99))
    matching.trades(prints((99, 250)))
    assert told(matching.take_reports()) == []
    matching.trades(prints((99, 90)))
    assert told(matching.take_reports()) == [("FILL", 40, 99)]
    matching.trades(prints((99, 90)))
    assert told(matching.take_reports()) == [("FILL", 60, 99)]
    assert matching.instruments == frozenset()


def test_the_queue_ahead_is_never_longer_than_what_is_displayed():
    matching = shown()
    matching.submit(order(1, price=99))
    matching.show(0, ((99, 20), (98, 500)), ASKS, live=True)
    matching.trades(prints((99, 30)))
    assert told(matching.take_reports()) == [("FILL", 10, 99)]


def test_a_print_or_a_quote_through_the_price_fills_at_the_limit_with_what_there_was():
    matching = shown()
    matching.submit(order(1, price=99))
    matching.trades(prints((98, 30)))
    assert told(matching.take_reports()) == [("FILL", 30, 99)]
    matching.show(0, ((97, 100),), ((98, 50),), live=True)
    assert told(matching.take_reports()) == [("FILL", 50, 99)]


def test_prints_that_say_nothing_of_the_book_fill_nothing():
    matching = shown()
    matching.submit(order(1, price=100))
    matching.trades(prints((99, 500, Condition.AUCTION), (99, 500, Condition.NO_LAST)))
    assert told(matching.take_reports()) == []


def test_while_a_book_is_not_live_orders_wait():
    matching = shown(live=False)
    assert told(matching.submit(order(1, price=102))) == [("ACCEPTED", 100, 102)]
    matching.trades(prints((99, 500)))
    assert told(matching.take_reports()) == []
    matching.show(0, BIDS, ASKS, live=True)
    assert told(matching.take_reports()) == [("FILL", 100, 102)]


def test_cancel_and_replace():
    matching = shown()
    matching.submit(order(1, price=99, quantity=100))
    matching.trades(prints((98, 30)))
    matching.take_reports()
    assert told(matching.submit(order(1, price=101, quantity=60, action=Action.REPLACE))) == [
        ("REPLACED", 60, 101),
        ("FILL", 30, 101),
    ]
    (row,) = matching.submit(order(1, action=Action.CANCEL))
    assert (row["kind"], row["reason"]) == (ReportKind.REJECTED, Reason.UNKNOWN_ORDER)
    matching.submit(order(2, price=99))
    assert told(matching.submit(order(2, action=Action.CANCEL))) == [("CANCELLED", 100, 99)]
    matching.submit(order(3, price=99))
    matching.trades(prints((98, 30)))
    matching.take_reports()
    assert told(matching.submit(order(3, price=98, quantity=30, action=Action.REPLACE))) == [("CANCELLED", 70, 99)]


LEVELS = st.lists(st.integers(1, 50), min_size=1, max_size=3)


@given(
    st.lists(
        st.tuples(st.just("show"), st.integers(95, 100), LEVELS, LEVELS)
        | st.tuples(st.just("print"), st.integers(94, 104), st.integers(1, 80), st.none())
        | st.tuples(st.sampled_from(["buy", "sell"]), st.integers(94, 104), st.integers(1, 80), st.integers(0, 3)),
        max_size=30,
    )
)
def test_nothing_fills_beyond_its_limit_and_not_more_than_there_was(acts):
    matching = shown()
    limits, ordered, filled, budget = {}, {}, {}, sum(quantity for _, quantity in BIDS + ASKS)
    for number, (act, price, one, two) in enumerate(acts, 1):
        reports = []
        if act == "show":
            bids = tuple((price - step, quantity) for step, quantity in enumerate(one))
            asks = tuple((price + 1 + step, quantity) for step, quantity in enumerate(two))
            matching.show(0, bids, asks, live=True)
            budget += sum(one) + sum(two)
        elif act == "print":
            matching.trades(prints((price, one)))
            budget += one
        else:
            limits[number], ordered[number] = (act, price), one
            reports = matching.submit(order(number, act, one, price, tif=two))
        for row in [*reports, *matching.take_reports()]:
            if row["kind"] == ReportKind.FILL:
                side, limit = limits[int(row["order_id"])]
                assert row["price"] <= limit if side == "buy" else row["price"] >= limit
                filled[int(row["order_id"])] = filled.get(int(row["order_id"]), 0) + int(row["quantity"])
    assert all(quantity <= ordered[number] for number, quantity in filled.items())
    assert sum(filled.values()) <= budget
