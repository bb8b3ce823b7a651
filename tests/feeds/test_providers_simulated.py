"""Each adapter against the simulated server of its provider: login, subscriptions, refusals, limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from engine.core.instruments import Instruments
from engine.errors import ConfigError, SessionLost, Throttled
from engine.feeds.alpaca import AlpacaFeed
from engine.feeds.book_view import BookView
from engine.feeds.finnhub import FinnhubFeed
from engine.feeds.polygon import PolygonFeed
from engine.feeds.protocol import Notice, Ready, Refused, Subscribed
from engine.sim.providers.alpaca import AlpacaServer
from engine.sim.providers.finnhub import FinnhubServer
from engine.sim.providers.polygon import PolygonServer
from engine.sim.providers.protocol import ProviderServer, Request, Send
from engine.sim.providers.protocol import Refused as Handshake
from tests.feeds.battery import SECOND, START, pump
from tests.feeds.virtual import MS, Pump

SYMBOLS = ["AAPL", "MSFT", "BRK.B"]


@dataclass
class Wire:
    """A line, a server, and what is between them."""

    line: Any
    server: ProviderServer
    number: int = 1
    open: bool = False
    notices: list[Notice] = field(default_factory=list)
    sent: list[Any] = field(default_factory=list)

    def connect(self, now: int = START) -> Wire:
        """The handshake, and everything either says until both are quiet."""
        path = "/" + self.line.url.partition("://")[2].partition("/")[2]
        headers = {name.lower(): value for name, value in self.line.headers.items()}
        refused = self.server.connect(self.number, Request(path, headers), now)
        if isinstance(refused, Handshake):
            self.line.closed(refused.status, refused.reason, now)
            self.notices += self.line.take_notices()
            return self
        self.open = True
        self.line.opened(now)
        return self.talk(now)

    def talk(self, now: int = START) -> Wire:
        """Until both are quiet."""
        while True:
            sent, self.sent = self.sent + self.line.take_outgoing(), []
            for data in sent:
                self.server.receive(self.number, data, now)
            output = self.server.take_output()
            self.notices += self.line.take_notices()
            for one in output:
                if one.connection != self.number or not self.open:
                    continue
                if isinstance(one, Send):
                    data = one.data.encode() if isinstance(one.data, str) else one.data
                    pumped = pump(self.line, data, now)
                    self.notices += pumped.notices
                    self.sent += pumped.outgoing
                    self._obey(now)
                else:
                    self.lose(one.code, one.reason, now)
            if not sent and not output and not self.sent:
                return self

    def _obey(self, now: int) -> None:
        if any(isinstance(notice, Refused) and notice.close for notice in self.notices):
            self.server.disconnected(self.number, now)
            self.lose(1000, "", now)

    def lose(self, code: int | None, reason: str, now: int) -> None:
        if self.open:
            self.open = False
            self.line.closed(code, reason, now)
            self.notices += self.line.take_notices()

    @property
    def refused(self) -> list[Refused]:
        return [notice for notice in self.notices if isinstance(notice, Refused)]


def polygon(server: PolygonServer, **settings) -> Wire:
    return Wire(PolygonFeed("K", Instruments(), url="ws://host", **settings), server)


def alpaca(server: AlpacaServer, codec: str = "json", feed: str = "iex") -> Wire:
    return Wire(AlpacaFeed("K", "S", Instruments(), codec=codec, feed=feed, url="ws://host"), server)


def finnhub(server: FinnhubServer) -> Wire:
    return Wire(FinnhubFeed("K", Instruments(), url="ws://host"), server)


WIRES: dict[str, Callable[[], Wire]] = {
    "polygon": lambda: polygon(PolygonServer(key="K")),
    "alpaca": lambda: alpaca(AlpacaServer(key="K", secret="S")),
    "alpaca-msgpack": lambda: alpaca(AlpacaServer(), "msgpack"),
    "alpaca-sip": lambda: alpaca(AlpacaServer(), "json", "sip"),
    "finnhub": lambda: finnhub(FinnhubServer(key="K")),
}


@pytest.mark.parametrize("name", WIRES)
def test_login_and_subscriptions(name):
    wire = WIRES[name]()
    wire.line.subscribe(SYMBOLS)
    wire.connect()
    assert Ready() in wire.notices
    assert wire.refused == []
    assert wire.line.subscribed == set(SYMBOLS)
    wire.line.unsubscribe(["MSFT"])
    wire.line.subscribe(["IBM"])
    wire.talk()
    assert wire.line.subscribed == {"AAPL", "BRK.B", "IBM"}
    wire.line.subscribe(["MSFT"])
    wire.talk()
    assert wire.line.subscribed == {*SYMBOLS, "IBM"}
    # again, on a new connection
    wire.server.disconnected(1, START)
    wire.lose(1006, "", START + 60 * SECOND)
    assert wire.line.subscribed == frozenset()
    wire.number = 2
    wire.connect(START + 61 * SECOND)
    assert wire.line.subscribed == {*SYMBOLS, "IBM"}
    assert wire.refused == []


@pytest.mark.parametrize("name", WIRES)
@pytest.mark.parametrize("refusal", ["key", "plan"])
def test_refused_keys_are_not_tried_again(name, refusal):
    wire = WIRES[name]()
    wire.server.conditions.auth_refusal = refusal
    wire.connect()
    if name == "finnhub" and refusal == "plan" and not wire.refused:
        return  # it knows no plans at the handshake
    assert [(type(one.error), one.retry, one.close) for one in wire.refused] == [(ConfigError, "never", True)]


@pytest.mark.parametrize("name", WIRES)
def test_a_slot_that_is_taken_is_waited_for(name):
    wire = WIRES[name]()
    wire.server.conditions.slot_taken = True
    wire.connect()
    assert [(type(one.error), one.retry, one.close) for one in wire.refused] == [(Throttled, "slow", True)]
    assert wire.refused[0].after >= SECOND
    wire.server.conditions.slot_taken = False
    wire.notices.clear()
    wire.number = 2
    wire.connect()
    assert Ready() in wire.notices
    assert wire.refused == []


def test_finnhub_drops_both():
    wire = finnhub(FinnhubServer())
    wire.connect()
    wire.server.intrude(START + SECOND)
    wire.talk(START + SECOND)
    assert [one.retry for one in wire.refused] == ["slow"]


def test_polygon_evicts_the_older():
    wire = polygon(PolygonServer())
    wire.connect()
    wire.server.intrude(START)
    wire.talk()
    assert [one.retry for one in wire.refused] == ["slow"]


def test_alpaca_keeps_the_older():
    wire = alpaca(AlpacaServer())
    wire.connect()
    newcomer = Wire(AlpacaFeed("K", "S", Instruments(), codec="json", url="ws://h"), wire.server)
    newcomer.number = 2
    newcomer.connect()
    assert [(one.retry, one.close) for one in newcomer.refused] == [("slow", True)]
    assert wire.open


@pytest.mark.parametrize("name", WIRES)
def test_throttled_handshakes(name):
    wire = WIRES[name]()
    wire.server.conditions.throttled = True
    wire.connect()
    assert [(type(one.error), one.retry) for one in wire.refused] == [(Throttled, "slow")]


@pytest.mark.parametrize("name", WIRES)
def test_slow_readers(name):
    wire = WIRES[name]()
    wire.connect()
    wire.notices.clear()
    wire.server.kill_slow(1, START + 60 * SECOND)
    wire.talk(START + 60 * SECOND)
    assert not wire.open
    assert [type(one.error) for one in wire.refused] == ([SessionLost] if name.startswith("alpaca") else [])


@pytest.mark.parametrize("name", WIRES)
def test_huge_frames(name):
    wire = WIRES[name]()
    wire.line.subscribe(SYMBOLS)
    wire.connect()
    wire.server.send_huge(500_000, START)
    wire.talk()
    assert wire.open
    assert wire.line.subscribed == set(SYMBOLS)


def test_topics_outside_the_plan():
    wire = polygon(PolygonServer(topics=frozenset({"T"})))
    wire.line.subscribe(["AAPL", "MSFT"])
    wire.connect()
    assert {one.channel for one in wire.refused if one.channel} == {"quotes"}
    assert wire.line.subscribed == {"AAPL", "MSFT"}
    assert wire.open


def test_the_first_topic_outside_the_plan():
    """One refusal a pair: the acknowledgements of the other topic come after all of them."""
    wire = polygon(PolygonServer(topics=frozenset({"Q"})))
    wire.line.subscribe(["AAPL", "MSFT"])
    wire.connect()
    assert wire.line.subscribed == {"AAPL", "MSFT"}
    assert wire.open


def test_symbol_limits():
    wire = alpaca(AlpacaServer(symbol_limit=4))
    wire.line.subscribe(["AAPL", "MSFT"])
    wire.connect()
    wire.line.subscribe(["IBM"])
    wire.talk()
    assert [(one.retry, one.close, one.symbols) for one in wire.refused] == [("never", False, ("IBM",))]
    assert wire.line.subscribed == {"AAPL", "MSFT"}
    other = finnhub(FinnhubServer(symbol_limit=1))
    other.line.subscribe(["AAPL", "MSFT"])
    other.connect()
    assert [(one.retry, one.close, one.symbols) for one in other.refused] == [("never", False, ())]


def test_a_malformed_symbol_costs_nobody_else():
    wire = alpaca(AlpacaServer())
    wire.line.subscribe(["AAPL", "a$$", "MSFT", "IBM"])
    wire.connect()
    assert wire.line.subscribed == {"AAPL", "MSFT", "IBM"}
    assert [one.symbols for one in wire.refused] == [("a$$",)]


@pytest.mark.parametrize("name", WIRES)
def test_a_client_that_does_not_log_in(name):
    """The server's timer ends it; what it says is a session lost, not a wrong key."""
    wire = WIRES[name]()
    if name == "finnhub":
        return
    wire.server.connect(1, Request("/stocks" if name == "polygon" else "/v2/iex", {}), START)
    wire.open = True
    wire.line.opened(START)
    wire.server.take_output()
    wire.server.timer(START + 3_600 * SECOND)
    wire.talk(START + 3_600 * SECOND)
    assert {one.retry for one in wire.refused} == {"usual"}
    assert [notice for notice in wire.notices if isinstance(notice, Subscribed)] == []


@pytest.mark.parametrize("lasts", [500, 2_000])
@pytest.mark.parametrize("line", ["alpaca-sip", "alpaca-json", "iex"])
def test_a_halt_on_the_wire_halts_the_book_until_it_ends(line: str, lasts: int) -> None:
    pump = Pump((line,), f"halt {line} at=2s for={lasts}ms")
    pump.give("start")
    pump.give("subscribe", -1, ("AAPL",))
    machine = pump.machine
    book = BookView("AAPL", 0, machine.composer, machine.books["AAPL"], machine.groups)
    pump.run(1_900 * MS)
    assert (book.state, book.two_sided) == ("live", True)
    pump.run(200 * MS)
    assert book.state == "halted"
    pump.run((lasts - 200) * MS)
    assert book.state == "halted"
    pump.run((300 if line != "iex" else 1_500) * MS)  # IEX begins anew after a silence
    assert (book.state, book.two_sided) == ("live", True)
