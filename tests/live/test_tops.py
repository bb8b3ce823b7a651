import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine import EVENT, NANOS, Flag, Instruments, Kind, Side
from engine._native.book import Books
from engine._native.compose import Composer
from engine.core.events import Condition
from engine.core.venues import venue_id
from engine.feeds.book_view import BookView
from engine.live.tops import Tops


def view(levels):
    instruments = Instruments(["AAPL"])
    books = Books(instruments)
    composer = Composer(instruments, books)
    source = composer.add_source(1, "depth", venue_id("XNAS"))
    composer.subscribe(source, 0)
    events = np.zeros(len(levels) + 1, EVENT)
    events["venue"] = venue_id("XNAS")
    events[0]["kind"], events[0]["flags"] = Kind.CLEAR, Flag.SNAPSHOT
    for event, (side, price, quantity) in zip(events[1:], levels, strict=True):
        event["kind"], event["side"], event["price"], event["quantity"] = Kind.LEVEL, side, price, quantity
    events[-1]["flags"] |= Flag.LAST
    composer.apply(source, events)
    return BookView("AAPL", 0, composer, books["AAPL"], [("depth", venue_id("XNAS"))])


@given(
    st.integers(1, 900_000 * 10_000), st.integers(1, 100_000), st.integers(1, 10_000_000), st.integers(1, 10_000_000)
)
def test_readings_turn_back_into_the_counts_they_were_made_of(bid, spread, bid_quantity, ask_quantity):
    price, ask = bid * 100_000, (bid + spread) * 100_000  # ten thousandths, up to 900,000
    quantities = bid_quantity * NANOS, ask_quantity * NANOS
    book = view([(Side.BID, price, quantities[0]), (Side.ASK, ask, quantities[1])])
    top = Tops().top(book, 2)
    assert (top.bid, top.bid_quantity, top.ask, top.ask_quantity) == (price, quantities[0], ask, quantities[1])
    assert (top.nbbo_bid, top.nbbo_ask) == (price, ask)  # nobody tells the national best: the composed top
    assert (top.bids, top.asks) == (((price, quantities[0]),), ((ask, quantities[1]),))
    assert top.state == "live"


def test_an_empty_side_is_zero():
    top = Tops().top(view([(Side.BID, NANOS, NANOS)]), 0)
    assert (top.bid, top.ask, top.ask_quantity, top.bids) == (NANOS, 0, 0, ())


def test_last_and_volume_count_the_prints_that_make_them():
    tops = Tops()
    events = np.zeros(4, EVENT)
    events["kind"] = Kind.TRADE
    events["price"], events["quantity"] = [10, 11, 12, 13], [1, 2, 4, 8]
    events["conditions"] = [0, Condition.NO_LAST, Condition.NO_VOLUME, 0]
    events[3]["kind"] = Kind.TRADE_BREAK
    tops.trades(events)
    top = tops.top(view([]), 0)
    assert (top.last, top.volume) == (12, 3)
