"""Many venues of one instrument in one book, and many instruments: the specification of the native
``ConsolidatedBook`` and ``Books``.

Open points settled here:
* An event of an unknown venue or instrument is not this book's: it is counted and moves no time and ends nothing.
* A level's total is held to int64 over all venues, stale ones too: else one could not come back live.
* ``mark_stale`` and ``mark_live`` are no events: they count nothing, and a later ``apply`` does not tell of them.
* In ``Books`` a CLEAR without an instrument empties what the venue has in every book there is; a book by order is the
  venue's of its first event.
* In ``Books`` the first event of any kind gives a venue its column, the same one for all instruments.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from engine.core.events import DEPTH, NO_INSTRUMENT, Kind, Side
from tests.reference.book import Book
from tests.reference.readings import Row, value
from tests.reference.stream import INT64_MAX, PRICE_BOOK, Atomic, Event, Stream, records, refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

MOST_VENUES = 64


class Venue:
    """What one venue shows, kept while it is stale too."""

    def __init__(self) -> None:
        self.live = True
        self.clear()

    def clear(self) -> None:
        self.atomic = Atomic()
        self.sides: dict[Side, dict[int, int]] = {Side.BID: {}, Side.ASK: {}}  # price -> quantity


class ConsolidatedBook(Stream):
    """``venues`` are ids of ``engine.core.venues``."""

    def __init__(self, venues: Iterable[int]) -> None:
        super().__init__()
        self.venues_by_id = {venue: Venue() for venue in venues}

    def clear(self) -> None:
        self.restart()
        for venue in self.venues_by_id.values():
            venue.clear()

    def mark_stale(self, venue: int) -> None:
        self.venues_by_id[venue].live = False

    def mark_live(self, venue: int) -> None:
        self.venues_by_id[venue].live = True

    def prices(self, side: Side) -> Collection[int]:
        return {price for venue in self.venues_by_id.values() if venue.live for price in venue.sides[side]}

    def row(self, side: Side, price: int) -> Row:
        live = [venue.sides[side] for venue in self.venues_by_id.values() if venue.live]
        here = [held[price] for held in live if price in held]
        return Row(price, sum(here), len(here))

    def apply(self, events: np.ndarray) -> bool:
        """Whether the composed top changed at least once, told at the end of the changing venue's atomic event."""
        return any([self.step(event) for event in records(events)])  # noqa: C419 - every event is to be applied

    def step(self, event: Event) -> bool:
        if event.venue not in self.venues_by_id:
            self.counts["unknown_venue"] += 1
            return False
        venue = self.venues_by_id[event.venue]
        self.advance(event)
        return venue.atomic.report(self.change(event, venue), event)

    def change(self, event: Event, venue: Venue) -> bool:
        if reason := refusal(event, PRICE_BOOK):
            self.counts[reason] += 1
            return False
        before = self.top()
        if event.kind == Kind.CLEAR:
            for side in (Side.BID, Side.ASK) if event.side == Side.NONE else (Side(event.side),):
                venue.sides[side] = {}
            return self.changed(before)
        side = Side(event.side)
        others = (other.sides[side] for other in self.venues_by_id.values() if other is not venue)
        if sum(held.get(event.price, 0) for held in others) + event.quantity > INT64_MAX:
            self.counts["out_of_range"] += 1
            return False
        if event.kind == Kind.QUOTE:
            venue.sides[side] = {}
        venue.sides[side][event.price] = event.quantity
        if event.quantity == 0:
            del venue.sides[side][event.price]
        return self.changed(before)

    @property
    def crossed(self) -> bool:
        bid, ask = self.top()
        return bool(bid and ask and bid.price > ask.price)

    @property
    def locked(self) -> bool:
        bid, ask = self.top()
        return bool(bid and ask and bid.price == ask.price)

    def venues(self, n: int) -> np.ndarray:
        """Quantity of each venue at the levels of ``depth(n)``: fields bid and ask, a row a level, a column a venue."""
        columns = len(self.venues_by_id)
        out = np.zeros(n, [("bid", "<f8", (columns,)), ("ask", "<f8", (columns,))])
        for name, side in ("bid", Side.BID), ("ask", Side.ASK):
            for i, row in enumerate(self.levels(side)[:n]):
                for column, venue in enumerate(self.venues_by_id.values()):
                    if venue.live:
                        out[name][i, column] = value(venue.sides[side].get(row.price, 0))
        return out

    def venue_depth(self, venue: int, n: int) -> np.ndarray:
        """The depth of one venue alone, stale or not."""
        alone = Book()
        for side, held in self.venues_by_id[venue].sides.items():
            for price, quantity in held.items():
                alone.set(side, price, quantity)
        depth = alone.depth(n)
        assert depth.dtype == DEPTH
        return depth


class Books:
    """A book an instrument, made when its first event comes; ``known`` is how many instruments there are."""

    def __init__(self, known: int, by: str = "price") -> None:
        self.known = known
        self.by = by
        self.books: dict[int, Book | ConsolidatedBook] = {}
        self.venues: list[int] = []
        self.own: Counter[str] = Counter()

    def apply(self, events: np.ndarray) -> list[int]:
        """Distinct instruments whose top changed, in the order of their first report."""
        told: dict[int, None] = {}
        for event in records(events):
            if event.instrument == NO_INSTRUMENT and event.kind == Kind.CLEAR:
                for id, book in sorted(self.books.items()):
                    if book.clock is not None and event.venue in ([book.venue] if self.by == "order" else self.venues):
                        told |= {id: None} if self.book(id).step(event) else {}
            elif event.instrument == NO_INSTRUMENT:
                self.own["other"] += 1
            elif event.instrument >= self.known:
                self.own["unknown_instrument"] += 1
            else:
                if event.venue not in self.venues and len(self.venues) < MOST_VENUES:
                    self.venues.append(event.venue)
                if self.book(event.instrument).step(event):
                    told[event.instrument] = None
        return list(told)

    def book(self, instrument: int) -> Book | ConsolidatedBook:
        book = self.books.setdefault(instrument, Book(by="order") if self.by == "order" else ConsolidatedBook([]))
        if isinstance(book, ConsolidatedBook):
            for venue in self.venues:
                book.venues_by_id.setdefault(venue, Venue())
        return book

    @property
    def counts(self) -> Counter[str]:
        return sum((book.counts for book in self.books.values()), start=Counter(self.own))
