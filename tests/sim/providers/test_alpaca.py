"""Alpaca's side of the wire."""

from __future__ import annotations

import base64
import json
from datetime import datetime

import msgpack
import pytest

from engine.core.units import NANOS, to_nanos
from engine.core.venues import VENUES
from engine.errors import ConfigError
from engine.sim.market import Market
from engine.sim.providers.alpaca import ERRORS, EXCHANGES, AlpacaServer
from tests.sim.providers.conversation import Conversation

CONNECTED = {"T": "success", "msg": "connected"}
AUTHENTICATED = {"T": "success", "msg": "authenticated"}
AUTH = {"action": "auth", "key": "k", "secret": "s"}
EMPTY = {
    "T": "subscription",
    "trades": [],
    "quotes": [],
    "bars": [],
    "updatedBars": [],
    "dailyBars": [],
    "statuses": [],
    "lulds": [],
    "corrections": [],
    "cancelErrors": [],
}


def error(code: int) -> dict[str, object]:
    return {"T": "error", "code": code, "msg": ERRORS[code]}


def ready(line: str = "alpaca-sip", faults: str = "", **options: object) -> tuple[Conversation, int]:
    talk = Conversation(line, faults, **options)
    one = talk.connect()
    talk.send(one, AUTH)
    assert talk.take_messages(one) == [CONNECTED, AUTHENTICATED]
    return talk, one


def test_the_conversation_in_its_order():
    talk, one = ready()
    talk.send(one, {"action": "subscribe", "trades": ["AAPL"], "quotes": ["MSFT", "AMD"], "bars": ["*"]})
    (frame,) = talk.frames(one)
    assert list(json.loads(frame.data)[0]) == list(EMPTY)  # keys in the documented order
    listed = {**EMPTY, "trades": ["AAPL"], "quotes": ["AMD", "MSFT"], "bars": ["*"]}
    assert talk.take_messages(one) == [{**listed, "corrections": ["AAPL"], "cancelErrors": ["AAPL"]}]
    talk.run(2)
    assert {(each["T"], each["S"]) for each in talk.take_messages(one)} == {("t", "AAPL"), ("q", "MSFT")}
    talk.send(one, {"action": "unsubscribe", "trades": ["AAPL"], "quotes": ["AMD"]})
    assert talk.take_messages(one) == [{**EMPTY, "quotes": ["MSFT"], "bars": ["*"]}]
    talk.send(one, {"action": "subscribe", "imbalances": ["SPY"]})
    assert talk.take_messages(one)[0]["imbalances"] == ["SPY"]


def test_every_error_of_a_conversation():
    talk = Conversation("alpaca-sip", key="k", secret="s", symbol_limit=3)
    one = talk.connect()
    talk.take()
    cases = [
        ({"action": "subscribe", "trades": ["AAPL"]}, 401),
        ("{", 400),
        ("[1]", 400),
        ({"action": "dance"}, 400),
        ({"action": "auth", "key": 1}, 400),
        ({"action": "auth", "key": "k", "secret": "wrong"}, 402),
        ({"action": "auth", "key": "wrong", "secret": "s"}, 402),
        (AUTH, None),
        (AUTH, 403),
        ({"action": "subscribe", "trades": ["not a symbol"]}, 400),
        ({"action": "subscribe", "trades": "AAPL"}, 400),
        ({"action": "subscribe", "orderbooks": ["AAPL"]}, 410),
        ({"action": "subscribe", "trades": ["A", "B"], "quotes": ["A", "B"]}, 405),
    ]
    for message, code in cases:
        talk.send(one, message)
        assert talk.take_messages(one) == [AUTHENTICATED if code is None else error(code)], message
    talk.send(one, {"action": "subscribe", "trades": ["A"], "quotes": ["A", "B"], "bars": ["C", "D"]})
    assert talk.take_messages(one)[0]["quotes"] == ["A", "B"]  # what was refused changed nothing; bars do not count


def test_no_login_in_ten_seconds():
    talk = Conversation("alpaca")
    one = talk.connect()
    talk.run(9.9)
    assert talk.take_messages(one) == [CONNECTED]
    talk.run(0.2)
    assert talk.take_messages(one) == [error(404), (1000, "auth timeout")]


def test_the_newcomer_is_refused():
    talk, one = ready()
    two = talk.connect()
    talk.send(two, AUTH)
    assert talk.take_messages(two) == [CONNECTED, error(406), (1000, "connection limit exceeded")]
    other = talk.connect("/v2/iex")  # the limit is per feed
    talk.send(other, AUTH)
    assert talk.take_messages(other) == [CONNECTED, AUTHENTICATED]
    talk.close(one)
    three = talk.connect()
    talk.send(three, AUTH)
    assert talk.take_messages(three) == [CONNECTED, AUTHENTICATED]


def test_feeds_the_plan_lacks_and_paths_that_are_none():
    talk = Conversation("alpaca", feeds=["iex", "test"])
    one = talk.connect("/v2/sip")
    talk.send(one, AUTH)
    assert talk.take_messages(one) == [CONNECTED, error(409)]
    assert talk.connect("/v2/opra").status == 404
    with pytest.raises(ConfigError, match="expected some of iex, sip"):
        AlpacaServer(feeds=["opra"])


@pytest.mark.parametrize(
    "headers",
    [
        {"apca_api_key_id": "k", "apca_api_secret_key": "s"},
        {"authorization": "Basic " + base64.b64encode(b"k:s").decode()},
    ],
)
def test_login_by_headers(headers):
    talk = Conversation("alpaca", key="k", secret="s")
    one = talk.connect(**headers)
    assert talk.take_messages(one) == [CONNECTED, AUTHENTICATED]
    two = talk.connect(authorization="Basic ???")
    assert talk.take_messages(two) == [CONNECTED, error(402)]
    three = Conversation("alpaca")
    assert three.take_messages(three.connect(authorization="Bearer token")) == [CONNECTED, AUTHENTICATED]


@pytest.mark.parametrize("line", ["alpaca-sip", "alpaca-iex"])
@pytest.mark.parametrize("codec", ["json", "msgpack"])
def test_quotes_and_trades_tell_the_truth_in_both_codecs(line, codec):
    talk = Conversation(line)
    one = talk.connect(content_type=f"application/{codec}")
    messages = (AUTH, {"action": "subscribe", "trades": ["*"], "quotes": ["*"]})
    for message in messages:
        talk.send(one, msgpack.packb(message) if codec == "msgpack" else json.dumps(message))
    talk.run(2)
    quotes = trades = 0
    venue = VENUES["IEXG"] if line == "alpaca-iex" else 0
    for frame in talk.frames(one):
        assert isinstance(frame.data, bytes if codec == "msgpack" else str)
        objects = msgpack.unpackb(frame.data) if codec == "msgpack" else json.loads(frame.data)
        if not frame.market:
            assert len(objects) == 1
            continue
        for message, change in zip(objects, frame.changes, strict=True):
            assert next(iter(message)) == "T"
            assert message["S"] == change.symbol
            assert message["z"] == ("B" if change.symbol == "SPY" else "C")
            assert 0 <= frame.time - stamp(message["t"]) < 2_000_000
            if message["T"] == "q":
                quotes += 1
                assert change.venue == venue
                for letter, slot in (("b", change.top.bid), ("a", change.top.ask)):
                    assert to_nanos(message[f"{letter}p"]) == slot.price
                    assert message[f"{letter}s"] * NANOS == slot.quantity
                    assert message[f"{letter}x"] == (EXCHANGES[slot.venue] if slot.quantity else " ")
            else:
                trades += 1
                assert message["c"] == (["@"] if message["s"] >= 100 else ["@", "I"])
                assert message["x"] == "V" or not venue
    assert quotes > 50
    assert trades >= (1 if venue else 10)


def stamp(value: object) -> int:
    """Ns since epoch of RFC 3339 text up to ns, or of msgpack's timestamp."""
    if isinstance(value, msgpack.Timestamp):
        return value.to_unix_nano()
    text, _, fraction = str(value).removesuffix("Z").partition(".")
    assert not fraction.endswith("0")
    return int(datetime.fromisoformat(text + "+00:00").timestamp()) * NANOS + int(fraction.ljust(9, "0"))


def test_the_test_feed_is_one_symbol():
    talk = Conversation("alpaca-test")
    one = talk.login()
    talk.take()
    talk.run(1)
    messages = talk.take_messages(one)
    assert {each["S"] for each in messages} == {"FAKEPACA"}
    assert {each["T"] for each in messages} == {"q", "t"}


def test_faults_of_the_provider():
    talk, one = ready(faults="slow_reader_kill alpaca-sip at=1s; huge_frame alpaca-sip at=500ms size=50000")
    talk.run(0.7)
    assert any(len(frame.data) >= 49_000 for frame in talk.frames(one))
    talk.take()
    talk.run(0.5)
    assert talk.take_messages(one) == [error(407), (1008, "slow client")]
    held, two = ready(faults="connection_limit alpaca-sip at=1s for=2s")
    held.run(1.5)
    assert held.take_messages(two) == [(None, "connection lost")]
    three = held.connect()
    held.send(three, AUTH)
    assert held.take_messages(three)[1] == error(406)
    held.run(2)
    four = held.connect()
    held.send(four, AUTH)
    assert held.take_messages(four)[1] == AUTHENTICATED


def test_msgpack_huge_frames_are_msgpack():
    talk = Conversation("alpaca", "huge_frame alpaca at=1s size=20000")
    one = talk.connect(content_type="application/msgpack")
    talk.run(1.2)
    huge = talk.frames(one)[-1].data
    assert isinstance(huge, bytes)
    assert len(msgpack.unpackb(huge)) > 300
    talk.send(one, b"\xc1")
    assert msgpack.unpackb(talk.frames(one)[-1].data) == [error(400)]


@pytest.mark.parametrize("codec", ["json", "msgpack"])
def test_minute_and_daily_bars(codec):
    talk = Conversation("alpaca-sip", market=Market(seed=7, duration="65s", rate=50))
    one = talk.connect(content_type=f"application/{codec}", apca_api_key_id="k")
    message = {"action": "subscribe", "bars": ["AAPL"], "dailyBars": ["*"]}
    talk.send(one, msgpack.packb(message) if codec == "msgpack" else message)
    talk.take()
    talk.run(61)
    (frame,) = talk.frames(one)
    bars = msgpack.unpackb(frame.data) if codec == "msgpack" else json.loads(frame.data)
    assert [(bar["T"], bar["S"]) for bar in bars] == [("b", "AAPL"), ("d", "AAPL"), ("d", "MSFT"), ("d", "SPY")]
    assert stamp(bars[0]["t"]) == talk.market.start
    assert bars[0]["l"] <= bars[0]["c"] <= bars[0]["h"]
    assert list(bars[0]) == ["T", "S", "o", "h", "l", "c", "v", "n", "vw", "t"]
