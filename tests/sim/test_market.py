"""The multi-venue market."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.events import EVENT, Flag, Kind, Side
from engine.core.units import NANOS
from engine.core.venues import VENUES
from engine.sim.market import NEVER, NO_SLOT, NO_TOP, Market, Slot, Top, VenueBook
from engine.sim.world import OPEN, World

SECOND = NANOS


def best(levels: dict[int, int], side: Side, venue: int) -> Slot:
    if not levels:
        return NO_SLOT
    price = max(levels) if side is Side.BID else min(levels)
    return Slot(venue, price, levels[price])


def test_a_seed_means_this_market():
    def digest(seed: int, step: int) -> str:
        market, ticks = Market(seed=seed, duration="1s"), []
        for now in range(market.start, market.start + SECOND + step + 1, step):
            for batch in market.advance(now):
                ticks += batch.ticks
        return hashlib.sha256(repr(ticks).encode()).hexdigest()

    assert digest(7, SECOND) == digest(7, 3_000_000)  # however it is asked
    assert digest(7, SECOND) != digest(8, SECOND)
    assert digest(7, SECOND)[:16] == "131705f5209b5daf"  # changes only when the flow is meant to


def test_venue_books_are_parts_of_the_one_flow_and_the_nbbo_is_over_them():
    market, world = Market(seed=3, duration="1s"), World(("AAPL", "MSFT", "SPY"), 3, "1s", interval="1ms", rate=200)
    kept = {(symbol, venue): NO_TOP for symbol in market.symbols for venue in market.venues}
    nbbo = dict.fromkeys(market.symbols, NO_TOP)
    for batch in world:
        close = int(batch["ts_recv"][0])
        for told in market.advance(close):
            assert told.close == close
            for tick in told.ticks:
                for venue, top in tick.tops:
                    assert top != kept[tick.symbol, venue]
                    kept[tick.symbol, venue] = top
                if tick.nbbo is not None:
                    assert tick.nbbo != nbbo[tick.symbol]
                    nbbo[tick.symbol] = tick.nbbo
        for symbol in market.symbols:
            truth = world.truth(symbol)
            for side in (Side.BID, Side.ASK):
                whole: dict[int, int] = {}
                for venue in market.venues:
                    for price, quantity in market.book(symbol, venue).levels[side].items():
                        whole[price] = whole.get(price, 0) + quantity
                assert whole == {
                    price: sum(order.quantity for order in orders) for price, orders in truth.levels[side].items()
                }
            tops = {venue: market.top(symbol, venue) for venue in market.venues}
            for venue, top in tops.items():
                levels = market.book(symbol, venue).levels
                assert top == Top(best(levels[Side.BID], Side.BID, venue), best(levels[Side.ASK], Side.ASK, venue))
                assert kept[symbol, venue] == top
            shown = market.nbbo(symbol)
            assert shown == nbbo[symbol]
            assert shown.bid.price == truth.best(Side.BID)
            assert shown.ask.price == truth.best(Side.ASK)
            assert shown.bid.price < shown.ask.price
            assert shown.bid.quantity == max(
                top.bid.quantity for top in tops.values() if top.bid.price == shown.bid.price
            )


def test_venues_get_their_shares():
    market = Market(("A",), seed=1, duration="10s", rate=1_000)
    levels = [level for batch in market.advance(NEVER - 1) for tick in batch.ticks for level in tick.levels]
    share = {name: sum(level.venue == VENUES[name] for level in levels) / len(levels) for name in VENUES}
    assert 0.25 < share["XNAS"] < 0.4
    assert 0.09 < share["IEXG"] < 0.2
    assert market.next_time == NEVER
    assert market.advance(NEVER) == []


def test_prints_are_at_resting_orders_or_hidden():
    market = Market(seed=5, duration="5s")
    ticks = [tick for batch in market.advance(NEVER - 1) for tick in batch.ticks]
    prints = [each for tick in ticks for each in tick.prints]
    assert len({each.trade_id for each in prints}) == len(prints) > 50
    assert any(each.hidden for each in prints)
    for tick in ticks:
        for each in tick.prints:
            if not each.hidden:
                assert any(level[:3] == (each.venue, each.side, each.price) for level in tick.levels)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([Side.BID, Side.ASK]), st.integers(1, 6), st.integers(-3, 3)), min_size=1, max_size=60
    )
)
def test_a_venue_book_keeps_its_top(changes):
    book, levels = VenueBook(9), {Side.BID: {}, Side.ASK: {}}
    for side, price, quantity in changes:
        before = book.top
        left = max(0, levels[side].get(price, 0) + quantity)
        assert book.add(side, price, quantity) == (9, side, price, left)
        levels[side][price] = left
        levels[side] = {price: left for price, left in levels[side].items() if left}
        assert book.levels == levels
        assert book.top == Top(best(levels[Side.BID], Side.BID, 9), best(levels[Side.ASK], Side.ASK, 9))
        assert book.take_changed() == (before != book.top)


def test_a_tape_is_played_with_its_times_moved():
    tape = list(World(("X", "Y"), 4, "1s", start=OPEN - 5 * SECOND))
    played = Market(("X", "Y"), source=tape, start=OPEN)
    made = Market(("X", "Y"), seed=4, duration="1s", rate=1_000, interval="10ms")
    first = [tick.ts for batch in played.advance(NEVER - 1) for tick in batch.ticks]
    made.advance(NEVER - 1)
    assert first[0] == OPEN
    assert first[-1] < OPEN + SECOND
    for symbol in ("X", "Y"):  # another seed spreads the orders otherwise
        assert played.nbbo(symbol).bid.price == made.nbbo(symbol).bid.price


def test_levels_and_quotes_of_a_tape_stay_at_their_venue():
    rows = [
        (Kind.LEVEL, Side.BID, 10, 5, 1),
        (Kind.LEVEL, Side.BID, 11, 5, 1),
        (Kind.QUOTE, Side.ASK, 12, 7, 2),
        (Kind.QUOTE, Side.ASK, 13, 8, 2),
        (Kind.LEVEL, Side.BID, 11, 0, 1),
        (Kind.TRADE, Side.ASK, 13, 1, 2),
        (Kind.STATUS, Side.NONE, 0, 0, 2),
    ]
    events = np.zeros(len(rows), EVENT)
    for place, (kind, side, price, quantity, venue) in enumerate(rows):
        events[place]["kind"], events[place]["side"], events[place]["venue"] = kind, side, venue
        events[place]["price"], events[place]["quantity"], events[place]["flags"] = price, quantity, Flag.LAST
    market = Market(("X",), source=[events])
    (batch,) = market.advance(OPEN)
    assert market.nbbo("X") == Top(Slot(1, 10, 5), Slot(2, 13, 8))
    assert [len(tick.prints) for tick in batch.ticks] == [0, 0, 0, 0, 0, 1]
    clear = events[:1].copy()
    clear["kind"], clear["side"] = Kind.CLEAR, Side.NONE
    cleared = Market(("X",), source=[events, clear])
    cleared.advance(NEVER - 1)
    assert cleared.nbbo("X").bid == NO_SLOT


def test_orders_of_a_tape_that_begins_in_the_middle_are_left_out():
    rows = [(Kind.DELETE, 1, 0, 0), (Kind.ADD, 2, 10, 5), (Kind.REPLACE, 2, 11, 6), (Kind.EXECUTE, 2, 0, 9)]
    events = np.zeros(len(rows), EVENT)
    for place, (kind, order, price, quantity) in enumerate(rows):
        events[place]["kind"], events[place]["side"], events[place]["order_id"] = kind, Side.BID, order
        events[place]["price"], events[place]["quantity"], events[place]["flags"] = price, quantity, Flag.LAST
    ticks = [tick for batch in Market(("X",), source=[events]).advance(OPEN) for tick in batch.ticks]
    assert [[level[2:] for level in tick.levels] for tick in ticks] == [[(10, 5)], [(10, 0), (11, 6)], [(11, 0)]]
    assert [each[2:4] for each in ticks[-1].prints] == [(11, 6)]


def test_wrong_arguments_say_so():
    with pytest.raises(ValueError, match="shares are"):
        Market(shares={"XNAS": 50})
    with pytest.raises(ValueError, match="expected a sequence of names"):
        Market("AAPL")
    with pytest.raises(KeyError, match="expected one of AAPL"):
        Market().nbbo("X")
