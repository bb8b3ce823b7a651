"""The native consolidated book against its twin: every reading, who stands where, staleness, crossed tops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine._native.book import ConsolidatedBook
from engine.core.events import EVENT, Kind, Side
from engine.core.venues import venue_id
from tests.reference.consolidated import ConsolidatedBook as Twin
from tests.streams import (
    CENT,
    INT64_MAX,
    PRICE_KINDS,
    REGIMES,
    assert_agree,
    counted,
    event_arrays,
    pieces,
    plain,
    random_stream,
)

NAMES = ["XNAS", "ARCX", "IEXG", "OURX"]
IDS = [venue_id(name) for name in NAMES]
STRANGER = venue_id("BATS")


def assert_all_agree(native: ConsolidatedBook, twin: Twin, names: list[str]) -> None:
    assert_agree(native, twin)
    assert (native.crossed, native.locked) == (twin.crossed, twin.locked)
    for n in (1, 4):
        assert native.venues(n).dtype == twin.venues(n).dtype
        assert plain(native.venues(n)["bid"]) == plain(twin.venues(n)["bid"])
        assert plain(native.venues(n)["ask"]) == plain(twin.venues(n)["ask"])
        for name in names:
            assert plain(native.venue_depth(name, n)) == plain(twin.venue_depth(venue_id(name), n)), name


class Consolidated(RuleBasedStateMachine):
    """Anything a caller may do to a consolidated book, in any order."""

    @initialize(venues=st.integers(1, 4))
    def create(self, venues: int) -> None:
        self.names = NAMES[:venues]
        self.native, self.twin = ConsolidatedBook(self.names), Twin(IDS[:venues])

    @rule(events=event_arrays([Kind.LEVEL, Kind.LEVEL, Kind.LEVEL, Kind.QUOTE, Kind.CLEAR], venues=[*IDS, STRANGER]))
    def apply(self, events: np.ndarray) -> None:
        assert self.native.apply(events) == self.twin.apply(events)

    @precondition(lambda self: hasattr(self, "names"))
    @rule(data=st.data(), live=st.booleans())
    def mark(self, data: st.DataObject, live: bool) -> None:
        name = data.draw(st.sampled_from(self.names))
        for book, key in (self.native, name), (self.twin, venue_id(name)):
            if live:
                book.mark_live(key)
            else:
                book.mark_stale(key)

    @rule()
    def clear(self) -> None:
        self.native.clear()
        self.twin.clear()

    @invariant()
    def agree(self) -> None:
        if hasattr(self, "names"):
            assert_all_agree(self.native, self.twin, self.names)


TestConsolidated = Consolidated.TestCase


@pytest.mark.parametrize("last", [None, 0.5])
@pytest.mark.parametrize("regime", list(REGIMES))
def test_random_streams_agree_in_every_reading(regime: str, last: float | None) -> None:
    events = random_stream(len(regime), 2_000, PRICE_KINDS, regime, venues=[*IDS, STRANGER], huge=0.01, last=last)
    native, twin = ConsolidatedBook(NAMES), Twin(IDS)
    rng = np.random.default_rng(1)
    for part in pieces(events, 1, 200):
        assert native.apply(part) == twin.apply(part)
        assert_all_agree(native, twin, NAMES)
        which, live = int(rng.integers(len(NAMES))), bool(rng.integers(2))
        for book, key in (native, NAMES[which]), (twin, IDS[which]):
            if live:
                book.mark_live(key)
            else:
                book.mark_stale(key)
        assert_all_agree(native, twin, NAMES)


def test_sixteen_venues() -> None:
    names = [f"VENUE{i}" for i in range(16)]
    ids = [venue_id(name) for name in names]
    events = random_stream(11, 6_000, PRICE_KINDS, venues=ids)
    native, twin = ConsolidatedBook(names), Twin(ids)
    for part in pieces(events, 2, 700):
        assert native.apply(part) == twin.apply(part)
        assert_all_agree(native, twin, names)


def test_a_change_held_back_at_one_venue_is_not_told_by_another() -> None:
    """Each venue ends its own atomic events."""
    events = random_stream(12, 3_000, {Kind.LEVEL: 1}, venues=IDS, last=0.3)
    native, twin = ConsolidatedBook(NAMES), Twin(IDS)
    for part in pieces(events, 3, 3):
        assert native.apply(part) == twin.apply(part)


def level(venue: int, side: Side, price: int, quantity: int) -> np.ndarray:
    events = np.zeros(1, EVENT)
    events["kind"], events["venue"], events["side"] = Kind.LEVEL, venue, side
    events["price"], events["quantity"] = price, quantity
    return events


def test_skew_between_venues_is_reported_and_never_trimmed() -> None:
    book = ConsolidatedBook(["XNAS", "ARCX"])
    book.apply(level(IDS[0], Side.BID, 101 * CENT, 5))
    book.apply(level(IDS[1], Side.ASK, 100 * CENT, 5))
    assert (book.crossed, book.locked, counted(book)) == (True, False, {"crossed": 1})
    assert book.bbo()[:4] == (1.01, 5e-9, 1.0, 5e-9)
    book.mark_stale("ARCX")
    assert (book.crossed, book.bbo().ask_quantity) == (False, 0.0)
    book.apply(level(IDS[1], Side.ASK, 101 * CENT, 7))
    assert not book.crossed
    assert book.venue_depth("ARCX", 2)["ask_quantity"].tolist() == [5e-9, 7e-9]
    book.apply(level(IDS[1], Side.ASK, 100 * CENT, 0))
    book.mark_live("ARCX")
    assert (book.crossed, book.locked) == (False, True)
    assert book.depth(1)[["bid_count", "ask_count"]].tolist() == [(1, 1)]


def test_a_stale_venue_can_always_come_back() -> None:
    """A total that int64 cannot hold is refused while one of its venues is stale, too."""
    book = ConsolidatedBook(["XNAS", "ARCX"])
    book.apply(level(IDS[0], Side.BID, CENT, INT64_MAX))
    book.mark_stale("XNAS")
    book.apply(level(IDS[1], Side.BID, CENT, 1))
    assert counted(book) == {"out_of_range": 1}
    book.mark_live("XNAS")
    assert book.bbo().bid_quantity == INT64_MAX / 1e9


def test_a_refused_quote_leaves_the_venue_as_it_was() -> None:
    book = ConsolidatedBook(["XNAS", "ARCX"])
    book.apply(level(IDS[0], Side.BID, CENT, INT64_MAX))
    book.apply(level(IDS[1], Side.BID, 2 * CENT, 7))
    quote = level(IDS[1], Side.BID, CENT, 1)
    quote["kind"] = Kind.QUOTE
    assert not book.apply(quote)
    assert counted(book) == {"out_of_range": 1}
    assert book.bbo()[:2] == (0.02, 7e-9)


def test_names_are_checked() -> None:
    book = ConsolidatedBook(["XNAS", "ARCX"])
    assert list(book.venue_names) == ["XNAS", "ARCX"]
    for name in ("IEXG", "nowhere"):
        with pytest.raises((KeyError, ValueError)):
            book.mark_stale(name)
        with pytest.raises((KeyError, ValueError)):
            book.venue_depth(name, 1)
