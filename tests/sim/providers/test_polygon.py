"""Massive's side of the wire."""

from __future__ import annotations

import json

import pytest

from engine.core.units import NANOS, to_nanos
from engine.core.venues import VENUES
from engine.sim.market import Market
from engine.sim.providers.polygon import EXCHANGES, tape_of
from engine.sim.truth_log import Closed
from tests.sim.providers.conversation import Conversation

CONNECTED = {"ev": "status", "status": "connected", "message": "Connected Successfully"}
AUTHENTICATED = {"ev": "status", "status": "auth_success", "message": "authenticated"}


def ok(text: str) -> dict[str, str]:
    return {"ev": "status", "status": "success", "message": text}


def test_the_conversation_in_its_order():
    talk = Conversation("polygon")
    one = talk.connect()
    assert [frame.data for frame in talk.frames(one)] == [
        '[{"ev":"status","status":"connected","message":"Connected Successfully"}]'
    ]
    assert talk.take_messages(one) == [CONNECTED]
    talk.send(one, {"action": "auth", "params": "k"})
    assert talk.take_messages(one) == [AUTHENTICATED]
    talk.send(one, {"action": "subscribe", "params": "T.AAPL, Q.AAPL,Q.NOSUCH"})
    (frame,) = talk.frames(one)  # an acknowledgement a pair, unknown tickers too, in one frame
    assert not frame.market
    assert talk.take_messages(one) == [ok(f"subscribed to: {pair}") for pair in ("T.AAPL", "Q.AAPL", "Q.NOSUCH")]
    talk.run(1)
    messages = talk.take_messages(one)
    assert {(each["ev"], each["sym"]) for each in messages} == {("T", "AAPL"), ("Q", "AAPL")}
    talk.send(one, {"action": "unsubscribe", "params": "T.AAPL,T.MSFT"})
    assert talk.take_messages(one) == [ok("unsubscribed to: T.AAPL")]
    talk.run(1)
    assert {each["ev"] for each in talk.take_messages(one)} == {"Q"}


def test_what_is_ignored_refused_and_not_repeated():
    talk = Conversation("polygon")
    one = talk.connect()
    talk.take()
    talk.send(one, {"action": "subscribe", "params": "T.AAPL"})
    assert talk.take_messages(one) == [{"ev": "status", "status": "error", "message": "not authorized"}]
    talk.send(one, {"action": "auth", "params": "k"})
    talk.send(one, {"action": "subscribe", "params": "T.AAPL"})
    talk.take()
    talk.send(one, {"action": "subscribe", "params": "T.AAPL,ZZ.AAPL,T,T."})  # held, unknown topic, no pairs
    assert talk.take_messages(one) == []
    talk.send(one, {"action": "subscribe", "params": "NOI.AAPL"})  # not in the plan
    assert talk.take_messages(one) == [{"ev": "status", "status": "error", "message": "not authorized"}]
    for wrong in ("{", "[]", '{"action":"subscribe","params":3}', {"action": "dance", "params": ""}):
        talk.send(one, wrong)
        assert talk.take_messages(one) == [{"ev": "status", "status": "error", "message": "invalid message"}]


def test_a_wrong_key_is_told_and_dropped_without_a_close_frame():
    talk = Conversation("polygon", key="right")
    one = talk.connect()
    talk.send(one, {"action": "auth", "params": "wrong"})
    assert talk.take_messages(one) == [
        CONNECTED,
        {"ev": "status", "status": "auth_failed", "message": "authentication failed"},
        (None, "authentication failed"),
    ]
    two = talk.connect()
    talk.send(two, {"action": "auth", "params": "right"})
    assert talk.take_messages(two) == [CONNECTED, AUTHENTICATED]


def test_a_plan_without_the_market():
    talk = Conversation("polygon", "auth_refusal polygon for=1s reason=plan")
    one = talk.connect()
    talk.send(one, {"action": "auth", "params": "k"})
    status = talk.take_messages(one)[1]
    assert status["message"] == "Your plan doesn't include websocket access."
    talk.run(1.1)
    two = talk.connect()
    talk.send(two, {"action": "auth", "params": "k"})
    assert talk.take_messages(two) == [CONNECTED, AUTHENTICATED]


def test_no_login_in_time():
    talk = Conversation("polygon")
    one = talk.connect()
    talk.run(9.9)
    assert talk.take_messages(one) == [CONNECTED]
    talk.run(0.2)
    status, end = talk.take_messages(one)
    assert (status["status"], status["message"]) == ("auth_timeout", "No authentication request received.")
    assert end == (1008, "auth timeout")


@pytest.mark.parametrize("policy", ["evict", "refuse"])
def test_over_the_connection_limit(policy):
    talk = Conversation("polygon", policy=policy)
    one, two = talk.login(), talk.connect()
    talk.take()
    talk.send(two, {"action": "auth", "params": "k"})
    if policy == "refuse":
        assert talk.take_messages(two) == [AUTHENTICATED]
        talk.send(two, {"action": "subscribe", "params": "T.AAPL"})
        assert "subscribed to: T.AAPL" in str(talk.output[0].data)
    loser = one if policy == "evict" else two
    output = talk.take()
    status = next(item for item in output if item.connection == loser and "max_conn" in str(getattr(item, "data", "")))
    assert json.loads(status.data)[0] == {
        "ev": "status",
        "status": "max_connections",
        "message": "Maximum number of websocket connections exceeded. ",
    }
    assert [(item.connection, item.code) for item in output if isinstance(item, Closed)] == [(loser, 1008)]
    other = talk.connect()
    talk.take()
    talk.send(other, {"action": "auth", "params": "another key"})
    assert talk.take_messages(other) == [AUTHENTICATED]


def test_paths_of_other_markets_are_not_served():
    assert Conversation("polygon").connect("/crypto").status == 404
    assert isinstance(Conversation("polygon").connect("/stocks?x=1"), int)


def test_quotes_and_trades_tell_the_truth():
    talk = Conversation("polygon")
    one = talk.login()
    talk.take()
    talk.run(2)
    quotes = trades = 0
    sequences: dict[tuple[str, str], int] = {}
    for frame in talk.frames(one):
        assert frame.fault == ""
        for message, change in zip(json.loads(frame.data), frame.changes, strict=True):
            assert message["sym"] == change.symbol
            assert message["z"] == tape_of(change.symbol)
            assert sequences.get((message["ev"], message["sym"]), 0) < message["q"]
            sequences[message["ev"], message["sym"]] = message["q"]
            assert 0 <= frame.time - message["t"] * 1_000_000 < 3_000_000
            if message["ev"] == "Q":
                quotes += 1
                for letter, slot in (("b", change.top.bid), ("a", change.top.ask)):
                    if slot.quantity:
                        assert to_nanos(message[f"{letter}p"]) == slot.price
                        assert message[f"{letter}s"] * NANOS == slot.quantity
                        assert message[f"{letter}x"] == EXCHANGES[slot.venue]
                    else:
                        assert f"{letter}p" not in message
            else:
                trades += 1
                assert isinstance(message["i"], str)
                assert message["c"] == ([37] if message["s"] < 100 else [])
                assert message["x"] in EXCHANGES.values()
    assert quotes > 100
    assert trades > 10
    assert EXCHANGES[VENUES["IEXG"]] == 15


def test_huge_frames_and_slow_readers():
    talk = Conversation("polygon", "huge_frame polygon at=1s size=100000; slow_reader_kill polygon at=2s")
    one = talk.login()
    talk.run(1.5)
    assert max(len(frame.data) for frame in talk.frames(one)) >= 99_000
    talk.run(1)
    assert talk.take()[-1][2:4] == (None, "slow reader")


def test_bars_of_seconds_and_minutes():
    talk = Conversation("polygon", market=Market(seed=7, duration="65s", rate=50))
    one = talk.connect()
    talk.send(one, {"action": "auth", "params": "k"})
    talk.send(one, {"action": "subscribe", "params": "A.AAPL,AM.*"})
    talk.take()
    talk.run(62)
    bars = talk.take_messages(one)
    seconds = [bar for bar in bars if bar["ev"] == "A"]
    assert {bar["sym"] for bar in seconds} == {"AAPL"}
    assert all(bar["e"] - bar["s"] == 1_000 and bar["l"] <= bar["o"] <= bar["h"] for bar in seconds)
    minutes = [bar for bar in bars if bar["ev"] == "AM"]
    assert {bar["sym"] for bar in minutes} == {"AAPL", "MSFT", "SPY"}
    minute = next(bar for bar in minutes if bar["sym"] == "AAPL")
    assert minute["e"] - minute["s"] == 60_000
    assert minute["v"] == minute["av"] >= sum(bar["v"] for bar in seconds if bar["s"] < minute["e"])
    assert set(minute) == {"ev", "sym", "v", "dv", "av", "dav", "op", "vw", "o", "c", "h", "l", "a", "z", "s", "e"}
