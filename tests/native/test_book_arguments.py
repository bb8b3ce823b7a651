"""What books say to wrong arguments, and what they promise about memory and threads."""

import threading

import numpy as np
import pytest

import engine
from engine.core.events import DEPTH


def levels(count=4):
    events = np.zeros(count, engine.EVENT)
    events["kind"] = engine.Kind.LEVEL
    events["side"] = np.arange(count) % 2 + 1
    events["price"] = (10_000 + np.where(events["side"] == engine.Side.BID, -1, 1) * np.arange(1, count + 1)) * 10**7
    events["quantity"] = 10**9
    events["venue"] = 1
    return events


@pytest.mark.parametrize("wrong", [None, [1], np.zeros(3), np.zeros((2, 2), engine.EVENT)])
def test_apply_takes_event_arrays_only(wrong):
    with pytest.raises((TypeError, ValueError), match="events"):
        engine.Book().apply(wrong)


def test_apply_takes_strided_and_readonly_arrays():
    events = levels(8)
    book, other = engine.Book(), engine.Book()
    backwards = events[::-2]
    book.apply(backwards)
    copy = backwards.copy()
    copy.flags.writeable = False
    other.apply(copy)
    assert repr(book.bbo()) == repr(other.bbo())  # one side is empty: nan is not itself
    assert book.apply(events[:0]) is False


def test_arguments_are_named_in_errors():
    book = engine.Book()
    for call in (
        lambda: engine.Book(by="size"),
        lambda: engine.Book(levels=0),
        lambda: book.depth(-1),
        lambda: book.imbalance(0),
        lambda: book.total("bid", 0),
        lambda: book.total("middle"),
        lambda: book.walk("bid", 1),
        lambda: book.walk("buy", -1),
        lambda: book.walk("buy", "many"),
        lambda: book.set("left", 1, 1),
        lambda: book.impact_bps("buy", 1, volume=10.0),
        lambda: engine.ConsolidatedBook([]),
        lambda: engine.ConsolidatedBook(["XNAS", "XNAS"]),
    ):
        with pytest.raises(ValueError, match=r"expected|together"):
            call()
    with pytest.raises(TypeError, match="by order"):
        book.queue_position(1)
    with pytest.raises(TypeError, match="by price"):
        engine.Book(by="order").set("bid", 1, 1)
    with pytest.raises(KeyError, match="XNAS"):
        engine.ConsolidatedBook(["XNAS"]).mark_stale("ARCX")


def test_numbers_that_are_not_whole_are_refused_and_never_cut():
    book = engine.Book()
    for call in (
        lambda: book.set("bid", 100.25, 5),
        lambda: book.set("bid", 100, 5.0),
        lambda: book.imbalance(1.5),
        lambda: book.total("bid", 2.5),
        lambda: engine.Book(levels=2.5),
        lambda: engine.ConsolidatedBook("XNAS"),
    ):
        with pytest.raises(TypeError):
            call()
    assert book.set(np.uint8(engine.Side.BID), np.int64(10**9), np.int64(10**9))
    assert book.bbo().bid == 1.0


def test_arrays_at_odd_addresses_are_copied_or_refused():
    events = levels()
    raw = np.empty(events.nbytes + 1, np.uint8)
    shifted = raw[1:].view(engine.EVENT)
    shifted[:] = events
    book, other = engine.Book(), engine.Book()
    book.apply(shifted)
    other.apply(events)
    assert book.bbo() == other.bbo()
    with pytest.raises(ValueError, match="aligned"):
        book.depth(2, np.zeros(2 * DEPTH.itemsize + 1, np.uint8)[1:].view(DEPTH))


def test_depth_fills_out_and_refuses_what_does_not_fit():
    book = engine.Book()
    book.apply(levels())
    out = np.zeros(5, DEPTH)
    assert book.depth(3, out) is out
    assert np.array_equal(out[:3].view("u8"), book.depth(3).view("u8"))
    for wrong in (np.zeros(2, DEPTH), np.zeros(10, DEPTH)[::2], np.zeros((3, 3), DEPTH)):
        with pytest.raises(ValueError, match="out"):
            book.depth(3, wrong)
    with pytest.raises(TypeError, match="out"):
        book.depth(3, np.zeros(3))


def test_views_keep_their_books_alive():
    instruments = engine.Instruments()
    identity = instruments.add("AAPL").id
    books = engine.Books(instruments)
    events = levels()
    events["instrument"] = identity
    assert books.apply(events).tolist() == [identity]
    view = books["AAPL"]
    assert view is books["AAPL"]
    del books
    assert view.symbol == "AAPL"
    assert view.bbo().bid > 0


def test_other_threads_are_refused_while_a_large_batch_is_applied():
    """The interpreter is free meanwhile, so another thread may come; it gets an error, never a torn reading."""
    book = engine.Book()
    events = levels(200_000)
    empty = repr(book.bbo())
    seen, refused = set(), set()
    stop = threading.Event()

    def read():
        while not stop.is_set():
            try:
                seen.add(repr(book.bbo()))
            except RuntimeError as error:
                refused.add(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        book.apply(events)
    stop.set()
    reader.join()
    assert seen <= {empty, repr(book.bbo())}
    assert refused <= {"the book is being applied to in another thread"}


def test_a_warm_book_does_not_grow():
    book = engine.Book(by="order")
    add = np.zeros(2_000, engine.EVENT)
    add["kind"] = engine.Kind.ADD
    add["side"] = np.arange(2_000) % 2 + 1
    add["order_id"] = np.arange(2_000)
    add["price"] = (10_000 + np.where(add["side"] == engine.Side.BID, -1, 1) * (1 + np.arange(2_000) % 500)) * 10**7
    add["quantity"] = 10**9
    delete = add.copy()
    delete["kind"] = engine.Kind.DELETE
    delete["quantity"] = 0
    book.apply(add)
    book.apply(delete)
    warm = book.memory
    for _ in range(10):
        book.apply(add)
        book.apply(delete)
    assert book.memory == warm


def test_a_book_that_is_cleared_and_learns_its_tick_again_does_not_grow():
    book = engine.Book()
    events = np.concatenate([levels(64), np.zeros(1, engine.EVENT)])
    events["kind"][-1] = engine.Kind.CLEAR
    events["price"][:64:7] += 10**6  # a finer tick on the way
    for _ in range(3):
        book.apply(events)
    warm = book.memory
    for _ in range(50):
        book.apply(events)
    assert book.memory == warm


def test_only_constructors_make_readings():
    bare = engine.Book.__mro__[1]
    with pytest.raises(TypeError, match="make a Book"):
        bare()
    with pytest.raises(TypeError, match="make a Book"):
        bare.__new__(bare).bbo()


@pytest.mark.parametrize(
    ("start", "stop"), [(0, None), (1, 3), (2, 99), (-3, -1), (-99, 2), (3, 1), (np.int64(1), None)]
)
def test_start_and_stop_are_those_of_a_slice(start, stop):
    events = levels(6)
    book, other = engine.Book(), engine.Book()
    assert book.apply(events, start, stop) == other.apply(events[start:stop])
    assert repr(book.depth(6)) == repr(other.depth(6))
    with pytest.raises(TypeError):
        book.apply(events, 1.5)
