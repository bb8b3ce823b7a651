"""Many instruments: the native ``Books`` against their twin, instrument by instrument."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine._native.book import Book, Books, BookView, ConsolidatedBook, Readings
from engine.core.events import EVENT, NO_INSTRUMENT, Kind, Side
from engine.core.instruments import Instruments
from engine.core.units import NANOS
from engine.core.venues import venue_id
from tests.reference.consolidated import Books as Twin
from tests.streams import ORDER_KINDS, PRICE_KINDS, assert_agree, counted, pieces, plain, random_stream

SYMBOLS = ["AAPL", "MSFT", "IBM", "SPY", "BRK.B", "ZVZZT"]
VENUES = [venue_id(name) for name in ("XNAS", "ARCX", "IEXG", "OURX")]


def instruments() -> Any:
    listed = Instruments()
    for symbol in SYMBOLS:
        listed.add(symbol)
    return listed


@pytest.mark.parametrize("last", [None, 0.6])
@pytest.mark.parametrize("by", ["price", "order"])
def test_every_instrument_has_its_own_book(by: str, last: float | None) -> None:
    ids = [*range(len(SYMBOLS)), NO_INSTRUMENT, NO_INSTRUMENT - 1]
    kinds = PRICE_KINDS if by == "price" else ORDER_KINDS
    events = random_stream(13, 8_000, kinds, instruments=ids, venues=VENUES, last=last)
    native, twin = Books(instruments(), by=by), Twin(len(SYMBOLS), by=by)
    for part in pieces(events, 1, 400):
        told = native.apply(part)
        assert told.dtype == np.uint32
        assert told.tolist() == twin.apply(part)
    for i, symbol in enumerate(SYMBOLS):
        view = native[symbol]
        assert view.symbol == symbol
        assert_agree(view, twin.book(i))
        if by == "price":
            assert plain(native[symbol].venues(5)["bid"]) == plain(twin.book(i).venues(5)["bid"])
    assert counted(native) == {name: count for name, count in twin.counts.items() if count}


@pytest.mark.parametrize("by", ["price", "order"])
def test_sets_that_look_ahead_say_the_same(by: str) -> None:
    """More than eight books: later events are prefetched, empty sides and unknown instruments among them."""
    ids = [*range(40), NO_INSTRUMENT, NO_INSTRUMENT - 1]
    kinds = PRICE_KINDS if by == "price" else ORDER_KINDS
    events = random_stream(21, 12_000, kinds, instruments=ids, venues=VENUES, last=0.6)
    listed = Instruments([f"S{number}" for number in range(40)])
    native, twin = Books(listed, by=by), Twin(40, by=by)
    for part in pieces(events, 2, 300):
        assert native.apply(part).tolist() == twin.apply(part)
    for number in range(40):
        assert_agree(native[f"S{number}"], twin.book(number))
    assert counted(native) == {name: count for name, count in twin.counts.items() if count}


def test_a_view_lives_on_with_its_book() -> None:
    books = Books(instruments())
    view = books["MSFT"]
    assert view.bbo().bid_quantity == 0.0
    twin = Twin(len(SYMBOLS))
    events = random_stream(14, 2_000, {Kind.LEVEL: 1}, instruments=[1], venues=VENUES)
    books.apply(events)
    twin.apply(events)
    assert_agree(view, twin.book(1))
    del books
    assert_agree(view, twin.book(1))


def test_unknown_symbols_raise() -> None:
    with pytest.raises((KeyError, ValueError)):
        Books(instruments())["NVDA"]


def test_the_65th_venue_is_counted() -> None:
    listed = [venue_id(f"V{i}") for i in range(65)]
    events = random_stream(15, 3_000, {Kind.LEVEL: 1}, venues=listed)
    native, twin = Books(instruments()), Twin(len(SYMBOLS))
    for part in pieces(events, 2, 500):
        assert native.apply(part).tolist() == twin.apply(part)
        assert counted(native) == {name: count for name, count in twin.counts.items() if count}
    assert_agree(native["AAPL"], twin.book(0))
    assert counted(native)["unknown_venue"] > 0


def test_instruments_added_later_get_books_too() -> None:
    listed = instruments()
    books = Books(listed)
    late = listed.add("NVDA").id
    events = random_stream(16, 100, {Kind.LEVEL: 1}, instruments=[late], venues=VENUES)
    assert books.apply(events).tolist() == [late]
    assert books["NVDA"].symbol == "NVDA"


LENGTHS = dict(zip("SRHAFECXDUPQBI", [12, 39, 25, 36, 40, 31, 36, 23, 19, 35, 44, 40, 19, 50], strict=True))


def itch_orders(path: Path) -> np.ndarray:
    """The order messages of an ITCH 5.0 file with useless lengths, without a decoder of ours."""
    raw, at, rows = gzip.decompress(path.read_bytes()), 0, []
    while at < len(raw):
        kind = chr(raw[at + 2])
        body = raw[at + 2 : at + 2 + LENGTHS[kind]]
        at += 2 + LENGTHS[kind]
        stock, order = int.from_bytes(body[1:3]), int.from_bytes(body[11:19])
        if kind in "AF":
            side = Side.BID if body[19:20] == b"B" else Side.ASK
            rows.append((Kind.ADD, stock, order, side, int.from_bytes(body[32:36]), int.from_bytes(body[20:24])))
        elif kind in "ECX":
            taken = Kind.REDUCE if kind == "X" else Kind.EXECUTE
            rows.append((taken, stock, order, Side.NONE, 0, int.from_bytes(body[19:23])))
        elif kind in "DU":
            rows.append((Kind.DELETE, stock, order, Side.NONE, 0, 0))
        if kind == "U":
            new, price, shares = int.from_bytes(body[19:27]), int.from_bytes(body[31:35]), int.from_bytes(body[27:31])
            rows.append((Kind.ADD, stock, new, Side.NONE, price, shares))
    events = np.zeros(len(rows), EVENT)
    for name, column in zip(["kind", "instrument", "order_id", "side"], list(zip(*rows, strict=True)), strict=False):
        events[name] = column
    events["price"] = [row[4] * (NANOS // 10_000) for row in rows]
    events["quantity"] = [row[5] * NANOS for row in rows]
    return events


def test_recorded_itch_orders(data: Callable[[str], Path]) -> None:
    """As many modifications of unknown orders as the data's own description says, in each instrument as in the twin."""
    events = itch_orders(data("itch/ex20101224.TEST_ITCH_50.gz"))
    native, twin = Books(instruments(), by="order"), Twin(len(SYMBOLS), by="order")
    for part in pieces(events, 3, 1_000):
        assert native.apply(part).tolist() == twin.apply(part)
    for i in (1, 2, 3):
        assert_agree(native[SYMBOLS[i]], twin.book(i))
    assert counted(native)["unknown_order"] == 117
    assert "wrong_side" in counted(native)  # U of an order nobody announced: its side is not known


@pytest.mark.parametrize("regime", ["touch", "sparse", "alternating", "deep"])
def test_memory_stands_still_once_warm(regime: str) -> None:
    """The same stream again and again, clears among it: in the end nothing grows."""
    some = list(range(len(SYMBOLS)))
    prices = random_stream(17, 20_000, PRICE_KINDS, regime, venues=VENUES, instruments=some)
    orders = random_stream(18, 20_000, ORDER_KINDS, regime, instruments=some, ids=3_000)
    makers: list[tuple[Any, np.ndarray]] = [
        (Book(by="price"), prices),
        (Book(by="price", levels=10), prices),
        (Book(by="order"), orders),
        (Book(by="order", levels=10), orders),
        (ConsolidatedBook(["XNAS", "ARCX", "IEXG", "OURX"]), prices),
        (Books(instruments()), prices),
        (Books(instruments(), by="order"), orders),
    ]
    for book, events in makers:
        held = []
        for _ in range(8):
            book.apply(events)
            held.append(book.memory)
        assert len(set(held[4:])) == 1, (book, held)


def test_memory_of_a_thousand_idle_instruments() -> None:
    """Books are made when their first event comes: those without one cost a pointer."""
    listed = Instruments([f"S{i}" for i in range(1_000)])
    books = Books(listed)
    before = books.memory
    books.apply(random_stream(19, 1_000, {Kind.LEVEL: 1}, instruments=[7], venues=VENUES[:1]))
    assert books.memory - before < 100_000


READINGS: dict[str, Callable[[Any], Any]] = {
    "bbo": lambda book: book.bbo(),
    "depth": lambda book: book.depth(5),
    "mid": lambda book: book.mid(),
    "spread": lambda book: book.spread(),
    "spread_bps": lambda book: book.spread_bps(),
    "microprice": lambda book: book.microprice(),
    "imbalance": lambda book: book.imbalance(50),
    "total": lambda book: book.total("bid"),
    "walk": lambda book: book.walk("buy", 5),
    "fill_price": lambda book: book.fill_price("sell", 5),
    "impact_bps": lambda book: book.impact_bps("buy", 5),
    "time_weighted_spread": lambda book: book.time_weighted_spread(),
    "counts": lambda book: book.counts,
    "memory": lambda book: book.memory,
}


@pytest.mark.parametrize("name", list(READINGS))
def test_a_book_in_use_by_another_thread_refuses_to_be_read(name: str) -> None:
    """Long arrays are applied without the GIL; nobody may look at the pages meanwhile."""
    events = random_stream(20, 400_000, {Kind.LEVEL: 1}, "deep")
    book, refused = Book(by="price"), False
    for _ in range(20):
        thread = threading.Thread(target=book.apply, args=(events,))
        thread.start()
        while thread.is_alive() and not refused:
            try:
                READINGS[name](book)
            except RuntimeError:
                refused = True
        thread.join()
        if refused:
            break
    assert refused
    READINGS[name](book)


def test_classes_that_are_not_made_by_themselves_refuse_to_be_read() -> None:
    for nothing in (Readings.__new__(Readings), BookView.__new__(BookView)):
        for read in READINGS.values():
            with pytest.raises(TypeError):
                read(nothing)


def test_a_venue_can_be_marked_stale_before_its_first_event() -> None:
    books = Books(instruments())
    books["AAPL"].mark_stale("IEXG")
    event = np.zeros(1, EVENT)
    event["kind"], event["side"], event["price"], event["quantity"] = Kind.LEVEL, Side.BID, NANOS, NANOS
    event["venue"] = venue_id("IEXG")
    books.apply(event)
    assert books["AAPL"].bbo().bid_quantity == 0.0
    books["AAPL"].mark_live("IEXG")
    assert books["AAPL"].bbo().bid == 1.0


def test_a_venue_nobody_named_is_a_number() -> None:
    books = Books(instruments())
    event = np.zeros(1, EVENT)
    event["kind"], event["side"], event["price"], event["quantity"], event["venue"] = Kind.LEVEL, Side.BID, 1, 1, 77
    books.apply(event)
    assert books["AAPL"].venue_names == ("77",)
    assert books["AAPL"].stale == frozenset()


def test_a_clear_without_an_instrument_empties_one_venue_everywhere() -> None:
    for by, kind in ("price", Kind.LEVEL), ("order", Kind.ADD):
        books = Books(instruments(), by=by)
        events = np.zeros(3, EVENT)
        events["kind"], events["side"], events["quantity"], events["price"] = kind, Side.BID, NANOS, NANOS
        events["instrument"], events["venue"], events["order_id"] = [0, 1, 2], VENUES[:3], [1, 2, 3]
        books.apply(events)
        clear = np.zeros(1, EVENT)
        clear["kind"], clear["instrument"], clear["venue"] = Kind.CLEAR, NO_INSTRUMENT, VENUES[1]
        assert books.apply(clear).tolist() == [1]
        assert [books[symbol].total("bid") for symbol in SYMBOLS[:3]] == [1.0, 0.0, 1.0]


def assert_same_top(book: Any, other: Any) -> None:
    assert repr(book.bbo()) == repr(other.bbo())


@pytest.mark.parametrize("make", [Book, lambda: Book(by="order"), lambda: ConsolidatedBook(["XNAS"])])
def test_two_threads_with_arrays_that_are_copied_first(make: Callable[[], Any]) -> None:
    """The copy lets other threads run; only one of them may apply at a time."""
    book = make()
    events = random_stream(5, 20_000, {Kind.LEVEL: 1}, venues=VENUES[:1])[::2]
    refused = []

    def run() -> None:
        for _ in range(30):
            try:
                book.apply(events)
            except RuntimeError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(refused) <= {"the book is being applied to in another thread"}
    fresh = make()
    fresh.apply(events)
    assert_same_top(book, fresh)
