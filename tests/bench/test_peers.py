"""Whoever is compared with ours does the same work: after a round the books are equal."""

import pytest

from bench import workloads
from bench.groups import book as group
from bench.peers import nautilus, order_book
from engine.core.events import Side


def expected(stream, levels=5):
    """(instrument, venue) -> best bids and asks as (price, quantity) in counts of 1e-9."""
    books = {}
    for events in (stream.snapshot, stream.updates):
        for instrument, venue, side, price, quantity in zip(
            *(events[name].tolist() for name in ("instrument", "venue", "side", "price", "quantity")), strict=True
        ):
            levels_of = books.setdefault((instrument, venue), {Side.BID: {}, Side.ASK: {}})[Side(side)]
            levels_of[price] = quantity
            if not quantity:
                del levels_of[price]
    return {
        key: (sorted(book[Side.BID].items(), reverse=True)[:levels], sorted(book[Side.ASK].items())[:levels])
        for key, book in books.items()
    }


STREAMS = {
    "touch": lambda: workloads.touch(4_000),
    "symbols": lambda: workloads.touch(4_000, 20),
    "sparse": lambda: workloads.sparse(4_000),
}


@pytest.mark.parametrize("name", STREAMS)
def test_order_book_ends_with_the_books_of_the_stream_round_after_round(name):
    pytest.importorskip("order_book", reason="the peer is not installed: pip install '.[bench]'")
    stream = STREAMS[name]()
    books = order_book.Books(stream)
    for _ in range(2):
        order_book.apply(books.reset())
        found = {
            key: (list(book.bids.to_list())[:5], list(book.asks.to_list())[:5]) for key, book in books.books.items()
        }
        assert found == expected(stream)


def test_order_book_passes_over_levels_that_are_absent():
    pytest.importorskip("order_book", reason="the peer is not installed: pip install '.[bench]'")
    stream = workloads.touch(4_000)
    events = stream.updates.copy()
    events["price"][events["quantity"] == 0] += 10**9
    books = order_book.Books(workloads.Stream(stream.snapshot, events))
    order_book.apply_asking(books.reset())
    with pytest.raises(KeyError):
        order_book.apply(books.reset())


@pytest.mark.parametrize("name", STREAMS)
def test_nautilus_ends_with_the_books_of_the_stream(name):
    needs_nautilus()
    stream = STREAMS[name]()
    contender = nautilus.contender("apply_delta", stream, 4_000)
    for _ in range(2):
        assert contender.round() > 0
    assert tops(nautilus.NAME) == expected(stream)


def test_both_books_of_nautilus_take_turns_and_end_with_the_books_of_the_stream():
    needs_nautilus()
    stream = group.one_venue(workloads.touch(4_000))
    contenders = [nautilus.contender(mode, stream, 4_000) for mode in ("depth", "depth_pyo3")]
    assert [one.name for one in contenders] == [nautilus.NAME, nautilus.PYO3]
    for one in contenders * 2:
        assert one.round() > 0
        assert len(one.latencies()) > 0
    assert tops(nautilus.NAME) == tops(nautilus.PYO3) == expected(stream)


def needs_nautilus():
    if not (nautilus.home() / "bin" / "python").exists():
        pytest.skip("the peer is not installed: python -m bench --install-peers")


def tops(name):
    """What `expected` gives, of the books that a peer's worker holds."""
    return {
        (instrument, venue): tuple([(nanos(price), nanos(quantity)) for price, quantity in side] for side in sides)
        for instrument, venue, *sides in nautilus.worker(name).ask({"do": "tops", "levels": 5})["tops"]
    }


def nanos(text):
    whole, _, fraction = text.partition(".")
    return int(whole) * 10**9 + int(fraction[:9].ljust(9, "0"))


@pytest.mark.parametrize("name", STREAMS)
def test_ours_ends_with_the_books_of_the_stream(name):
    stream = STREAMS[name]()
    books = group.new_books(stream)
    contender = group.together("engine", stream, 100, books)
    for _ in range(2):
        contender.round()
    for (instrument, venue), (bids, asks) in expected(stream).items():
        depth = books[f"S{instrument}"].venue_depth(workloads.VENUES[venue - 1], 5)
        for side, levels in (("bid", bids), ("ask", asks)):
            found = list(zip(depth[f"{side}_price"].tolist(), depth[f"{side}_quantity"].tolist(), strict=True))
            assert found[: len(levels)] == [(price / 1e9, quantity / 1e9) for price, quantity in levels]
