"""The plain book does what its words say."""

import numpy as np
import pytest

from engine.core.events import DEPTH, Side
from engine.core.units import NANOS
from engine.sim.truth import TruthBook


@pytest.fixture
def book():
    book = TruthBook()
    book.add(1, Side.BID, 10 * NANOS, 100 * NANOS)
    book.add(2, Side.BID, 10 * NANOS, 50 * NANOS)
    book.add(3, Side.BID, 9 * NANOS, 70 * NANOS)
    book.add(4, Side.ASK, 11 * NANOS, 30 * NANOS)
    return book


def test_depth_is_best_first_with_counts_and_nan_where_empty(book):
    depth = book.depth(3)
    assert depth.dtype == DEPTH
    assert depth["bid_price"][:2].tolist() == [10.0, 9.0]
    assert np.isnan(depth["bid_price"][2])
    assert depth["bid_quantity"].tolist() == [150.0, 70.0, 0.0]
    assert depth["bid_count"].tolist() == [2, 1, 0]
    assert depth["ask_price"][0] == 11.0


def test_reduce_keeps_the_place_and_delete_empties_the_level(book):
    book.reduce(book.orders[1], 40 * NANOS)
    assert book.queue(Side.BID, 10 * NANOS) == [(1, 60 * NANOS), (2, 50 * NANOS)]
    book.reduce(book.orders[1], 60 * NANOS)
    assert book.queue(Side.BID, 10 * NANOS) == [(2, 50 * NANOS)]
    book.delete(book.orders[2])
    assert book.best(Side.BID) == 9 * NANOS
    assert sorted(order.order_id for order in book.orders_list) == sorted(book.orders) == [3, 4]
    assert all(order.slot == slot for slot, order in enumerate(book.orders_list))


def test_bbo_of_an_empty_side_is_nan(book):
    book.delete(book.orders[4])
    quote = book.bbo()
    assert (quote.bid, quote.bid_quantity, quote.ask_quantity) == (10.0, 150.0, 0.0)
    assert np.isnan(quote.ask)
    assert book.best(Side.ASK) is None


def test_disagreements_count_rows_and_take_nan_as_equal(book):
    other = TruthBook()
    assert other.disagreements(TruthBook()) == 0
    other.add(9, Side.BID, 10 * NANOS, 150 * NANOS)  # the same quantity, another count
    other.add(4, Side.ASK, 11 * NANOS, 30 * NANOS)
    assert book.disagreements(other, 5) == 2
