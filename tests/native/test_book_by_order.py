"""The native order book against its twin: every reading and every queue position, bit for bit."""

from __future__ import annotations

import lzma
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine._native.book import Book
from engine.core.events import DEPTH, EVENT, Flag, Kind, Side
from engine.core.units import NANOS
from tests.reference.book import Book as Twin
from tests.streams import (
    CENT,
    ORDER_KINDS,
    REGIMES,
    assert_agree,
    counted,
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


LOBSTER = "lobster/AAPL_2012-06-21_34200000_"
KIND = {1: Kind.ADD, 2: Kind.REDUCE, 3: Kind.DELETE, 4: Kind.EXECUTE, 5: Kind.TRADE}


def integers(path: Path, columns: slice) -> np.ndarray:
    with lzma.open(path, "rt") as lines:
        return np.array([[int(field) for field in line.split(",")[columns]] for line in lines], np.int64)


def lobster_messages(path: Path) -> np.ndarray:
    """The file as events, without a decoder of ours. Sizes are shares, prices dollars x 10000."""
    fields = integers(path, slice(1, None))
    events = np.zeros(len(fields), EVENT)
    events["kind"] = [KIND[kind] for kind in fields[:, 0]]
    events["order_id"] = fields[:, 1]
    events["quantity"] = fields[:, 2] * NANOS
    events["price"] = fields[:, 3] * (NANOS // 10_000)
    events["side"] = np.where(fields[:, 4] == 1, Side.BID, Side.ASK)
    events["flags"] = Flag.LAST
    return events


def lobster_start(row: np.ndarray) -> np.ndarray:
    """A row of the orderbook file as quantity older than the stream."""
    levels = row.reshape(-1, 2, 2)  # level, ask and bid, price and size
    events = np.zeros(levels.shape[:2], EVENT)
    events["kind"], events["flags"], events["side"] = Kind.LEVEL, Flag.SNAPSHOT, [Side.ASK, Side.BID]
    events["price"] = levels[:, :, 0] * (NANOS // 10_000)
    events["quantity"] = levels[:, :, 1] * NANOS
    return events[events["quantity"] > 0]


def right_rows(messages: Path, orderbook: Path, start: Path, levels: int) -> tuple[np.ndarray, Book]:
    """Whether the best levels equal the file, row by row, when nothing but row 0 is ever taken from it."""
    events = lobster_messages(messages)
    book = Book(by="order")
    book.apply(lobster_start(integers(start, slice(None))[0]))
    columns = ["ask_price", "ask_quantity", "bid_price", "bid_quantity"]
    shown = np.zeros((len(events), levels, 4))
    out = np.zeros(levels, DEPTH)
    for i in range(1, len(events)):
        book.apply(events[i : i + 1])
        book.depth(levels, out=out)
        shown[i] = np.column_stack([out[name] for name in columns])
    rows = integers(orderbook, slice(None)).reshape(len(events), -1, 4)[:, :levels]
    prices, sizes = np.rint(shown[:, :, ::2] * 10_000), shown[:, :, 1::2]
    same = ((prices == rows[:, :, ::2]) | (sizes == 0)) & (sizes == rows[:, :, 1::2])
    return same.all(axis=(1, 2))[1:], book


@pytest.mark.parametrize(
    ("messages", "orderbook", "levels", "rows", "right", "first_wrong"),
    [
        ("57600000_message_10_first999", "57600000_orderbook_10_first999", 1, 998, 954, 440),
        ("37800000_message_50_first672", "37800000_orderbook_50_first672", 20, 671, 671, None),
        ("37800000_message_50_first672", "37800000_orderbook_50_first672", 50, 671, 663, 506),
        ("37800000_message_50", "37800000_orderbook_50_top1", 1, 91_996, 91_906, 54_606),
    ],
)
def test_a_free_run_of_recorded_orders(
    data: Callable[[str], Path],
    messages: str,
    orderbook: str,
    levels: int,
    rows: int,
    right: int,
    first_wrong: int | None,
) -> None:
    """The same rows are right as by level arithmetic: what is missing was outside the first row's window."""
    book_path = data(f"{LOBSTER}{orderbook}.csv.xz")
    start = data(f"{LOBSTER}37800000_orderbook_50_first672.csv.xz") if "top1" in orderbook else book_path
    found, book = right_rows(data(f"{LOBSTER}{messages}.csv.xz"), book_path, start, levels)
    assert (found.size, int(found.sum())) == (rows, right)
    assert (None if found.all() else int(found.argmin()) + 1) == first_wrong
    assert set(counted(book)) <= {"unknown_order", "other"}


def test_the_recorded_hour_agrees_with_the_twin(data: Callable[[str], Path]) -> None:
    events = lobster_messages(data(f"{LOBSTER}37800000_message_50.csv.xz"))[:20_000]
    start = lobster_start(integers(data(f"{LOBSTER}37800000_orderbook_50_first672.csv.xz"), slice(None))[0])
    for levels in (None, 50, 5):
        native, twin = Book(by="order", levels=levels), Twin(by="order", levels=levels)
        for part in [start, *np.split(events[1:], range(999, 20_000, 1_000))]:
            assert native.apply(part) == twin.apply(part)
            assert_agree(native, twin)
        assert_queues_agree(native, twin)


def test_a_side_that_contradicts_the_order_is_counted_and_the_id_followed() -> None:
    book = Book(by="order")
    events = np.zeros(3, EVENT)
    events["kind"] = [Kind.ADD, Kind.REDUCE, Kind.DELETE]
    events["side"], events["price"], events["order_id"] = [Side.BID, Side.ASK, Side.ASK], 5, 20
    events["quantity"] = [5, 2, 0]
    assert book.apply(events)
    assert counted(book) == {"wrong_side": 2}
    assert book.total("bid") == 0.0


def test_an_add_without_a_side_stands_right_behind_its_delete() -> None:
    book = Book(by="order")
    events = np.zeros(4, EVENT)
    events["kind"] = [Kind.ADD, Kind.DELETE, Kind.TRADE, Kind.ADD]
    events["side"], events["price"], events["order_id"] = [Side.BID, 0, 0, 0], 5, [1, 1, 0, 2]
    events["quantity"] = [5, 0, 1, 5]
    book.apply(events)
    assert counted(book) == {"other": 1, "wrong_side": 1}
    book.apply(events[[0, 1, 3]])
    assert book.bbo().bid_quantity == 5 / 1e9
