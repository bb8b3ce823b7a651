"""Books: level updates in batches and one by one, readings after each, order by order, many symbols, real data."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bench import workloads
from bench.groups import Setting, footprint
from bench.measure import NS, Absent, Contender, Contest, Row, local, timed_calls
from bench.peers import nautilus, order_book
from bench.workloads import Events, Stream
from engine.core.events import DEPTH, Side

OURS = "engine"
SIDES = (None, Side.BID, Side.ASK)


def sliced(
    name: str, events: Events, books: Sequence[Any], batch: int, venues: Sequence[int], reset: Callable[[], None]
) -> Contender:
    """``events`` cut into batches by the loop itself; batch i goes to book ``venues[i]``."""

    def prepare() -> list[tuple[Any, int, int]]:
        reset()
        starts = range(0, len(events), batch)
        methods = [book.apply for book in books]
        return [(methods[venue], start, start + batch) for venue, start in zip(venues, starts, strict=True)]

    def run(calls: list[tuple[Any, int, int]]) -> None:
        for apply, start, stop in calls:
            apply(events, start, stop)

    return local(name, len(events), prepare, run)


def per_venue(stream: Stream, batch: int) -> Contender:
    """A Book a venue, batches of one venue in turns: what a process with one connection a venue does."""
    from engine import Book

    batches = workloads.by_venue(stream, batch)
    venues = [int(part["venue"][0]) - 1 for part in batches]
    books = [Book(by="price") for _ in range(max(venues) + 1)]

    def reset() -> None:
        for venue, book in enumerate(books):
            book.clear()
            book.apply(stream.snapshot[stream.snapshot["venue"] == venue + 1])

    return sliced(OURS, np.concatenate(batches), books, batch, venues, reset)


def together(name: str, stream: Stream, batch: int, books: Any) -> Contender:
    """Everything into one object that keeps instruments and venues apart, batch by batch as it came."""
    events = stream.updates[: len(stream.updates) // batch * batch]

    def reset() -> None:
        books.clear()
        books.apply(stream.snapshot)

    return sliced(name, events, [books], batch, [0] * (len(events) // batch), reset)


def new_books(stream: Stream, by: str = "price") -> Any:
    from engine import Books
    from engine.core.instruments import Instruments

    symbols = int(max(stream.snapshot["instrument"].max(initial=0), stream.updates["instrument"].max())) + 1
    return Books(Instruments([f"S{symbol}" for symbol in range(symbols)]), by=by)


def apply(batch: int) -> Callable[[Setting], Contest]:
    def build(setting: Setting) -> Contest:
        stream = workloads.touch(setting.count(1_000_000, 20_000))
        return Contest(
            per_venue(stream, batch),
            (order_book.applying(stream), nautilus.contender("apply_deltas", stream, setting.count(400_000, 4_000))),
            f"{len(stream.updates):,} updates, batches of {batch}, a Book a venue",
        )

    return build


def apply_bitcoin(setting: Setting) -> Contest:
    try:
        stream = workloads.bitcoin().head(setting.count(1_000_000, 20_000))
    except workloads.AbsentDataError as error:
        return Contest(Absent(OURS, str(error)))
    return Contest(
        per_venue(stream, 100),
        (
            order_book.applying(stream, absent_levels=True),
            nautilus.contender("apply_deltas", stream, setting.count(400_000, 4_000)),
        ),
        f"{len(stream.updates):,} updates of three venues, batches of 100, a Book a venue",
    )


def one_venue(stream: Stream) -> Stream:
    return Stream(stream.snapshot[stream.snapshot["venue"] == 1], stream.updates[stream.updates["venue"] == 1])


def set_each(setting: Setting) -> Contest:
    """One call an update: the loop, the tuple it unpacks and the call are what people write."""
    from engine import Book

    stream = workloads.touch(setting.count(1_000_000, 20_000)).head(setting.count(400_000, 20_000))
    books = [Book(by="price") for _ in workloads.VENUES]
    methods = [book.set for book in books]  # looked up once, as the peer's sides are
    columns = (stream.updates[name].tolist() for name in ("venue", "side", "price", "quantity"))
    calls = [
        (methods[venue - 1], SIDES[side], price, quantity)
        for venue, side, price, quantity in zip(*columns, strict=True)
    ]

    def reset() -> list[Any]:
        for venue, book in enumerate(books):
            book.clear()
            book.apply(stream.snapshot[stream.snapshot["venue"] == venue + 1])
        return calls

    def run(calls: list[Any]) -> None:
        for set_level, side, price, quantity in calls:
            set_level(side, price, quantity)

    def latencies() -> list[int]:
        reset()
        return timed_calls((call[0], call[1:]) for call in itertools.islice(calls, 100_000))

    ours = local(OURS, len(calls), reset, run)
    ours = Contender(ours.name, ours.operations, ours.round, latencies)
    peers = (order_book.applying(stream), nautilus.contender("apply_delta", stream, setting.count(400_000, 4_000)))
    return Contest(ours, peers, f"{len(calls):,} updates, one Python call each")


def set_and_depth(setting: Setting) -> Contest:
    """An update, then ten levels of both sides in an array that is used again and again."""
    from engine import Book

    stream = one_venue(workloads.touch(setting.count(1_000_000, 20_000))).head(setting.count(100_000, 2_000))
    book, out = Book(by="price"), np.zeros(10, DEPTH)
    columns = (stream.updates[name].tolist() for name in ("side", "price", "quantity"))
    calls = [(SIDES[side], price, quantity) for side, price, quantity in zip(*columns, strict=True)]

    def reset() -> list[Any]:
        book.clear()
        book.apply(stream.snapshot)
        return calls

    def run(calls: list[Any]) -> None:
        set_level, depth = book.set, book.depth
        for side, price, quantity in calls:
            set_level(side, price, quantity)
            depth(10, out=out)

    def one(side: Any, price: int, quantity: int) -> None:
        book.set(side, price, quantity)
        book.depth(10, out=out)

    def latencies() -> list[int]:
        return timed_calls((one, call) for call in reset())

    ours = local(OURS, len(calls), reset, run)
    ours = Contender(ours.name, ours.operations, ours.round, latencies)
    peers = (
        order_book.reading(stream.head(setting.count(50_000, 2_000))),
        nautilus.contender("depth", stream, setting.count(10_000, 500)),  # needs a hundred times as long
        nautilus.contender("depth_pyo3", stream, setting.count(50_000, 2_000)),
    )
    note = (
        "one venue; set() and depth(10, out=out) an update; "
        "nautilus_trader is its Cython book, bids()[:10], which builds whole sides; "
        "nautilus_pyo3 is the same package's other book, bids(10), the fairer comparison"
    )
    return Contest(ours, peers, note)


def consolidated(setting: Setting) -> Contest:
    from engine import ConsolidatedBook

    stream = workloads.touch(setting.count(1_000_000, 20_000))
    merged = ConsolidatedBook(venues=list(workloads.VENUES))
    return Contest(together(OURS, stream, 1_000, merged), (), "venues mixed as they came, batches of 1,000")


def lobster(setting: Setting) -> Contest:
    from engine import Book

    try:
        stream = workloads.lobster()
    except workloads.AbsentDataError as error:
        return Contest(Absent(OURS, str(error)))
    stream = stream.head(setting.count(len(stream.updates), 10_000))
    return Contest(
        together(OURS, stream, 1_000, Book(by="order")),
        (),
        f"AAPL 2012-06-21 09:30 to 10:30, {len(stream.updates):,} messages, batches of 1,000",
    )


def symbols(setting: Setting) -> Contest:
    one = workloads.touch(setting.count(1_000_000, 20_000))
    many = workloads.touch(setting.count(1_000_000, 20_000), symbols=500)
    return Contest(
        together(OURS, many, 100, new_books(many)),
        (together("engine, 1 symbol", one, 100, new_books(one)), order_book.applying(many)),
        "Books; 500 symbols on four venues, mixed, batches of 100",
    )


def sparse(setting: Setting) -> Contest:
    stream = workloads.sparse(setting.count(400_000, 20_000))
    return Contest(
        together(OURS, stream, 100, new_books(stream)),
        (order_book.applying(stream), nautilus.contender("apply_deltas", stream, setting.count(200_000, 20_000))),
        "Books; 50 symbols on four venues, mixed, batches of 100",
    )


_STORE = "about 15 instructions and one store to L1 or L2 an update"
_CALL = "the interpreter's loop, tuple and method call without arguments' work"

ROWS = [
    Row("apply", "apply, batches of 100", NS, apply(100), 3.0, _STORE),
    Row("apply_10", "apply, batches of 10", NS, apply(10), 3.0, _STORE),
    Row("apply_1000", "apply, batches of 1,000", NS, apply(1_000), 3.0, _STORE),
    Row("apply_bitcoin", "apply, real BTC diffs, batches of 100", NS, apply_bitcoin, 3.0, _STORE),
    Row(
        "apply_sparse",
        "apply, sparse books 0.05 to 700,000 dollars",
        NS,
        sparse,
        6.0,
        "one L3 line an update, prefetched",
    ),
    Row("symbols", "apply, 500 symbols instead of 1", NS, symbols, 5.6, "one L3 line an update, prefetched"),
    Row("set", "set, one Python call an update", NS, set_each, 25.0, _CALL),
    Row(
        "set_depth",
        "set and top 10 of both sides an update",
        NS,
        set_and_depth,
        60.0,
        "two such calls and 10 ns of reading",
    ),
    Row(
        "consolidated",
        "top 10 of four venues kept each update",
        NS,
        consolidated,
        8.0,
        "two 64-byte loads and a compress a side",
    ),
    Row("lobster", "order by order, LOBSTER hour", NS, lobster, 10.0, "one to three dependent lines in L2 an event"),
    *footprint.ROWS,
]
