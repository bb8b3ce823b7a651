"""The native price book against its twin: every reading, bit for bit, after every piece of random streams."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine._native.book import Book
from engine.core.events import DEPTH, EVENT, Flag, Kind, Side
from tests.reference.book import Book as Twin
from tests.streams import (
    PRICE_KINDS,
    PRICES,
    QUANTITIES,
    REGIMES,
    ask,
    assert_agree,
    counted,
    event_arrays,
    pieces,
    plain,
    random_stream,
)


class PriceBook(RuleBasedStateMachine):
    """Anything a caller may do to a price book, in any order."""

    @initialize(levels=st.sampled_from([None, None, 1, 2, 5]))
    def create(self, levels: int | None) -> None:
        self.native, self.twin = Book(by="price", levels=levels), Twin(by="price", levels=levels)

    @rule(events=event_arrays([Kind.LEVEL, Kind.LEVEL, Kind.LEVEL, Kind.QUOTE, Kind.CLEAR]))
    def apply(self, events: np.ndarray) -> None:
        assert self.native.apply(events) == self.twin.apply(events)

    @rule(side=st.sampled_from([Side.BID, Side.ASK, "bid", "ask", "buy", "sell"]), price=PRICES, quantity=QUANTITIES)
    def set(self, side: Any, price: int, quantity: int) -> None:
        assert ask(self.native, "set", side, price, quantity) == ask(self.twin, "set", side, price, quantity)

    @rule()
    def clear(self) -> None:
        self.native.clear()
        self.twin.clear()

    @invariant()
    def agree(self) -> None:
        assert_agree(self.native, self.twin)


TestPriceBook = PriceBook.TestCase


@pytest.mark.parametrize("levels", [None, 1, 3, 10])
@pytest.mark.parametrize("regime", list(REGIMES))
def test_random_streams_agree_in_every_reading(regime: str, levels: int | None) -> None:
    events = random_stream(len(regime), 3_000, PRICE_KINDS, regime, huge=0.01)
    native, twin = Book(by="price", levels=levels), Twin(by="price", levels=levels)
    for part in pieces(events, 1, 250):
        assert native.apply(part) == twin.apply(part)
        assert_agree(native, twin)


@pytest.mark.parametrize("last", [0.3, 0.9])
def test_changes_are_told_when_the_atomic_event_ends(last: float) -> None:
    events = random_stream(5, 2_000, PRICE_KINDS, last=last)
    native, twin = Book(by="price"), Twin(by="price")
    for part in pieces(events, 2, 4):
        assert native.apply(part) == twin.apply(part)


def test_one_event_at_a_time_is_the_same_as_one_array() -> None:
    events = random_stream(6, 2_000, PRICE_KINDS)
    whole, single = Book(by="price"), Book(by="price")
    told = whole.apply(events)
    assert told == any([single.apply(events[i : i + 1]) for i in range(events.size)])  # noqa: C419
    assert plain(whole.depth(50)) == plain(single.depth(50))
    assert whole.counts == single.counts


def test_set_is_level_without_time() -> None:
    events = random_stream(7, 2_000, {Kind.LEVEL: 1}, "finer")
    by_event, by_set = Book(by="price"), Book(by="price")
    for event in events[((events["side"] == Side.BID) | (events["side"] == Side.ASK)) & (events["quantity"] >= 0)]:
        changed = by_event.apply(np.array([event], EVENT))
        assert by_set.set(int(event["side"]), int(event["price"]), int(event["quantity"])) == changed
    assert plain(by_event.depth(50)) == plain(by_set.depth(50))
    assert by_set.bbo().ts_event == 0


def test_depth_fills_the_array_it_is_given() -> None:
    book = Book(by="price")
    book.apply(random_stream(8, 500, {Kind.LEVEL: 1}))
    out = np.zeros(7, DEPTH)
    assert book.depth(7, out=out) is out
    assert plain(out) == plain(book.depth(7))


def test_a_fresh_depth_owns_its_memory() -> None:
    book = Book(by="price")
    book.set("bid", 100, 1)
    first = book.depth(3)
    book.set("bid", 200, 2)
    second = book.depth(3)
    del book
    assert (first["bid_price"][0], second["bid_price"][0]) == (100 / 1e9, 200 / 1e9)


def test_held_back_change_survives_calls_and_dies_with_clear() -> None:
    events = np.zeros(1, EVENT)
    events["kind"], events["side"], events["price"], events["quantity"] = Kind.LEVEL, Side.BID, 5, 5
    done = np.zeros(1, EVENT)
    done["kind"], done["side"], done["price"], done["flags"] = Kind.LEVEL, Side.ASK, 9, Flag.LAST  # removes nothing
    for clears in (False, True):
        book = Book(by="price")
        assert not book.apply(done)
        assert not book.apply(events)
        if clears:
            book.clear()
        assert book.apply(done) is not clears


@pytest.mark.parametrize("levels", [0, -1])
def test_a_window_holds_a_level_at_least(levels: int) -> None:
    with pytest.raises(ValueError, match="levels"):
        Book(by="price", levels=levels)


def test_wrong_arguments_raise() -> None:
    with pytest.raises(ValueError, match="by"):
        Book(by="size")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="side"):
        Book(by="price").set("neither", 1, 1)
    with pytest.raises((TypeError, ValueError)):
        Book(by="price").apply(np.zeros(3))  # type: ignore[arg-type]


def count(text: str) -> int:
    """Counts of 1e-9 in a decimal number with up to 9 places."""
    whole, _, places = text.partition(".")
    return int(whole + places.ljust(9, "0"))


def levels_of(message: dict[str, Any], bids: str, asks: str) -> np.ndarray:
    rows = [(Side.BID, *row) for row in message[bids]] + [(Side.ASK, *row) for row in message[asks]]
    events = np.zeros(len(rows), EVENT)
    events["kind"] = Kind.LEVEL
    events["side"] = [row[0] for row in rows]
    events["price"] = [count(row[1]) for row in rows]
    events["quantity"] = [count(row[2]) for row in rows]
    return events


@pytest.mark.parametrize(
    ("name", "diffs"), [("spot_btcusdt", 3_449), ("usdm_btcusdt", 6_547), ("cm_btcusd_perp", 26_824)]
)
def test_recorded_diffs_give_the_quote_the_exchange_published(
    data: Callable[[str], Path], name: str, diffs: int
) -> None:
    """After every diff the best bid and ask with their sizes equal the last ticker message up to its id."""
    with gzip.open(data(f"binance_l2/{name}_20240808.gz"), "rt") as lines:
        messages = [json.loads(line.partition(" ")[2]) for line in lines]
    streams = [message["data"] for message in messages if "data" in message]
    snapshot = next(message for message in messages if "lastUpdateId" in message)
    tickers = [m for m in streams if "B" in m and "A" in m and m.get("e") in {None, "bookTicker"}]
    ids = np.array([ticker["u"] for ticker in tickers])
    least = snapshot["lastUpdateId"] + (name.startswith("spot"))
    book = Book(by="price")
    book.apply(levels_of(snapshot, "bids", "asks"))
    compared = 0
    for diff in (m for m in streams if m.get("e") == "depthUpdate" and m["u"] >= least):
        book.apply(levels_of(diff, "b", "a"))
        last = int(np.searchsorted(ids, diff["u"], side="right")) - 1
        if last >= 0:
            shown = tuple(count(tickers[last][field]) / 1e9 for field in "bBaA")
            assert book.bbo()[:4] == shown, diff["u"]
            compared += 1
    assert compared == diffs
    assert set(counted(book)) <= {"crossed", "locked"}


def test_a_print_inside_an_atomic_event_does_not_end_it() -> None:
    """IEX DEEP: price level update (more follows), trade, price level update (complete) are one event."""
    book = Book(by="price")
    events = np.zeros(4, EVENT)
    events["kind"] = [Kind.LEVEL, Kind.LEVEL, Kind.TRADE, Kind.LEVEL]
    events["side"], events["price"], events["quantity"] = Side.BID, [5, 6, 6, 7], 5
    events["flags"] = [Flag.LAST, 0, Flag.LAST, Flag.LAST]
    assert [book.apply(events[i : i + 1]) for i in range(4)] == [True, False, False, True]


def test_a_record_whose_reserved_field_is_used_is_not_applied() -> None:
    for by, kind in ("price", Kind.LEVEL), ("price", Kind.TRADE), ("order", Kind.ADD), ("order", Kind.LEVEL):
        book = Book(by=by)
        event = np.zeros(1, EVENT)
        event["kind"], event["side"], event["price"], event["quantity"], event["reserved"] = kind, Side.BID, 5, 5, 256
        assert not book.apply(event)
        assert counted(book) == {"reserved": 1}
