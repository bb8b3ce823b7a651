"""Finnhub's side of the wire."""

from __future__ import annotations

import json

from engine.core.units import NANOS
from engine.sim.market import Market
from engine.sim.truth_log import Closed
from tests.sim.providers.conversation import Conversation


def test_no_welcome_no_acknowledgement_then_prints():
    talk = Conversation("finnhub")
    one = talk.connect()
    talk.send(one, {"type": "subscribe", "symbol": "AAPL"})
    assert talk.take() == []
    talk.run(3)
    prints = 0
    for frame in talk.frames(one):
        document = json.loads(frame.data)
        assert list(document) == ["data", "type"]
        assert document["type"] == "trade"
        assert len(document["data"]) == len(frame.changes)
        for trade in document["data"]:
            prints += 1
            assert list(trade) == ["c", "p", "s", "t", "v"]
            assert trade["s"] == "AAPL"
            assert trade["c"] == (["1"] if trade["v"] >= 100 else ["1", "12"])
            assert 0 <= frame.time - trade["t"] * 1_000_000 < 3_000_000
    assert prints > 10
    talk.send(one, {"type": "unsubscribe", "symbol": "AAPL"})
    talk.take()
    talk.run(3)
    assert talk.take() == []


def test_tokens():
    assert Conversation("finnhub").connect("/").status == 401
    talk = Conversation("finnhub", key="right")
    assert talk.connect("/?token=wrong").status == 401
    assert isinstance(talk.connect("/?token=right"), int)
    assert isinstance(Conversation("finnhub", key="right").connect("/", x_finnhub_token="right"), int)


def test_a_ping_in_silence():
    talk = Conversation("finnhub", market=Market(seed=1, duration="1s"))
    one = talk.connect()
    talk.run(125)
    assert [frame.data for frame in talk.frames(one)] == ['{"type":"ping"}'] * 2
    assert [(frame.time - talk.market.start) // NANOS for frame in talk.frames(one)] == [60, 120]


def test_too_many_symbols_and_what_is_no_message():
    talk = Conversation("finnhub", symbol_limit=2)
    one = talk.connect()
    for symbol in ("AAPL", "MSFT", "AAPL", "SPY"):
        talk.send(one, {"type": "subscribe", "symbol": symbol})
    assert talk.take_messages(one) == [{"msg": "Subscribing to too many symbols", "type": "error"}]
    talk.run(2)
    assert {trade["s"] for each in talk.take_messages(one) for trade in each["data"]} == {"AAPL", "MSFT"}
    for wrong in ("{", "[]", {"type": "dance", "symbol": "A"}, {"type": "subscribe", "symbol": 3}):
        talk.send(one, wrong)
        assert talk.take_messages(one) == [{"msg": "Invalid message", "type": "error"}]


def test_a_second_connection_drops_both():
    talk = Conversation("finnhub")
    one = talk.login()
    two = talk.connect()
    ends = [(item.connection, item.code) for item in talk.take() if isinstance(item, Closed)]
    assert ends == [(one, None), (two, None)]
    assert isinstance(talk.connect("/?token=other"), int)
    assert talk.take() == []


def test_faults_of_the_provider():
    spec = "connection_limit finnhub at=1s for=1s; throttle finnhub at=3s for=1s; slow_reader_kill finnhub at=5s"
    talk = Conversation("finnhub", spec + "; auth_refusal finnhub at=6s for=1s; huge_frame finnhub at=4500ms")
    one = talk.login()
    talk.run(1.5)
    assert talk.take()[-1][1:4] == (one, None, "second connection")
    two = talk.connect()  # somebody else is still there
    assert talk.take()[-1][1:4] == (two, None, "second connection")
    talk.run(0.6)
    three = talk.login()
    talk.run(1)
    assert talk.take()[-1][1:4] == (three, None, "throttle")
    assert talk.connect()[:3] == (429, "Too Many Requests", 1)
    talk.run(1)
    four = talk.login()
    talk.run(0.6)
    assert max(len(frame.data) for frame in talk.frames(four)) == 4_000_000
    talk.run(0.6)
    assert talk.take()[-1][1:4] == (four, None, "slow reader")
    talk.run(1)
    assert talk.connect().status == 401
