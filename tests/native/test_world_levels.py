"""Orders told as levels: the book stays the same, native and twin tell the same."""

import numpy as np
import pytest

from engine import EVENT, Instruments, Kind, World
from engine._native.book import Books
from engine._native.world import LevelFeed
from engine.core.events import Flag
from engine.core.venues import venue_id
from tests.reference.levels import LevelFeed as Twin


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_book_of_levels_is_the_book_of_orders(seed):
    world = World(["AAPL", "MSFT"], seed, "3s")
    feed, twin = LevelFeed(venue_id("XNAS"), 3), Twin(venue_id("XNAS"), 3)
    instruments = Instruments(["AAPL", "MSFT"])
    by_price, by_order = Books(instruments), Books(instruments, "order")
    for batch in world:
        by_order.apply(batch)
        events = feed.convert(batch)
        assert events.tobytes() == twin.convert(batch).tobytes()
        by_price.apply(events)
        assert set(np.unique(events["kind"]).tolist()) <= {Kind.LEVEL, Kind.TRADE, Kind.STATUS}
        for symbol in ("AAPL", "MSFT"):
            ours, truth = by_price[symbol].depth(20), by_order[symbol].depth(20)
            for name in ("bid_price", "bid_quantity", "ask_price", "ask_quantity"):
                assert np.array_equal(ours[name], truth[name], equal_nan=True)


def test_an_execution_is_a_print_and_an_atomic_event_stays_one():
    feed = LevelFeed(1)
    events = np.zeros(3, EVENT)
    events["order_id"], events["side"], events["price"], events["flags"] = 7, 1, 100, Flag.LAST
    events["kind"], events["quantity"] = [Kind.ADD, Kind.EXECUTE, Kind.EXECUTE], [10, 4, 6]
    events[1]["flags"] = 0
    found = feed.convert(events)
    assert found["kind"].tolist() == [Kind.LEVEL, Kind.TRADE, Kind.TRADE, Kind.LEVEL]
    assert found["quantity"].tolist() == [10, 4, 6, 0]
    assert found["flags"].tolist() == [Flag.LAST, 0, 0, Flag.LAST]
    assert found["order_id"].tolist()[1:3] == [1, 2]
