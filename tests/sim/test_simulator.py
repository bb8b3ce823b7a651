"""Servers, market and faults together, in virtual time."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.units import NANOS
from engine.core.venues import VENUES
from engine.errors import ConfigError
from engine.sim.faults import faults
from engine.sim.market import NEVER, Market
from engine.sim.simulator import PROVIDERS, Simulator, default_path, provider_of
from engine.sim.truth_log import Closed, Frame, LineTruth
from tests.sim.providers.conversation import LOGIN, Conversation

LINES = ["polygon", "alpaca-sip", "alpaca-iex", "finnhub", "iex", "iex-tops"]


class Clients:
    """One client a line, which connects again 50 ms after it was dropped or refused; whole run in virtual time."""

    def __init__(self, spec: Any, *, seed: int = 1, seconds: float = 4, step: int = 0) -> None:
        self.market = Market(seed=seed, duration="60s", rate=100)
        self.simulator = Simulator(self.market, LINES, spec, seed=seed)
        self.truth = {line: LineTruth() for line in LINES}
        self.connections: dict[int, str] = {}
        self.output: list[Any] = []
        retry = dict.fromkeys(LINES, self.market.start)
        now, end = self.market.start, self.market.start + int(seconds * NANOS)
        while now <= end:
            for line in [line for line, due in retry.items() if due <= now]:
                del retry[line]
                if not self.connect(line, now):
                    retry[line] = now + 50_000_000
            for item in self.simulator.take_output(now):
                self.output.append(item)
                line = self.connections.get(item.connection)
                if isinstance(item, Closed):
                    self.truth[item.line].reset()
                    retry[item.line] = now + 50_000_000
                elif line:
                    self.truth[line].receive(item)
            due = min(self.simulator.next_time, *retry.values()) if retry else self.simulator.next_time
            now = max(now + 1, due) if not step else now + step
            self.simulator.advance(min(now, end))

    def connect(self, line: str, now: int) -> bool:
        connection = self.simulator.connect(line, now, "/?token=k" if line == "finnhub" else None)
        if not isinstance(connection, int):
            return False
        self.connections[connection] = line
        for message in LOGIN[provider_of(line)]:
            self.simulator.receive(connection, message, now)
        return True


def digest(output: list[Any]) -> str:
    return hashlib.sha256(repr(output).encode()).hexdigest()


def test_a_seed_means_these_bytes():
    spec = faults(5, LINES, "3s", count=8)
    assert digest(Clients(spec, seconds=3).output) == digest(Clients(spec, seconds=3).output)
    assert digest(Clients(spec, seconds=3).output) != digest(Clients(spec, seed=2, seconds=3).output)
    fine, coarse = Clients("", seconds=2).output, Clients("", seconds=2, step=17_000_000).output
    fine, coarse = ([item for item in out if item.time < fine[0].time + 1_900_000_000] for out in (fine, coarse))
    for line in LINES:  # however often it is asked
        assert [item for item in fine if item.line == line] == [item for item in coarse if item.line == line]


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32))
def test_after_the_faults_every_line_shows_the_truth(seed):
    clients = Clients(faults(seed, LINES, "4s"), seed=seed, seconds=6.5)
    market, iexg = clients.market, VENUES["IEXG"]
    for symbol in market.symbols:
        for line in ("polygon", "alpaca-sip"):
            shown = clients.truth[line].tops.get(symbol)
            assert shown is None or shown == market.nbbo(symbol)
        shown = clients.truth["alpaca-iex"].tops.get(symbol)
        assert shown is None or shown == market.top(symbol, iexg)
        assert clients.truth["iex-tops"].top(symbol) == market.top(symbol, iexg)
        assert clients.truth["iex"].levels[symbol] == market.book(symbol, iexg).levels
    for item in clients.output:
        assert item.time >= market.start
    counts = dict.fromkeys(clients.connections, 0)
    for item in clients.output:
        if isinstance(item, Frame):
            counts[item.connection] += 1
            assert item.number == counts[item.connection]
            logged = clients.simulator.truth.frames(item.connection)[item.number - 1]
            assert logged == item._replace(data=b"")


def test_disconnects_with_and_without_a_close_frame():
    talk = Conversation("polygon", "disconnect polygon at=1s code=1012; disconnect polygon at=2s close=no")
    talk.login()
    talk.run(1.5)
    assert talk.take()[-1][2:4] == (1012, "going away")
    talk.login()
    talk.run(1)
    assert talk.take()[-1][2:4] == (None, "disconnect")


def test_half_open_then_dropped():
    talk = Conversation("alpaca-sip", "half_open alpaca-sip at=1s for=1s")
    one = talk.login()
    talk.run(1)
    talk.take()
    assert talk.simulator.is_half_open(one)
    talk.send(one, '{"action":"unsubscribe"}')
    talk.run(0.5)
    two = talk.connect()  # lives, but the dead one holds the slot
    talk.send(two, LOGIN["alpaca"][0])
    assert talk.take_messages(two)[1]["code"] == 406
    talk.run(0.7)
    assert talk.take()[-1][1:4] == (one, None, "half_open")
    assert not talk.simulator.is_half_open(one)


def test_mute_is_silence_of_data_with_answers_still():
    talk = Conversation("polygon", "mute polygon at=1s for=1s")
    one = talk.login()
    talk.run(1)
    talk.take()
    talk.run(0.9)
    assert talk.take() == []
    talk.send(one, '{"action":"subscribe","params":"A.AAPL"}')
    assert talk.take_messages(one)[0]["message"] == "subscribed to: A.AAPL"
    talk.run(0.5)
    assert len(talk.take()) > 20


def told(talk: Conversation, kind: str) -> list[tuple[Any, Any]]:
    """(message, change) of quotes under a fault."""
    return [
        (message, change)
        for frame in talk.output
        if isinstance(frame, Frame) and frame.fault == kind
        for message, change in zip(json.loads(frame.data), frame.changes, strict=True)
        if change.top is not None and change.top.bid.quantity and change.top.ask.quantity
    ]


def test_wrong_scale_crossed_and_skewed_stamps():
    talk = Conversation("polygon", "wrong_scale polygon at=1s for=1s factor=1/100")
    talk.login()
    talk.run(2.5)
    quotes = told(talk, "wrong_scale")
    assert len(quotes) > 20
    for message, change in quotes:
        assert round(message["bp"] * NANOS * 100) == change.top.bid.price
    talk = Conversation("alpaca-sip", "crossed alpaca-sip at=1s for=1s")
    talk.login()
    talk.run(2.5)
    assert len(told(talk, "crossed")) > 20
    for message, change in told(talk, "crossed"):
        assert message["bp"] > message["ap"]
        assert change.top.bid.price < change.top.ask.price
    talk = Conversation("polygon", "clock_skew polygon at=1s for=1s by=-3s")
    talk.login()
    talk.run(2.5)
    assert {round((frame.time / 1_000_000 - json.loads(frame.data)[-1]["t"]) / 1_000)
            for frame in talk.output if frame.fault == "clock_skew"} == {3}  # fmt: skip


def test_throttled_handshakes_and_refused_logins():
    talk = Conversation("polygon", "throttle polygon at=1s for=1s; auth_refusal polygon at=3s for=1s")
    talk.login()
    talk.run(1.5)
    assert talk.take()[-1][2:4] == (None, "throttle")
    assert talk.connect().status == 429
    talk.run(0.6)
    talk.login()
    talk.run(1.5)
    assert talk.take()[-1][2:4] == (None, "auth_refusal")
    one = talk.connect()
    talk.send(one, LOGIN["polygon"][0])
    assert talk.take_messages(one)[1]["status"] == "auth_failed"
    limited = Conversation("polygon", "connection_limit polygon at=1s for=1s")
    limited.login()
    limited.run(1.5)
    assert limited.take()[-1].code == 1008
    two = limited.login()
    assert [item.code for item in limited.take() if isinstance(item, Closed)] == [1008]
    limited.send(two, "too late")
    assert limited.take() == []


def test_slow_readers_are_told_of_from_outside():
    talk = Conversation("alpaca-sip")
    one = talk.login()
    talk.take()
    talk.simulator.kill_slow(one, talk.time)
    talk.simulator.kill_slow(99, talk.time)
    talk.run(0)
    assert talk.take_messages(one)[0]["code"] == 407


def test_lines_and_paths():
    assert [provider_of(line) for line in LINES] == ["polygon", "alpaca", "alpaca", "finnhub", "iex", "iex"]
    assert [default_path(line) for line in LINES] == ["/stocks", "/v2/sip", "/v2/iex", "/", "", ""]
    assert default_path("alpaca-spare") == default_path("alpaca") == "/v2/iex"
    assert Simulator(Market()).lines == PROVIDERS
    assert Simulator(Market(), ["polygon", "polygon-2"]).next_time < NEVER


@pytest.mark.parametrize(
    ("lines", "spec", "message"),
    [
        (["iex_cloud"], "", "IEX Cloud was shut down on 2024-08-31"),
        (["nasdaq"], "", "line is 'nasdaq'; expected one of polygon, alpaca, finnhub, iex"),
        (["iex", "iex"], "", "each once"),
        ("iex", "", "expected a sequence of names"),
        (["iex"], "disconnect iex at=1s", "it has no connections or logins"),
        (["finnhub"], "crossed finnhub for=1s", "carries no quotes"),
        (["polygon"], "halt polygon for=1s", "does not tell of halts"),
        (["iex"], "mute polygon for=1s", "line 'polygon'; expected one of iex"),
    ],
)
def test_what_cannot_be_says_so(lines, spec, message):
    with pytest.raises(ConfigError, match=message):
        Simulator(Market(), lines, spec)


def test_without_a_log_nothing_is_kept():
    simulator = Simulator(Market(duration="1s"), ["iex"], log=False)
    one = simulator.connect("iex", simulator.market.start)
    simulator.advance(simulator.market.start + NANOS)
    assert simulator.take_output(NEVER - 1)
    assert simulator.truth.frames(one) == []
