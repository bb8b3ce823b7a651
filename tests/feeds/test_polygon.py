"""Polygon / Massive: the conversation, each status, each rare message, the battery."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from engine.core.feed_messages import AuctionImbalance, PriceBand, ProviderBar, ProviderValue
from engine.core.instruments import Instruments
from engine.core.venues import venue_id
from engine.errors import ConfigError, SessionLost, Throttled, VenueError
from engine.feeds.polygon import FEEDS, TOPICS, PolygonFeed, feed_url
from engine.feeds.protocol import NEVER, Accepted, Connected, Ready, Refused, Side, Subscribed, Unexpected, Unsubscribed
from tests.feeds.battery import SECOND, START, Battery, Rig, pump

KEY = "sEcReT-key"
CONNECTED = b'[{"ev":"status","status":"connected","message":"Connected Successfully"}]'
AUTHENTICATED = b'[{"ev":"status","status":"auth_success","message":"authenticated"}]'
QUOTE = (
    b'{"ev":"Q","sym":"AAPL","bx":12,"bp":227.5,"bs":100,"ax":11,"ap":227.51,"as":200,"c":1,'
    b'"t":1790000000123,"q":7,"z":3}'
)
TRADE = b'{"ev":"T","sym":"MSFT","x":4,"i":"12345","z":3,"p":114.125,"s":100,"c":[0,12],"t":1790000000124,"q":8}'
BAR = (
    b'{"ev":"AM","sym":"AAPL","v":4110,"dv":"4110.5","av":9470157,"dav":"9470157.25","op":0.4372,"vw":0.4488,'
    b'"o":0.4488,"c":0.4486,"h":0.4489,"l":0.4486,"a":0.4352,"z":685,"s":1610144640000,"e":1610144700000}'
)
BAND = b'{"ev":"LULD","T":"MSFT","h":218.96,"l":198.11,"i":[21],"z":3,"t":1601316752683746123,"q":290317}'
IMBALANCE = b'{"ev":"NOI","T":"AAPL","t":1601318039223013600,"at":930,"a":"M","i":44,"x":10,"o":480,"p":440,"b":25.03}'


def status(name: str, message: str = "") -> bytes:
    return json.dumps([{"ev": "status", "status": name, "message": message}]).encode()


def acks(*pairs: str) -> bytes:
    return json.dumps(
        [{"ev": "status", "status": "success", "message": f"subscribed to: {pair}"} for pair in pairs]
    ).encode()


def line(**settings) -> PolygonFeed:
    return PolygonFeed(KEY, Instruments(), **settings)


def logged_in(*symbols: str, **settings) -> PolygonFeed:
    made = line(**settings)
    made.subscribe(symbols)
    made.opened(START)
    pump(made, CONNECTED)
    pump(made, AUTHENTICATED)
    return made


class TestBattery(Battery):
    rig = Rig(
        make=line,
        frames=[
            CONNECTED,
            AUTHENTICATED,
            acks("T.AAPL", "T.MSFT"),
            acks("Q.MSFT", "Q.AAPL"),
            b"[" + QUOTE + b"]",
            b"[" + QUOTE + b"," + BAR + b"," + TRADE + b"," + BAND + b"]",
            b"[" + IMBALANCE + b',{"ev":"FMV","fmv":189.22,"sym":"AAPL","t":1678220098130}]',
        ],
        unknown=[
            b'[{"ev":"ZZZ","sym":"AAPL"}]',
            b'[{"ev":5},{"ev":null},{"ev":["T"]},{"ev":{}}]',
            b'[{},[],1,"x",null,true]',
            b'[{"ev":"status"}]',
            b'[{"ev":"status","status":"purple","message":"?"}]',
            b'[{"ev":"status","status":7,"message":[]}]',
            b'[{"ev":"AM","sym":"AAPL"},{"ev":"LULD","T":7},{"ev":"AM","sym":"AAPL","s":-1,"e":0}]',
        ],
        hostile=[
            b"[" * 100_000,
            b"[" + b"[" * 2_000 + b"]" * 2_000 + b"]",
            b'[{"ev":"status","status":"success","message":"' + b"x" * 1_000_000 + b'"}]',
            b'[{"ev":"' + b"y" * 1_000_000 + b'"}]',
            b'[{"ev":"AM","sym":"AAPL","s":1' + b"0" * 5_000 + b"}]",
            b'[{"ev":"LULD","T":"AAPL","h":1e999999,"l":1,"t":1}]',
            b"[" + b",".join([b'{"ev":"?"}'] * 20_000) + b"]",
            acks(*["T.AAPL"] * 20_000),
            b"[" + b",".join([BAR] * 5_000) + b"]",
        ],
        secrets=[KEY],
    )


def test_the_conversation():
    made = line()
    made.subscribe(["AAPL", "BRK.B"])
    assert made.take_outgoing() == []
    made.opened(START)
    assert made.take_outgoing() == []
    pumped = pump(made, CONNECTED)
    assert pumped.outgoing == ['{"action":"auth","params":"sEcReT-key"}']
    assert pumped.notices == [Connected()]
    pumped = pump(made, AUTHENTICATED)
    assert pumped.notices == [Accepted(), Ready()]
    assert pumped.outgoing == [
        '{"action":"subscribe","params":"T.AAPL,T.BRK.B"}',
        '{"action":"subscribe","params":"Q.AAPL,Q.BRK.B"}',
    ]
    assert pump(made, acks("T.AAPL", "T.BRK.B", "Q.AAPL")).notices == [Subscribed(("AAPL",))]
    assert pump(made, acks("Q.BRK.B")).notices == [Subscribed(("BRK.B",))]
    assert made.subscribed == {"AAPL", "BRK.B"}
    assert made.timer(START + 60 * SECOND) == NEVER


def test_hosts_of_both_brands():
    assert line().url == "wss://socket.massive.com/stocks"
    assert feed_url("delayed", None) == "wss://delayed.massive.com/stocks"
    assert line(url="wss://socket.polygon.io").url == "wss://socket.polygon.io/stocks"
    assert line(url="ws://127.0.0.1:8080/").url == "ws://127.0.0.1:8080/stocks"
    assert line(url="wss://socket.polygon.io/stocks").url == "wss://socket.polygon.io/stocks"
    assert line().facts.live
    assert not line(feed="delayed").facts.live
    assert all(feed_url(feed, None).startswith(f"wss://{feed}.") for feed in FEEDS)


@pytest.mark.parametrize(
    ("frame", "error", "retry", "text"),
    [
        (status("auth_failed", "authentication failed"), ConfigError, "never", "polygon: authentication failed"),
        (status("auth_failed", "Your plan doesn't include websocket access."), ConfigError, "never", "plan doesn't"),
        (status("auth_timeout", "No authentication request received."), SessionLost, "usual", "No authentication"),
        (
            status("max_connections", "Maximum number of websocket connections exceeded. "),
            Throttled,
            "slow",
            "Maximum number",
        ),
    ],
)
def test_statuses_that_end_the_connection(frame, error, retry, text):
    for made in (line(), logged_in("AAPL")):
        made.opened(START)
        made.take_notices()
        (refused,) = pump(made, frame).notices
        assert isinstance(refused, Refused)
        assert type(refused.error) is error
        assert (refused.retry, refused.close) == (retry, True)
        assert text in str(refused.error)
        assert (refused.after > 0) == (retry == "slow")
        made.closed(1008, "policy", START)  # the drop after it says nothing new
        assert made.take_notices() == []


@pytest.mark.parametrize(
    ("code", "error", "retry"),
    [(401, ConfigError, "never"), (403, ConfigError, "never"), (429, Throttled, "slow"), (1008, Throttled, "slow")],
)
def test_closings_that_say_more(code, error, retry):
    made = line()
    made.opened(START)
    made.closed(code, f"because of {KEY}", START)
    (refused,) = made.take_notices()
    assert isinstance(refused, Refused)
    assert type(refused.error) is error
    assert refused.retry == retry
    hint = "; check the key" if error is ConfigError else ""
    assert str(refused.error) == f"polygon: closed with {code} because of ***{hint}"


@pytest.mark.parametrize("code", [None, 1000, 1006, 1011, 503])
def test_ordinary_drops_say_nothing(code):
    made = logged_in("AAPL")
    made.take_notices()
    made.closed(code, "", START)
    assert made.take_notices() == []
    assert made.subscribed == frozenset()


def test_a_topic_outside_the_plan():
    """The refusal names nothing: it is about the oldest frame without an answer."""
    made = logged_in("AAPL", "MSFT")
    pump(made, acks("T.AAPL", "T.MSFT"))
    refused, subscribed = pump(made, status("error", "not authorized")).notices
    assert isinstance(refused, Refused)
    assert (refused.retry, refused.close, refused.channel) == ("never", False, "quotes")
    assert set(refused.symbols) == {"AAPL", "MSFT"}
    assert str(refused.error) == "polygon: not authorized for quotes; the plan does not include topic Q"
    assert isinstance(subscribed, Subscribed)
    assert set(subscribed.symbols) == {"AAPL", "MSFT"}
    assert made.subscribed == {"AAPL", "MSFT"}


def test_every_topic_outside_the_plan():
    made = logged_in("AAPL")
    refusals = [notice for _ in range(3) for notice in pump(made, status("error", "not authorized")).notices]
    assert [refused.channel for refused in refusals] == ["trades", "quotes", None]
    assert made.subscribed == frozenset()


def test_another_error():
    made = logged_in("AAPL")
    (refused,) = pump(made, status("error", "internal")).notices
    assert isinstance(refused.error, VenueError)
    assert not refused.close


def test_pairs_nobody_confirms_are_taken_for_subscribed():
    """Pairs the server holds already are not confirmed again."""
    made = logged_in("AAPL", "MSFT")
    pump(made, acks("T.AAPL", "Q.AAPL"))
    due = made.timer(START)
    assert due == START + 10 * SECOND
    assert made.timer(due - 1) == due
    assert made.take_notices() == []
    assert made.timer(due) == NEVER
    assert made.take_notices() == [Subscribed(("MSFT",), confirmed=False)]
    assert made.counts["unconfirmed"] == 2


def test_a_server_that_says_nothing():
    made = line()
    made.opened(START)
    assert made.timer(START) == START + 10 * SECOND
    assert made.timer(START + 10 * SECOND) == NEVER
    (refused,) = made.take_notices()
    assert isinstance(refused.error, SessionLost)
    assert (refused.retry, refused.close) == ("usual", True)


def test_subscriptions_while_running():
    made = logged_in("AAPL", channels=("quotes",))
    pump(made, acks("Q.AAPL"))
    made.subscribe(["AAPL", "MSFT"])
    assert made.take_outgoing() == ['{"action":"subscribe","params":"Q.MSFT"}']
    made.unsubscribe(["AAPL", "IBM"])
    assert made.take_outgoing() == ['{"action":"unsubscribe","params":"Q.AAPL"}']
    assert made.take_notices() == [Unsubscribed(("AAPL",), confirmed=False)]
    assert pump(made, status("success", "unsubscribed to: Q.AAPL")).notices == []
    assert len(pump(made, b"[" + QUOTE + b"]").events) == 0
    assert pump(made, acks("Q.AAPL")).notices == []  # late
    assert pump(made, acks("Q.MSFT")).notices == [Subscribed(("MSFT",))]
    assert made.subscribed == {"MSFT"}


def test_a_thousand_symbols_go_in_frames_of_two_hundred():
    made = logged_in(*[f"S{number}" for number in range(1_000)])
    made.closed(None, "", START)
    made.opened(START)
    pump(made, CONNECTED)
    frames = pump(made, AUTHENTICATED).outgoing
    assert len(frames) == 10
    assert sum(frame.count("T.S") for frame in frames) == 1_000
    assert max(len(frame) for frame in frames) < 4_096


def test_one_symbol_too_many():
    made = logged_in("AAPL", "MSFT", symbol_limit=2)
    made.take_notices()
    made.subscribe(["IBM", "SPY"])
    (refused,) = made.take_notices()
    assert (refused.retry, refused.close, refused.symbols) == ("never", False, ("IBM", "SPY"))
    assert "2 symbols is the limit" in str(refused.error)


def test_quotes_and_trades_are_events():
    made = logged_in("AAPL", "MSFT")
    events = pump(made, b"[" + QUOTE + b"," + TRADE + b"]").events
    assert events["instrument"].tolist() == [0, 0, 1]
    assert events["price"].tolist() == [227_500_000_000, 227_510_000_000, 114_125_000_000]


def test_rare_messages():
    made = logged_in("AAPL", "MSFT")
    (side,) = pump(made, b"[" + BAR + b"," + BAND + b"," + IMBALANCE + b"]").notices
    assert isinstance(side, Side)
    bar, band, imbalance = side.messages
    end = 1_610_144_700_000 * 10**6
    assert bar == ProviderBar(
        ts_event=end,
        ts_recv=START,
        sequence=0,
        instrument=0,
        symbol="AAPL",
        venue=0,
        provider=1,
        interval="1m",
        start=end - 60 * SECOND,
        end=end,
        open=Decimal("0.4488"),
        high=Decimal("0.4489"),
        low=Decimal("0.4486"),
        close=Decimal("0.4486"),
        volume=Decimal("4110.5"),
        vwap=Decimal("0.4488"),
        day_volume=Decimal("9470157.25"),
        day_vwap=Decimal("0.4352"),
        official_open=Decimal("0.4372"),
    )
    assert band == PriceBand(
        1_601_316_752_683_746_123, START, 290_317, 1, "MSFT", 0, 1, Decimal("198.11"), Decimal("218.96"), ("21",)
    )
    assert imbalance == AuctionImbalance(
        1_601_318_039_223_013_600, START, 44, 0, "AAPL", venue_id("XNYS"), 1, Decimal("25.03"), 480, 440, "M", 930
    )


def test_symbols_are_in_our_spelling():
    made = logged_in("BAC.PRB")
    (side,) = pump(
        made, b'[{"ev":"FMV","fmv":1.5,"sym":"BACpB","t":1678220098130},{"ev":"LV","val":2,"sym":"ABRpD","t":1}]'
    ).notices
    fair, last = side.messages
    assert (fair.symbol, fair.instrument, fair.kind, fair.value) == ("BAC.PRB", 0, "fair", Decimal("1.5"))
    assert (last.symbol, last.instrument, last.kind) == ("ABR.PRD", 2**32 - 1, "last")
    assert isinstance(fair, ProviderValue)


# what each recorded or documented message that is no quote or trade of stocks says
SAMPLES = {
    "connected": [Connected()],
    "auth_failed": ["ConfigError", "never", True],
    "auth_timeout": ["SessionLost", "usual", True],
    "max_connections": ["Throttled", "slow", True],
    "error": ["ConfigError", "never", True],  # not authorized, before any login
    "success": [],  # of pairs nobody asked for
    "AM": [ProviderBar],
    "A": [ProviderBar],
    "LULD": [PriceBand],
    "FMV": [ProviderValue],
    "LV": [ProviderValue],
}


def test_every_sample(data):
    """Crypto, forex and index messages are of other markets, and are counted as unexpected."""
    seen = set()
    for row in data("../protocols/samples/polygon.jsonl").read_text().splitlines():
        sample = json.loads(row)
        if not sample["kind"].startswith("ws_"):
            continue
        made = line()
        made.opened(START)
        messages = json.loads(sample["raw"])
        first = messages[0]
        kind = first.get("status", first["ev"])
        seen.add(kind)
        pumped = pump(made, sample["raw"].encode())
        assert pumped.problem is None
        if kind in {"T", "Q"}:
            assert pumped.notices == []
            assert made.decoder.counts["unknown_symbols"] == 1
        elif kind not in SAMPLES:
            assert kind in {"CA", "CAS", "XQ", "XL2", "XAS", "V"}
            assert [type(notice) for notice in pumped.notices] == [Unexpected]
        elif (expected := SAMPLES[kind]) and isinstance(expected[0], str):
            (refused,) = pumped.notices
            assert [type(refused.error).__name__, refused.retry, refused.close] == expected
        elif expected and isinstance(expected[0], type):
            (side,) = pumped.notices
            assert [type(message) for message in side.messages] == expected
            key = {"FMV": "fmv", "LV": "val", "LULD": "h"}.get(kind, "vw")
            value = getattr(side.messages[0], {"FMV": "value", "LV": "value", "LULD": "upper"}.get(kind, "vwap"))
            assert value == (None if key not in first else Decimal(repr(first[key])))
        else:
            assert pumped.notices == expected
    assert seen >= {"T", "Q", *SAMPLES}


def test_topics_are_those_of_the_table():
    assert set(TOPICS.values()) == {"T", "Q", "A", "AM", "LULD", "NOI"}
