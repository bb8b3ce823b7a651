"""The live view: the readings are the native book's, the state says how far they can be relied on."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.events import EVENT, NO_INSTRUMENT, Flag, Kind, Side, Status
from engine.core.instruments import Instruments
from engine.core.units import NANOS
from engine.feeds.book_view import BookView
from engine.feeds.machine import Machine

QUOTES = [(Kind.NBBO, Side.BID, 10), (Kind.NBBO, Side.ASK, 11)]


def market() -> tuple[Machine, BookView]:
    machine = Machine([], Instruments(["AAPL"]))
    return machine, BookView("AAPL", 0, machine.composer, machine.books["AAPL"], machine.groups)


def push(machine: Machine, *rows: tuple[Kind, Side, int], status: int = 0, instrument: int = 0, now: int = 5) -> None:
    array = np.zeros(len(rows) + bool(status), EVENT)
    for row, (kind, side, price) in zip(array, rows, strict=False):
        row["kind"], row["side"], row["price"], row["quantity"] = kind, side, price * NANOS, NANOS
    if status:
        array[-1]["kind"], array[-1]["conditions"] = Kind.STATUS, status
    array["venue"], array["instrument"], array["ts_event"] = 1, instrument, now
    array["flags"][-1] = Flag.LAST
    machine.push("ours", array, now, "nbbo")


def test_states_follow_what_is_known() -> None:
    machine, book = market()
    assert (book.state, book.two_sided, book.trusted) == ("empty", False, False)
    push(machine, QUOTES[0])
    assert (book.state, book.two_sided) == ("live", False)
    push(machine, *QUOTES)
    assert (book.state, book.two_sided) == ("live", True)
    machine.composer.trust(0, trusted=False, now=6)
    assert (book.state, book.two_sided) == ("stale", False)
    machine.composer.trust(0, trusted=True, now=7)
    assert book.state == "live"
    machine.composer.reset(0, 8)
    assert book.state == "stale"
    assert repr(book) == "BookView('AAPL', stale, nan / nan)"


@pytest.mark.parametrize("status", [Status.HALTED, Status.PAUSED, Status.QUOTE_ONLY])
def test_halts_gate_the_state(status: Status) -> None:
    machine, book = market()
    push(machine, *QUOTES)
    push(machine, status=status, now=6)
    assert (book.state, book.two_sided) == ("halted", False)
    push(machine, status=Status.TRADING, now=7)
    push(machine, *QUOTES, now=8)
    assert (book.state, book.two_sided) == ("live", True)


def test_hours_without_trading_gate_the_state() -> None:
    machine, book = market()
    push(machine, *QUOTES)
    expected = {
        Status.SYSTEM_START_MESSAGES: "halted",
        Status.SYSTEM_START_HOURS: "live",
        Status.SYSTEM_START_MARKET: "live",
        Status.SYSTEM_END_MARKET: "live",
        Status.SYSTEM_END_HOURS: "halted",
        Status.SYSTEM_END_MESSAGES: "halted",
    }
    for now, (status, state) in enumerate(expected.items(), 6):
        push(machine, status=status, instrument=NO_INSTRUMENT, now=now)
        assert book.state == state, status


def test_readings_are_those_of_the_native_book() -> None:
    machine, book = market()
    push(machine, *QUOTES)
    native = machine.books["AAPL"]
    assert book.bbo() == native.bbo()
    assert book.bbo()[:4] == book.nbbo()[:4] == (10.0, 1.0, 11.0, 1.0)
    assert (book.mid(), book.spread(), book.microprice(), book.imbalance()) == (10.5, 1.0, 10.5, 0.0)
    assert book.spread_bps() == pytest.approx(952.38, abs=0.01)
    assert book.depth(2).tobytes() == native.depth(2).tobytes()
    assert (book.total("bid"), book.fill_price("buy", 1), book.walk("buy", 2).remaining) == (1.0, 11.0, 1.0)
    assert (book.crossed, book.locked, book.venue_names) == (False, False, ("XNAS",))
    assert len(book.venues(1)) == len(native.venues(1))
    assert len(book.venue_depth("XNAS", 1)) == 1
    assert (book.symbol, book.id) == ("AAPL", 0)
