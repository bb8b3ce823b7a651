"""The native order book against its twin: every reading and every queue position, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from engine._native.book import Book
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.core.events import EVENT, Kind, Side
from tests.reference.book import Book as Twin
from tests.streams import (
    CENT,
    ORDER_KINDS,
    REGIMES,
    assert_agree,
    event_arrays,
    pieces,
    plain,
    random_stream,
)

KINDS = [Kind.ADD, Kind.ADD, Kind.ADD, Kind.REDUCE, Kind.DELETE, Kind.REPLACE, Kind.REPLACE, Kind.EXECUTE, Kind.LEVEL]


def assert_queues_agree(native: Book, twin: Twin, others: tuple[int, ...] = (0, 3, 2**64 - 1)) -> None:
    for order_id in (*twin.where, *others):
        assert plain(native.queue_position(order_id)) == plain(twin.queue_position(order_id)), order_id


class OrderBook(RuleBasedStateMachine):
    """Anything a caller may do to an order book, in any order."""

    @initialize(levels=st.sampled_from([None, None, 1, 2, 5]))
    def create(self, levels: int | None) -> None:
        self.native, self.twin = Book(by="order", levels=levels), Twin(by="order", levels=levels)

    @rule(events=event_arrays(KINDS))
    def apply(self, events: np.ndarray) -> None:
        assert self.native.apply(events) == self.twin.apply(events)

    @rule()
    def clear(self) -> None:
        self.native.clear()
        self.twin.clear()

    @invariant()
    def agree(self) -> None:
        assert_agree(self.native, self.twin)
        assert_queues_agree(self.native, self.twin)


TestOrderBook = OrderBook.TestCase


@pytest.mark.parametrize("levels", [None, 1, 3, 10])
@pytest.mark.parametrize("regime", list(REGIMES))
def test_random_streams_agree_in_every_reading(regime: str, levels: int | None) -> None:
    events = random_stream(len(regime), 3_000, ORDER_KINDS, regime, huge=0.01)
    native, twin = Book(by="order", levels=levels), Twin(by="order", levels=levels)
    for part in pieces(events, 1, 250):
        assert native.apply(part) == twin.apply(part)
        assert_agree(native, twin)
        assert_queues_agree(native, twin)


@pytest.mark.parametrize("last", [0.3, 0.9])
def test_changes_are_told_when_the_atomic_event_ends(last: float) -> None:
    events = random_stream(5, 2_000, ORDER_KINDS, last=last)
    native, twin = Book(by="order"), Twin(by="order")
    for part in pieces(events, 2, 4):
        assert native.apply(part) == twin.apply(part)


def colliding_ids(n: int) -> np.ndarray:
    """Ids that a multiplicative hash by the golden ratio puts into one slot."""
    back = pow(0x9E3779B97F4A7C15, -1, 2**64)
    return np.array([i * back % 2**64 for i in range(n)], np.uint64)


IDS = {
    "colliding": colliding_ids,
    "one in 2**32": lambda n: np.arange(n, dtype=np.uint64) << np.uint64(32),
    "from the top": lambda n: np.uint64(2**64 - 1) - np.arange(n, dtype=np.uint64),
    "any": lambda n: np.random.default_rng(3).integers(0, 2**64, n, dtype=np.uint64),
}


@pytest.mark.parametrize("ids", list(IDS))
def test_order_ids_of_any_pattern_are_found_again(ids: str) -> None:
    """Births, then deaths in another order and births again: what an open-addressing table gets wrong first."""
    names = IDS[ids](1_500)
    events = random_stream(9, 12_000, ORDER_KINDS, ids=1_500)
    events["order_id"] = names[events["order_id"] % np.uint64(1_500)]
    native, twin = Book(by="order"), Twin(by="order")
    for part in pieces(events, 3, 2_000):
        assert native.apply(part) == twin.apply(part)
        assert_queues_agree(native, twin, tuple(int(name) for name in names[:200]))
    assert_agree(native, twin)


def test_a_storm_of_replacements_keeps_the_queue() -> None:
    """Every order moves over a few prices again and again, with and without its priority."""
    events = random_stream(10, 10_000, {Kind.ADD: 1, Kind.REPLACE: 20}, ids=60)
    events["price"] = (10_000 + events["price"] // CENT % 3) * CENT
    native, twin = Book(by="order"), Twin(by="order")
    for part in pieces(events, 4, 500):
        native.apply(part)
        twin.apply(part)
        assert_queues_agree(native, twin)
    assert_agree(native, twin)


def test_ids_at_both_ends_are_ordinary() -> None:
    events = np.zeros(4, EVENT)
    events["kind"] = [Kind.ADD, Kind.ADD, Kind.REDUCE, Kind.DELETE]
    events["order_id"] = [0, 2**64 - 1, 0, 2**64 - 1]
    events["side"], events["price"], events["quantity"] = Side.BID, CENT, [5, 5, 2, 5]
    book = Book(by="order")
    assert book.queue_position(0) is None
    book.apply(events[:2])
    assert book.queue_position(2**64 - 1) == (1, 5 / 1e9)
    book.apply(events[2:])
    assert book.queue_position(0) == (0, 0.0)
    assert book.queue_position(2**64 - 1) is None
    assert book.depth(1)["bid_count"][0] == 1
