"""Alpaca: the conversation in both codecs, each error code, each rare message, the battery."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgpack
import pytest

from engine._native.wire import FORMATS, FrameDecoder
from engine.core.events import Status
from engine.core.feed_messages import (
    AuctionImbalance,
    News,
    PriceBand,
    ProviderBar,
    TradeCancel,
    TradeCorrection,
    TradingStatus,
)
from engine.core.instruments import Instruments
from engine.core.venues import venue_id
from engine.errors import ConfigError, SessionLost, Throttled, VenueError
from engine.feeds.alpaca import ERRORS, FEEDS, AlpacaFeed, feed_url
from engine.feeds.protocol import NEVER, Accepted, Connected, Ready, Refused, Side, Subscribed, Unexpected, Unsubscribed
from tests.feeds.battery import SECOND, START, Battery, Rig, pump

KEY, SECRET = "kEy-id", "sEcReT"
CONNECTED = [{"T": "success", "msg": "connected"}]
AUTHENTICATED = [{"T": "success", "msg": "authenticated"}]
QUOTE = {"T": "q", "S": "AAPL", "bx": "V", "bp": 87.66, "bs": 100, "ax": "V", "ap": 87.68, "as": 400}
QUOTE |= {"c": ["R"], "z": "C", "t": "2026-02-22T15:51:45.335689322Z"}
TRADE = {"T": "t", "S": "MSFT", "i": 96921, "x": "V", "p": 126.55, "s": 1, "c": ["@", "I"], "z": "C"}
TRADE |= {"t": "2026-02-22T15:51:44.208Z"}
BAR = {"T": "b", "S": "AAPL", "o": 388.985, "h": 389.13, "l": 388.975, "c": 389.12, "v": 49378}
BAR |= {"t": "2021-02-22T19:15:00Z", "n": 120, "vw": 389.0001}
BAND = {"T": "l", "S": "MSFT", "u": 3.24, "d": 2.65, "i": "B", "t": "2023-04-06T13:34:45.565004401Z", "z": "C"}
HALT = {"T": "s", "S": "AAPL", "sc": "H", "sm": "Trading Halt", "rc": "T12", "rm": "Information requested"}
HALT |= {"t": "2021-02-22T19:15:00Z", "z": "C"}


def listed(*symbols: str) -> list[dict[str, Any]]:
    return [{"T": "subscription", **{channel: list(symbols) for channel in ("trades", "quotes", "statuses")}}]


def line(codec: str = "json", **settings) -> AlpacaFeed:
    return AlpacaFeed(KEY, SECRET, Instruments(), codec=codec, **settings)


def frame(made: AlpacaFeed, value: Any) -> bytes:
    if made.headers["Content-Type"] == "application/json":
        return json.dumps(value).encode()
    return msgpack.packb(value)


def send(made: AlpacaFeed, value: Any, now: int = START):
    return pump(made, frame(made, value), now)


def logged_in(*symbols: str, **settings) -> AlpacaFeed:
    made = line(**settings)
    made.subscribe(symbols)
    made.opened(START)
    send(made, CONNECTED)
    send(made, AUTHENTICATED)
    return made


def read(outgoing: list[bytes | str]) -> list[Any]:
    return [json.loads(sent) if isinstance(sent, str) else msgpack.unpackb(sent) for sent in outgoing]


CONVERSATION = [
    CONNECTED,
    AUTHENTICATED,
    listed("AAPL", "MSFT"),
    [QUOTE],
    [QUOTE, BAR, TRADE],
    [BAND, HALT],
    listed("MSFT", "AAPL"),
]
UNKNOWN: list[Any] = [
    [{"T": "zzz", "S": "AAPL"}],
    [{"T": 5}, {"T": None}, {"T": ["t"]}, {"T": {}}],
    [{}, [], 1, "x", None, True],
    [{"T": "success"}, {"T": "success", "msg": "purple"}, {"T": "success", "msg": 7}],
    [{"T": "subscription", "trades": 7}],
    [{"T": "error"}],
    [{"T": "error", "code": "x", "msg": 5}],
    [{"T": "b", "S": "AAPL"}, {"T": "l", "S": 7, "t": "x"}, {"T": "s", "S": "AAPL", "t": 5, "sc": {}}],
]
HOSTILE: list[Any] = [
    [{"T": "success", "msg": "x" * 1_000_000}],
    [{"T": "y" * 1_000_000}],
    [{"T": "?"}] * 20_000,
    [BAR] * 5_000,
    [{**BAR, "o": 1e300, "t": "2" * 10_000}],
    listed(*[f"S{number}" for number in range(20_000)]),
    listed("AAPL", "MSFT"),
]


def rig(codec: str) -> Rig:
    made = line(codec)
    return Rig(
        make=lambda: line(codec),
        frames=[frame(made, value) for value in CONVERSATION],
        unknown=[frame(made, value) for value in UNKNOWN],
        hostile=[frame(made, value) for value in HOSTILE]
        + (
            [b"[" * 100_000]
            if codec == "json"
            else [b"\x91" * 100_000, b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"]
        ),
        secrets=[KEY, SECRET],
    )


class TestJson(Battery):
    rig = rig("json")


class TestMsgpack(Battery):
    rig = rig("msgpack")


@pytest.mark.parametrize("codec", ["json", "msgpack"])
def test_the_conversation(codec):
    made = line(codec)
    assert made.headers == {"Content-Type": f"application/{codec}"}
    made.subscribe(["AAPL", "BRK.B"])
    made.opened(START)
    assert made.take_outgoing() == []
    pumped = send(made, CONNECTED)
    assert pumped.notices == [Connected()]
    assert {type(sent) for sent in pumped.outgoing} == {str if codec == "json" else bytes}
    assert read(pumped.outgoing) == [{"action": "auth", "key": KEY, "secret": SECRET}]
    pumped = send(made, AUTHENTICATED)
    assert pumped.notices == [Accepted(), Ready()]
    both = ["AAPL", "BRK.B"]
    assert read(pumped.outgoing) == [{"action": "subscribe", "trades": both, "quotes": both, "statuses": both}]
    assert send(made, listed("AAPL", "BRK.B")).notices == [Subscribed(("AAPL", "BRK.B"))]
    assert made.subscribed == {"AAPL", "BRK.B"}
    assert made.timer(START + 60 * SECOND) == NEVER


def test_feeds_and_their_paths():
    assert {name: feed_url(name, None).removeprefix("wss://stream.data.alpaca.markets") for name in FEEDS} == {
        "iex": "/v2/iex",
        "sip": "/v2/sip",
        "delayed_sip": "/v2/delayed_sip",
        "test": "/v2/test",
        "crypto": "/v1beta3/crypto/us",
        "crypto_us_1": "/v1beta3/crypto/us-1",
        "crypto_eu_1": "/v1beta3/crypto/eu-1",
    }
    assert feed_url("sip", "ws://127.0.0.1:5") == "ws://127.0.0.1:5/v2/sip"
    assert feed_url("sip", "ws://127.0.0.1:5/v2/sip") == "ws://127.0.0.1:5/v2/sip"


def test_what_feeds_are_to_a_book():
    facts = line().facts
    assert (facts.role, facts.venue, facts.live) == ("top", venue_id("IEXG"), True)
    assert line(feed="sip").facts.role == "nbbo"
    delayed = line(feed="delayed_sip").facts
    assert (delayed.role, delayed.live) == ("nbbo", False)
    crypto = line(feed="crypto").facts
    assert (crypto.role, crypto.channels) == ("depth", ("trades", "book"))
    assert line(feed="crypto_us_1").facts.venue == venue_id("KRKN")


def test_subscriptions_while_running():
    """One request at a time: what is wanted meanwhile goes with the next."""
    made = logged_in("AAPL")
    made.subscribe(["MSFT"])
    made.unsubscribe(["AAPL"])
    assert made.take_outgoing() == []  # the first is not answered yet
    pumped = send(made, listed("AAPL"))
    assert [request["action"] for request in read(pumped.outgoing)] == ["unsubscribe"]
    pumped = send(made, listed())
    assert pumped.notices == [Unsubscribed(("AAPL",))]
    assert read(pumped.outgoing)[0]["trades"] == ["MSFT"]
    pumped = send(made, listed("MSFT"))
    assert pumped.notices == [Subscribed(("MSFT",))]
    assert pumped.outgoing == []


def test_a_symbol_counts_when_every_channel_lists_it():
    made = logged_in("AAPL")
    reply = listed("AAPL")
    reply[0]["quotes"] = []
    (refused,) = send(made, reply).notices
    assert refused.symbols == ("AAPL",)
    assert made.subscribed == frozenset()
    assert made.take_outgoing() == []  # and is not asked for again and again
    # corrections and cancelErrors follow by themselves
    assert send(made, [{**listed("AAPL")[0], "corrections": ["AAPL"]}]).notices == [Subscribed(("AAPL",))]


def test_what_the_server_does_not_let_go_is_asked_once():
    made = logged_in("AAPL")
    send(made, listed("AAPL"))
    made.unsubscribe(["AAPL"])
    assert len(made.take_outgoing()) == 1
    assert send(made, listed("AAPL")).outgoing == []
    assert made.subscribed == frozenset()
    assert send(made, listed("AAPL")).outgoing == []


def test_a_thousand_symbols_in_two_requests():
    names = [f"S{number}" for number in range(1_000)]
    made = logged_in(*names, channels=("quotes",))
    send(made, listed(*names[:500]))
    assert len(made.subscribed) == 500
    assert made.timer(START) == START + 10 * SECOND
    send(made, listed(*names))
    assert len(made.subscribed) == 1_000


# every documented code: error, retry, whether the connection ends
CODES = {
    400: (ConfigError, "never", False),
    401: (SessionLost, "usual", True),
    402: (ConfigError, "never", True),
    404: (SessionLost, "usual", True),
    405: (ConfigError, "never", False),
    406: (Throttled, "slow", True),
    407: (SessionLost, "usual", True),
    408: (ConfigError, "never", True),
    409: (ConfigError, "never", True),
    410: (ConfigError, "never", False),
    411: (ConfigError, "never", True),
    412: (ConfigError, "never", True),
    413: (ConfigError, "never", False),
    500: (VenueError, "usual", True),
    499: (VenueError, "usual", True),  # not documented
}


@pytest.mark.parametrize("code", CODES)
def test_error_codes(code):
    error, retry, close = CODES[code]
    made = logged_in("AAPL")
    (refused,) = send(made, [{"T": "error", "code": code, "msg": f"said with {SECRET}"}]).notices
    assert isinstance(refused, Refused)
    assert type(refused.error) is error
    assert (refused.retry, refused.close) == (retry, close)
    assert str(refused.error).startswith("alpaca: said with ***")
    assert str(refused.error).endswith(f"(code {code})")
    assert refused.symbols == (() if close else ("AAPL",))
    assert (refused.after > 0) == (retry == "slow")
    made.closed(1008, "", START)
    assert len(made.take_notices()) == (0 if close else 1)


def test_every_documented_code_is_in_the_table():
    assert set(ERRORS) == {*range(400, 414), 500}
    assert set(CODES) >= set(ERRORS) - {403}


def test_already_authenticated_is_harmless():
    made = line()
    made.opened(START)
    send(made, CONNECTED)
    assert send(made, [{"T": "error", "code": 403, "msg": "already authenticated"}]).notices == [Accepted(), Ready()]
    assert send(made, [{"T": "error", "code": 403, "msg": "already authenticated"}]).notices == []


@pytest.mark.parametrize("code", [400, 405, 410])
def test_any_refusal_before_the_login_ends_the_connection(code):
    made = line()
    made.opened(START)
    (refused,) = send(made, [{"T": "error", "code": code, "msg": "no"}]).notices
    assert refused.close


def test_one_malformed_symbol_does_not_cost_the_others():
    made = logged_in("AAPL", "A$$", "MSFT", "IBM")
    held: list[str] = []
    requests = [["AAPL", "A$$", "MSFT", "IBM"]]
    for _ in range(10):
        asked = requests.pop()
        held += [] if "A$$" in asked else asked
        reply = [{"T": "error", "code": 400, "msg": "invalid syntax"}] if "A$$" in asked else listed(*held)
        pumped = send(made, reply)
        requests += [request["trades"] for request in read(pumped.outgoing)]
        if not requests:
            break
    assert made.subscribed == {"AAPL", "MSFT", "IBM"}


def test_the_symbol_limit_names_what_was_asked():
    made = logged_in("AAPL")
    send(made, listed("AAPL"))
    made.subscribe(["IBM", "MSFT"])
    (refused,) = send(made, [{"T": "error", "code": 405, "msg": "symbol limit exceeded"}]).notices
    assert refused.symbols == ("IBM", "MSFT")
    assert str(refused.error) == "alpaca: symbol limit exceeded for 2 symbols from IBM on (code 405)"
    assert made.subscribed == {"AAPL"}
    made.unsubscribe(["IBM", "MSFT"])
    assert made.take_outgoing() == []
    made.subscribe(["MSFT"])
    assert read(made.take_outgoing())[0]["trades"] == ["MSFT"]


@pytest.mark.parametrize(("code", "error", "retry"), [(401, ConfigError, "never"), (429, Throttled, "slow")])
def test_refused_handshakes(code, error, retry):
    made = line()
    made.closed(code, "Unauthorized", START)
    (refused,) = made.take_notices()
    assert type(refused.error) is error
    assert refused.retry == retry


def test_no_answer_to_the_login():
    made = line()
    made.opened(START)
    send(made, CONNECTED)
    assert made.timer(START + 10 * SECOND) == NEVER
    (refused,) = made.take_notices()
    assert str(refused.error) == "alpaca: no answer to the login within 10 s"


def test_no_answer_to_a_request():
    made = logged_in("AAPL")
    due = made.timer(START)
    assert due == START + 10 * SECOND
    made.timer(due)
    (refused,) = made.take_notices()
    assert str(refused.error) == "alpaca: no answer to the subscription within 10 s"


@pytest.mark.parametrize("codec", ["json", "msgpack"])
def test_rare_messages(codec):
    made = logged_in("AAPL", "MSFT", "EEM", codec=codec)
    imbalance = {"T": "i", "S": "AAPL", "p": 9.12, "z": "C", "t": "2021-02-22T19:15:00Z"}
    cancel = {"T": "x", "S": "AAPL", "i": 62, "x": "V", "p": 173.66, "s": 100, "a": "C", "z": "A"}
    cancel |= {"t": "2021-02-22T19:15:00Z"}
    revised = {**BAR, "T": "u"}
    daily = {key: value for key, value in BAR.items() if key not in {"n", "vw"}} | {"T": "d"}
    messages: list[dict[str, Any]] = [BAR, revised, daily, BAND, HALT, imbalance, cancel]
    if codec == "msgpack":
        messages = [{**one, "t": msgpack.Timestamp(1_614_021_300, 0)} if one is not BAND else one for one in messages]
    pumped = [notice for one in messages for notice in send(made, [one]).notices]
    values = [message for side in pumped if isinstance(side, Side) for message in side.messages]
    start = 1_614_021_300 * SECOND
    base = {"ts_event": start, "ts_recv": START, "sequence": 0, "instrument": 0, "symbol": "AAPL", "provider": 2}
    base["venue"] = venue_id("IEXG")
    prices = {"open": "388.985", "high": "389.13", "low": "388.975", "close": "389.12", "volume": "49378"}
    bar: dict[str, Any] = {**base, "start": start, **{key: Decimal(value) for key, value in prices.items()}}
    full = {"vwap": Decimal("389.0001"), "trades": 120}
    assert values[0] == ProviderBar(**bar, **full, interval="1m", end=start + 60 * SECOND)
    assert values[1] == ProviderBar(**bar, **full, interval="1m", end=start + 60 * SECOND, revised=True)
    assert values[2] == ProviderBar(**bar, interval="1d", end=START)
    assert values[3] == PriceBand(
        **{**base, "ts_event": 1_680_788_085_565_004_401, "symbol": "MSFT", "instrument": 1},
        lower=Decimal("2.65"),
        upper=Decimal("3.24"),
        indicators=("B",),
    )
    assert values[4] == TradingStatus(
        **base, status=Status.HALTED, code="H", text="Trading Halt", reason_code="T12", reason="Information requested"
    )
    assert values[5] == AuctionImbalance(**base, price=Decimal("9.12"))
    if len(values) > 6:  # or an event
        assert values[6] == TradeCancel(**base, trade_id="62", price=Decimal("173.66"), size=Decimal(100), action="C")


def test_news():
    made = logged_in("AAPL")
    story = {"T": "n", "id": 24918784, "headline": "H", "summary": "S", "author": "A", "url": "u", "source": "benzinga"}
    story |= {"created_at": "2022-01-05T22:00:37Z", "updated_at": "2022-01-05T22:00:38Z", "symbols": ["AAPL", "BRK.B"]}
    (side,) = send(made, [story]).notices
    (news,) = side.messages
    assert isinstance(news, News)
    assert (news.story_id, news.symbols, news.symbol) == ("24918784", ("AAPL", "BRK.B"), None)
    assert news.updated - news.created == SECOND


# what each recorded control or rare message says
SAMPLES = {
    "error": {402: "never", 406: "slow", 409: "never", 400: "never", 405: "never", 410: "never"},
    "b": ProviderBar,
    "c": TradeCorrection,
    "l": PriceBand,
    "s": TradingStatus,
}


def test_every_sample(data):
    seen = set()
    for row in data("../protocols/samples/alpaca.jsonl").read_text().splitlines():
        sample = json.loads(row)
        if sample["kind"] != "ws_doc_example":
            continue
        for codec in ("json", "msgpack"):
            made = logged_in("AAPL", codec=codec, feed="crypto" if "/" in sample["raw"] else "iex")
            made.take_notices()
            value = json.loads(sample["raw"])
            first = value[0]
            kind = first["T"]
            seen.add(kind)
            pumped = send(made, value)
            assert pumped.problem is None
            assert not [notice for notice in pumped.notices if isinstance(notice, Unexpected)] or kind == "success"
            if kind == "error":
                refused = [notice for notice in pumped.notices if isinstance(notice, Refused)]
                assert [one.retry for one in refused] == [
                    SAMPLES["error"][code] for code in [first["code"]] if code != 403
                ]
            elif kind in SAMPLES:
                (side,) = pumped.notices
                assert [type(message) for message in side.messages] == [SAMPLES[kind]]
            elif kind == "subscription":
                assert made.subscribed == frozenset()  # not on every channel of ours
            elif kind != "success":
                assert pumped.notices == []
    assert seen == {"success", "subscription", "error", "t", "q", "o", *SAMPLES} - {"error"} | {"error"}


def test_a_correction_field_by_field():
    made = logged_in("EEM")
    raw = {"T": "c", "S": "EEM", "x": "M", "oi": 52983525033527, "op": 39.1582, "os": 440000, "oc": [" ", "7"]}
    raw |= {"ci": 52983525034326, "cp": 39.1809, "cs": 440000, "cc": [" ", "7"], "z": "B"}
    raw |= {"t": "2023-04-06T14:25:06.542305024Z"}
    (side,) = send(made, [raw]).notices
    (correction,) = side.messages
    assert correction == TradeCorrection(
        1_680_791_106_542_305_024,
        START,
        0,
        0,
        "EEM",
        venue_id("XCHI"),
        2,
        "52983525033527",
        Decimal("39.1582"),
        Decimal(440000),
        (" ", "7"),
        "52983525034326",
        Decimal("39.1809"),
        Decimal(440000),
        (" ", "7"),
    )


def test_decoders_are_of_the_feed_and_codec():
    assert {"alpaca", "alpaca-msgpack", "alpaca-crypto", "alpaca-crypto-msgpack"} <= set(FORMATS)
    for feed, codec, name in [
        ("iex", "json", "alpaca"),
        ("sip", "msgpack", "alpaca-msgpack"),
        ("crypto", "json", "alpaca-crypto"),
        ("crypto_eu_1", "msgpack", "alpaca-crypto-msgpack"),
    ]:
        decoder = line(codec, feed=feed).decoder
        assert isinstance(decoder, FrameDecoder)
        assert decoder.format == name
