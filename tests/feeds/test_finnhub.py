"""Finnhub: the key in the URL, subscriptions nobody answers, pings and errors, the battery."""

from __future__ import annotations

import json

import pytest

from engine.core.instruments import Instruments
from engine.errors import ConfigError, Throttled, VenueError
from engine.feeds.finnhub import FinnhubFeed
from engine.feeds.protocol import NEVER, Connected, Heartbeat, Ready, Refused, Subscribed, Unsubscribed
from tests.feeds.battery import SECOND, START, Battery, Rig, pump

KEY = "c0ffee/+ s"
TRADES = (
    b'{"data":[{"c":["1","12"],"p":122.1,"s":"AAPL","t":1672348887195,"v":1},'
    b'{"c":null,"p":122.09,"s":"MSFT","t":1672348887196,"v":4.5}],"type":"trade"}'
)
PING = b'{"type":"ping"}'
TOO_MANY = b'{"msg":"Subscribing to too many symbols","type":"error"}'


def line(**settings) -> FinnhubFeed:
    return FinnhubFeed(KEY, Instruments(), **settings)


def opened(*symbols: str, **settings) -> FinnhubFeed:
    made = line(**settings)
    made.subscribe(symbols)
    made.opened(START)
    return made


class TestBattery(Battery):
    rig = Rig(
        make=line,
        frames=[PING, TRADES, PING],
        unknown=[
            b'{"type":"zzz"}',
            b'{"type":5}',
            b'{"type":["ping"]}',
            b"{}",
            b'{"type":"error"}',
            b'{"type":"error","msg":5.5}',
            b'{"msg":"x"}',
        ],
        hostile=[
            b"[" * 100_000,
            b'{"type":"' + b"y" * 1_000_000 + b'"}',
            b'{"type":"error","msg":"' + b"x" * 1_000_000 + b'"}',
            b'{"data":[' + b",".join([b'{"p":1,"s":"AAPL","t":1672348887195,"v":1}'] * 20_000) + b'],"type":"trade"}',
        ],
        secrets=[KEY],
    )


def test_the_key_is_in_the_url_and_nowhere_else():
    made = line()
    assert made.url == "wss://ws.finnhub.io/?token=c0ffee%2F%2B%20s"
    assert made.shown_url == "wss://ws.finnhub.io/?token=***"
    assert "c0ffee" not in repr(made)
    assert line(url="ws://127.0.0.1:8080").url.startswith("ws://127.0.0.1:8080/?token=")
    assert line(url="ws://127.0.0.1:8080/ws?x=1").url.startswith("ws://127.0.0.1:8080/ws?x=1&token=")


def test_subscriptions_have_no_answer():
    made = opened("AAPL", "BRK.B")
    assert made.take_notices() == [Connected(), Ready(), Subscribed(("AAPL", "BRK.B"), confirmed=False)]
    assert made.take_outgoing() == [
        '{"type":"subscribe","symbol":"AAPL"}',
        '{"type":"subscribe","symbol":"BRK.B"}',
    ]
    made.subscribe(["BINANCE:BTCUSDT", "AAPL"])
    assert made.take_outgoing() == ['{"type":"subscribe","symbol":"BINANCE:BTCUSDT"}']
    made.unsubscribe(["AAPL"])
    assert made.take_outgoing() == ['{"type":"unsubscribe","symbol":"AAPL"}']
    assert made.take_notices()[-1] == Unsubscribed(("AAPL",), confirmed=False)
    made.closed(1006, "", START + 60 * SECOND)
    made.opened(START + 61 * SECOND)
    assert len(made.take_outgoing()) == 2
    assert made.timer(START) == NEVER


def test_pairs_need_their_exchange():
    made = opened("BTC-USD", "AAPL")
    refused = made.take_notices()[0]
    assert isinstance(refused, Refused)
    assert (refused.symbols, refused.close) == (("BTC-USD",), False)
    assert made.subscribed == {"AAPL"}


def test_pings_are_signs_of_life():
    assert pump(opened(), PING).notices[-1] == Heartbeat()


def test_trades_are_events():
    made = opened("AAPL", "MSFT")
    made.take_notices()
    pumped = pump(made, TRADES)
    assert (len(pumped.events), pumped.notices) == (2, [])


def test_too_many_symbols():
    made = opened("AAPL", "MSFT")
    made.take_notices()
    (refused,) = pump(made, TOO_MANY).notices
    assert isinstance(refused.error, ConfigError)
    assert (refused.retry, refused.close, refused.symbols) == ("never", False, ())
    assert "2 asked for" in str(refused.error)
    assert made.subscribed == {"AAPL", "MSFT"}


def test_other_errors():
    made = opened("AAPL")
    made.take_notices()
    (refused,) = pump(made, b'{"msg":"Invalid API key","type":"error"}').notices
    assert isinstance(refused.error, ConfigError)
    assert (refused.retry, refused.close) == ("never", True)
    (refused,) = pump(made, b'{"msg":"strange","type":"error"}').notices
    assert type(refused.error) is VenueError
    assert not refused.close


@pytest.mark.parametrize(
    ("code", "after", "error", "retry"),
    [
        (401, 0, ConfigError, "never"),
        (403, 0, ConfigError, "never"),
        (429, 0, Throttled, "slow"),
        (None, SECOND, Throttled, "slow"),  # a second connection of the key drops both
        (1006, SECOND, Throttled, "slow"),
    ],
)
def test_closings_that_say_more(code, after, error, retry):
    made = opened()
    made.take_notices()
    made.closed(code, f"bad {KEY}", START + after)
    (refused,) = made.take_notices()
    assert type(refused.error) is error
    assert (refused.retry, refused.close) == (retry, True)
    assert KEY not in str(refused.error)


def test_an_ordinary_drop_says_nothing():
    made = opened("AAPL")
    made.take_notices()
    made.closed(None, "", START + 3 * SECOND)
    assert made.take_notices() == []


def test_every_sample(data):
    for row in data("../protocols/samples/finnhub.jsonl").read_text().splitlines():
        raw = json.loads(row)["raw"]
        made = opened("TSLA", "GOOG", "AAPL", "BINANCE:BTCUSDT")
        made.take_notices()
        pumped = pump(made, raw.encode())
        try:
            value = json.loads(raw)
        except ValueError:  # quoted in part
            assert pumped.problem is not None
            continue
        assert pumped.notices == ([Heartbeat()] if value["type"] == "ping" else [])
        assert len(pumped.events) == len(value.get("data", []))
