from __future__ import annotations

import pytest

from engine.core.events import Side
from engine.core.venues import venue_id
from tests.campaign.virtual import VirtualRun

QUOTE = b'[{"ev":"Q","sym":"AAPL","bx":12,"bp":%s,"bs":100,"t":9999999999999,"q":99999999}]'


@pytest.fixture
def run():
    run = VirtualRun(5, schedule="", seconds=0.5)
    assert run.run().good
    return run


def test_the_leader_may_change(run):
    polygon = run.aggregator.source(run.names.index("polygon"))
    assert run.composer.leader(0, "nbbo") == polygon
    run.composer.trust(polygon, False, run.now)
    assert run.composer.leader(0, "nbbo") == run.aggregator.source(run.names.index("alpaca-sip"))
    assert run.checker.disagreements(run.symbols) == []


@pytest.mark.parametrize("price", [b"1.00", b"0"])
def test_a_leader_that_says_something_else_is_found(run, price):
    run.composer.trust(run.aggregator.source(run.names.index("alpaca-sip")), False, run.now)
    run.lines.received(run.names.index("polygon"), QUOTE % price, run.now)
    assert any("AAPL" in text for text in run.checker.disagreements(run.symbols))
    assert run.checker.disagreements(["MSFT"]) == []


def test_nobody_leading_is_no_disagreement_but_no_rest_either(run):
    for line in range(len(run.names)):
        run.composer.trust(run.aggregator.source(line), False, run.now)
    assert run.checker.disagreements(run.symbols) == []
    assert "AAPL: nobody leads nbbo" in run.checker.at_rest(run.market, run.symbols)
    assert run.checker.at_rest(run.market, run.symbols, {"iex"}) == [
        f"{symbol}: nobody leads depth {venue_id('IEXG')}" for symbol in run.symbols
    ]
    assert run.checker.at_rest(run.market, run.symbols, ()) == []


def test_a_market_that_moved_on_is_found_at_rest(run):
    assert run.checker.at_rest(run.market, run.symbols) == []
    book = run.market.book("AAPL", venue_id("IEXG"))
    book.set(Side.BID, book.top.bid.price, book.top.bid.quantity + 1)
    assert [text.split(";")[0].split(":")[0] for text in run.checker.at_rest(run.market, run.symbols)] == [
        "AAPL IEXG bid"
    ]
