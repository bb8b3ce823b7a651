"""The machine against simulated providers in virtual time, and events that users push."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.config import Provider
from engine.core.events import EVENT, NO_INSTRUMENT, Flag, Kind, Side
from engine.core.instruments import Instruments
from engine.core.units import NANOS
from engine.core.venues import venue_id
from engine.errors import ConfigError
from engine.feeds.book_view import BookView
from engine.feeds.machine import Machine, feeds_of
from tests.feeds.virtual import MS, PROVIDERS, Pump


def rows(*values: tuple[Kind, Side, int, int, str], instrument: int = 0) -> np.ndarray:
    """Events of (kind, side, price, quantity, venue), each a message."""
    array = np.zeros(len(values), EVENT)
    for row, (kind, side, price, quantity, venue) in zip(array, values, strict=True):
        row["kind"], row["side"], row["price"], row["quantity"] = kind, side, price * NANOS, quantity * NANOS
        row["venue"] = venue_id(venue) if venue else 0
    array["flags"] = Flag.LAST
    array["instrument"] = instrument
    array["ts_event"] = array["ts_recv"] = np.arange(1, len(values) + 1)
    return array


def alone() -> Machine:
    return Machine([], Instruments(["AAPL", "MSFT"]))


def view(machine: Machine, symbol: str = "AAPL") -> BookView:
    number = machine.instruments[symbol].id
    return BookView(symbol, number, machine.composer, machine.books[symbol], machine.groups)


def test_simulated_providers_make_one_live_book() -> None:
    pump = Pump(("polygon", "alpaca-sip", "iex", "finnhub"))
    pump.give("start")
    pump.give("subscribe", -1, ("AAPL",))
    book = view(pump.machine)
    assert book.state == "empty"
    pump.run(3_000 * MS)
    assert book.state == "live"
    assert book.two_sided
    truth = pump.simulator.market.nbbo("AAPL")
    quote = book.nbbo()
    assert (round(quote.bid * NANOS), round(quote.ask * NANOS)) == (truth.bid.price, truth.ask.price)
    health = pump.machine.health(pump.now)
    assert {name: report["state"] for name, report in health.items()} == dict.fromkeys(
        ("polygon", "alpaca-sip", "iex", "finnhub"), "live"
    )
    assert health["iex"]["role"] == "depth"
    assert len(pump.machine.composer.take_trades()) > 0
    pump.give("unsubscribe", -1, ("AAPL",))
    assert book.state == "stale"
    assert np.isnan(book.bbo().bid)


def test_pushed_levels_make_a_book_of_depth() -> None:
    machine = alone()
    book = view(machine)
    machine.push(
        "ours",
        rows(
            (Kind.CLEAR, Side.NONE, 0, 0, "OURX"),
            (Kind.LEVEL, Side.BID, 10, 5, "OURX"),
            (Kind.LEVEL, Side.BID, 9, 7, "OURX"),
            (Kind.LEVEL, Side.ASK, 11, 5, "XNAS"),
        ),
        now=5,
    )
    assert (book.state, book.two_sided) == ("live", True)
    assert book.bbo()[:4] == (10.0, 5.0, 11.0, 5.0)
    assert sorted(book.venue_names) == ["OURX", "XNAS"]
    assert machine.composer.take_changes().tolist() == [0]
    assert machine.names == ("ours",)
    machine.aggregator.judge(6)
    report = machine.health(6)["ours"]
    assert (report["role"], report["state"], report["updates"]) == ("depth", "live", 4)
    machine.push("ours", rows((Kind.LEVEL, Side.BID, 10, 0, "OURX"), instrument=0), now=7)
    assert book.bbo().bid == 9.0
    restart = rows((Kind.CLEAR, Side.NONE, 0, 0, "OURX"))
    restart["instrument"] = NO_INSTRUMENT
    machine.push("ours", restart, now=8)
    assert np.isnan(book.bbo().bid)


@pytest.mark.parametrize(
    ("events", "role"),
    [
        (rows((Kind.NBBO, Side.BID, 10, 5, "XNAS"), (Kind.TRADE, Side.NONE, 10, 5, "XNAS")), "nbbo"),
        (rows((Kind.QUOTE, Side.BID, 10, 5, "XNAS"), (Kind.QUOTE, Side.ASK, 11, 5, "XNAS")), "top"),
        (rows((Kind.QUOTE, Side.BID, 10, 5, "XNAS"), (Kind.QUOTE, Side.ASK, 11, 5, "XNYS")), "montage"),
        (rows((Kind.CLEAR, Side.NONE, 0, 0, "XNAS")), "depth"),
        (rows((Kind.TRADE, Side.NONE, 10, 5, "XNAS")), "prints"),
        (np.zeros(0, EVENT), "prints"),
    ],
)
def test_the_first_push_tells_the_role(events: np.ndarray, role: str) -> None:
    machine = alone()
    machine.push("ours", events, 1)
    assert machine.roles["ours"] == role
    other = alone()
    other.push("ours", events[:0], 1, "montage")
    assert other.roles["ours"] == "montage"


def test_pushed_prints_are_trades() -> None:
    machine = alone()
    machine.push("ours", rows((Kind.TRADE, Side.NONE, 10, 5, "XNAS"), instrument=1), 1)
    trades = machine.composer.take_trades()
    assert (trades["instrument"].tolist(), trades["provider"].tolist()) == ([1], [128])
    assert view(machine, "MSFT").state == "empty"  # prints make no book


def test_what_cannot_be_pushed_is_told() -> None:
    machine = Machine(feeds_of([PROVIDERS["polygon"]], table := Instruments(["AAPL"])), table)
    with pytest.raises(ConfigError, match="push as 'polygon': a line has that name"):
        machine.push("polygon", np.zeros(1, EVENT), 1)
    with pytest.raises(ValueError, match="instrument 1 is not known"):
        machine.push("ours", rows((Kind.TRADE, Side.NONE, 1, 1, "XNAS"), instrument=1), 1)
    with pytest.raises(ValueError, match=r"an event pushed as 'ours' has venue 0; .* it is a depth"):
        machine.push("ours", rows((Kind.LEVEL, Side.BID, 10, 5, ""), instrument=0), 1)
    assert "ours" not in machine.names
    for wrong in ([1], np.zeros(1), np.zeros((1, 1), EVENT)):
        with pytest.raises(ValueError, match=r"expected \(n,\) of engine.EVENT"):
            machine.push("ours", wrong, 1)  # type: ignore[arg-type]
    for number in range(63):
        machine.push(f"p{number}", np.zeros(0, EVENT), 1)
    with pytest.raises(ConfigError, match="push as 'one more': a composer has at most 64 sources"):
        machine.push("one more", np.zeros(0, EVENT), 1)


def test_two_lines_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="line 'polygon' is there twice"):
        feeds_of([Provider("polygon", key="a"), Provider("polygon", key="b")], Instruments())


def test_a_push_with_more_venues_than_there_is_room_for_is_refused_as_a_whole() -> None:
    machine = alone()
    quotes = np.repeat(rows((Kind.QUOTE, Side.BID, 10, 100, "XNAS")), 80)
    quotes["venue"] = np.arange(1, 81)
    with pytest.raises(ConfigError, match="push as 'too many': a composer has at most 64 sources"):
        machine.push("too many", quotes, 1, "top")
    with pytest.raises(ConfigError, match="push as 'wrong': role is 'deep'; expected one of"):
        machine.push("wrong", quotes, 1, "deep")  # type: ignore[arg-type]
    assert view(machine).state == "empty"
    assert machine.names == ()  # nor has it taken a number: a recording does not know of it
    machine.push("ours", quotes[:64], 2, "top")
    assert view(machine).bbo().bid_quantity == 6_400
