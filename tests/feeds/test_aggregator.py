import numpy as np
import pytest

from engine._native.book import Books
from engine._native.compose import Composer
from engine.core.events import EVENT, Flag, Kind, Side
from engine.core.instruments import Instruments
from engine.core.venues import venue_id
from engine.feeds.aggregator import Aggregator

MS = 1_000_000
S = 1_000_000_000
START = 1_000 * S
CENT = 10_000_000


class Market:
    """Lines on the real composer; ``quote`` is an NBBO message of a line."""

    def __init__(self, *lines):
        self.instruments = Instruments()
        self.instruments.add("A", venues=["XNAS", "XNYS"])
        self.books = Books(self.instruments)
        self.composer = Composer(self.instruments, self.books)
        self.aggregator = Aggregator(self.instruments, self.composer)
        self.now = START
        for name, role, venue in lines:
            line = self.aggregator.add_line(name, "polygon", role, venue)
            self.aggregator.connecting(line, self.now)
            self.aggregator.ready(line, self.now)
            self.aggregator.subscribe(line, ["A"])

    def quote(self, line, bid=10_000, ask=10_001, late=0):
        events = np.zeros(2, EVENT)
        events["ts_recv"], events["ts_event"] = self.now, self.now - MS - late
        events["kind"], events["venue"], events["quantity"] = Kind.NBBO, 1, 100 * 10**9
        events["side"], events["price"] = [Side.BID, Side.ASK], [bid * CENT, ask * CENT]
        events["flags"] = [0, Flag.LAST]
        events["provider"] = 1
        self.composer.apply(self.aggregator.source(line), events)

    def run(self, duration, *quotes):
        """``quotes``: (line, keywords), twenty times a second; judged ten times."""
        for step in range(duration // (50 * MS)):
            self.now += 50 * MS
            for line, keywords in quotes:
                self.quote(line, **keywords)
            if step % 2:
                self.aggregator.judge(self.now)
        return [self.aggregator.report(line, self.now)["state"] for line in range(len(self.aggregator._lines))]

    @property
    def bid(self):
        return self.books["A"].bbo().bid


def pair():
    return Market(("polygon", "nbbo", 0), ("alpaca-sip", "nbbo", 0))


def test_a_mute_leader_hands_over():
    market = pair()
    assert market.run(2 * S, (0, {}), (1, {"bid": 9_999})) == ["live", "live"]
    assert market.bid == 100.0
    assert market.run(S, (1, {"bid": 9_999})) == ["mute", "live"]
    assert market.bid == 99.99
    assert market.aggregator.report(0, market.now)["score"] == 0.5


def test_a_recovered_line_waits_behind_the_better_score():
    market = pair()
    market.run(2 * S, (0, {}), (1, {"bid": 9_999}))
    market.run(S, (1, {"bid": 9_999}))
    assert market.run(3 * S, (0, {}), (1, {"bid": 9_999})) == ["live", "live"]
    assert market.bid == 99.99
    market.run(400 * S, (0, {}), (1, {"bid": 9_999}))
    assert market.bid == 100.0


def test_a_wrong_scale_is_revealed_by_the_other_line():
    market = pair()
    market.run(2 * S, (0, {}), (1, {}))
    assert market.run(S, (0, {"bid": 100, "ask": 101}), (1, {})) == ["quarantined", "live"]
    assert market.aggregator.report(0, market.now)["suspect"]["scale"] >= 3
    assert market.bid == 100.0


def test_crossed_quotes_are_revealed_by_the_other_line():
    market = pair()
    market.run(2 * S, (0, {}), (1, {}))
    assert market.run(S, (0, {"bid": 10_005}), (1, {})) == ["quarantined", "live"]
    assert market.bid == 100.0


def test_a_lagging_line_is_told_by_its_stamps():
    market = pair()
    market.run(2 * S, (0, {}), (1, {}))
    assert market.run(S, (0, {"late": 900 * MS}), (1, {})) == ["lagging", "live"]
    assert market.aggregator.report(0, market.now)["excess_ns"] == 900 * MS


def test_a_line_alone_is_exempt_and_the_report_says_so():
    market = Market(("polygon", "nbbo", 0))
    market.run(2 * S, (0, {}))
    assert market.run(2 * S, (0, {"bid": 100, "ask": 101})) == ["live"]
    report = market.aggregator.report(0, market.now)
    assert report["alone"]
    assert report["exempt"]
    assert report["reason"] == "alone: judged by heartbeats and its own rate; wrong data would not show"


def test_lines_of_other_classes_or_symbols_reveal_nothing():
    market = Market(("polygon", "nbbo", 0), ("alpaca", "top", 8), ("iex", "depth", 8))
    market.run(S, (0, {}))
    assert all(market.aggregator.report(line, market.now)["alone"] for line in range(3))
    market = pair()
    market.aggregator.unsubscribe(1, ["A"])
    market.run(S, (0, {}))
    assert market.aggregator.report(0, market.now)["alone"]


def test_a_line_of_another_class_reveals_crossed_quotes():
    market = Market(("polygon", "nbbo", 0), ("alpaca", "top", 8))
    top = np.zeros(2, EVENT)
    top["kind"], top["venue"], top["quantity"], top["provider"] = Kind.QUOTE, 8, 10**9, 2
    top["side"], top["price"], top["flags"] = [Side.BID, Side.ASK], [9_990 * CENT, 10_011 * CENT], [0, Flag.LAST]

    def run(**quote):
        for step in range(40):
            market.now += 50 * MS
            top["ts_recv"] = top["ts_event"] = market.now
            market.quote(0, **quote)
            market.composer.apply(market.aggregator.source(1), top)
            if step % 2:
                market.aggregator.judge(market.now)
        return market.aggregator.report(0, market.now)

    assert run()["reason"] == "no other line of its class: silence is judged by heartbeats and its own rate"
    assert run(bid=10_005)["state"] == "quarantined"
    assert market.bid == 99.9


def test_prints_are_compared_with_any_line_that_prints():
    market = Market(("polygon", "nbbo", 0), ("finnhub", "prints", 0))
    trade = np.zeros(1, EVENT)
    trade["kind"], trade["price"], trade["quantity"], trade["flags"] = Kind.TRADE, 10_000 * CENT, 10**9, Flag.LAST

    def trades(*lines):
        for _ in range(40):
            market.now += 50 * MS
            for line in lines:
                trade["ts_recv"] = trade["ts_event"] = market.now
                trade["order_id"] += 1
                market.composer.apply(market.aggregator.source(line), trade)
            market.aggregator.judge(market.now)

    trades(0, 1)
    assert not market.aggregator.report(1, market.now)["alone"]
    trades(0)
    assert market.aggregator.report(1, market.now)["state"] == "mute"


def test_a_lost_line_contributes_nothing_until_it_is_back():
    market = Market(("polygon", "nbbo", 0))
    market.run(S, (0, {}))
    market.aggregator.lost(0, market.now, "dropped")
    assert np.isnan(market.bid)
    market.aggregator.connecting(0, market.now, "again in 3 ms")
    market.quote(0)
    assert np.isnan(market.bid)
    market.aggregator.ready(0, market.now)
    market.quote(0)
    assert market.bid == 100.0


def test_a_gap_empties_what_it_knew():
    market = Market(("polygon", "nbbo", 0))
    market.run(S, (0, {}))
    market.aggregator.gap(0, market.now)
    assert np.isnan(market.bid)
    assert market.aggregator.report(0, market.now)["score"] == 0.5


def test_levels_before_the_snapshot_of_a_depth_are_counted():
    market = Market(("ours", "depth", venue_id("IEXG")))
    source = market.aggregator.source(0)
    market.aggregator.gap(0, market.now)
    level = np.zeros(1, EVENT)
    level["kind"], level["side"], level["venue"] = Kind.LEVEL, Side.BID, venue_id("IEXG")
    level["price"], level["quantity"], level["flags"] = 100 * 10**9, 10**9, Flag.LAST
    market.composer.apply(source, level)
    assert market.aggregator.report(0, market.now)["waiting"] == 1
    clear = level.copy()
    clear["kind"], clear["side"] = Kind.CLEAR, Side.NONE
    market.composer.apply(source, np.concatenate([clear, level]))
    assert market.aggregator.report(0, market.now)["waiting"] == 1
    assert market.bid == 100.0


def test_delayed_lines_have_no_source():
    market = pair()
    line = market.aggregator.add_line("delayed", "alpaca", "nbbo", live=False)
    assert market.aggregator.source(line) == -1
    for act in (market.aggregator.connecting, market.aggregator.ready, market.aggregator.gap, market.aggregator.charge):
        act(line, market.now)
    market.aggregator.subscribe(line, ["A"])
    market.aggregator.unsubscribe(line, ["A", "B"])
    assert market.run(S, (0, {}), (1, {}))[line] == "live"
    market.aggregator.lost(line, market.now, "dropped")
    assert market.aggregator.report(line, market.now)["state"] == "down"


def test_unknown_symbols_are_an_error_of_the_caller():
    market = pair()
    with pytest.raises((KeyError, ValueError)):
        market.aggregator.subscribe(0, ["NOBODY"])
