"""Alpaca Market Data v2 (stocks) as a server: JSON or msgpack by request header, feeds iex, sip, delayed_sip and test.

Frames, order, texts and error codes: docs.alpaca.markets and the official SDKs, as of 2026. Sizes are shares.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from engine.core.units import NANOS
from engine.core.venues import VENUES
from engine.errors import ConfigError
from engine.sim.history import MINUTE
from engine.sim.market import NEVER, Top
from engine.sim.providers.protocol import (
    AUTH_TIMEOUT_NS,
    MAX_FRAME_MESSAGES,
    Change,
    Conditions,
    Outbox,
    Output,
    Refused,
    Request,
    decimal_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.sim.history import Window
    from engine.sim.market import Print, Tick

__all__ = ["ERRORS", "EXCHANGES", "AlpacaServer", "bar_fields", "quote_json", "trade_json"]

#: venue -> exchange letter of GET /v2/stocks/meta/exchanges
EXCHANGES: Final = {
    VENUES[name]: letter
    for name, letter in {
        "XASE": "A", "XBOS": "B", "XCIS": "C", "EDGA": "J", "EDGX": "K", "LTSE": "L", "XCHI": "M", "XNYS": "N",
        "ARCX": "P", "XNAS": "Q", "MEMX": "U", "IEXG": "V", "XPSX": "X", "BATY": "Y", "BATS": "Z", "EPRL": "H",
    }.items()
}  # fmt: skip
ERRORS: Final = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
    500: "internal error",
}
FEEDS: Final = ("iex", "sip", "delayed_sip", "test")
#: what a client may name, and what a reply lists, in the order of the documentation
CHANNELS: Final = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds", "imbalances")
REPLIED: Final = (*CHANNELS[:-1], "corrections", "cancelErrors")
TEST_SYMBOL: Final = "FAKEPACA"
_IEXG: Final = VENUES["IEXG"]
_SYMBOL: Final = re.compile(r"\*|[A-Z0-9.\-/]{1,20}")
_ARCA_LISTED: Final = frozenset({"SPY", "QQQ", "IWM", "DIA", "GLD"})


@dataclass(slots=True)
class _Session:
    opened: int
    feed: str
    binary: bool
    key: str = field(default="", repr=False)
    authenticated: bool = False
    symbols: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in CHANNELS})


@dataclass(slots=True)
class _Message:
    """One object of the data array, encoded when somebody wants it."""

    channel: str
    symbol: str
    fields: dict[str, Any]  # prices and sizes as counts of 1e-9, under keys in _NUMBERS; "t" as ns
    change: Change | None = None


class AlpacaServer:
    """One endpoint host. What IEX alone trades goes to ``v2/iex``, the whole market to ``v2/sip``.

    Args:
        key: the only key that is accepted; None accepts any.
        secret: the only secret that is accepted; None accepts any.
        feeds: what the plan includes; others answer 409.
        limit: connections a key may hold, on each feed.
        symbol_limit: of trades and quotes together; None: as many as one likes (Basic has 30).
        test_source: the market's symbol whose quotes and trades the test feed tells as FAKEPACA.
    """

    def __init__(
        self,
        *,
        key: str | None = None,
        secret: str | None = None,
        feeds: Sequence[str] = FEEDS,
        limit: int = 1,
        symbol_limit: int | None = None,
        test_source: str = "AAPL",
    ) -> None:
        if wrong := [name for name in feeds if name not in FEEDS]:
            raise ConfigError(f"Alpaca feed is {wrong[0]!r}; expected some of {', '.join(FEEDS)}")
        self.conditions = Conditions()
        self._key, self._secret = key, secret
        self._plan = frozenset(feeds)
        self._limit = limit
        self._symbol_limit = symbol_limit
        self._test_source = test_source
        self._sessions: dict[int, _Session] = {}
        self._outbox = Outbox()

    @property
    def next_timer(self) -> int:
        waiting = [each.opened + AUTH_TIMEOUT_NS for each in self._sessions.values() if not each.authenticated]
        return min(waiting, default=NEVER)

    def connect(self, connection: int, request: Request, now: int) -> Refused | None:
        if self.conditions.throttled:
            return Refused(429, "Too Many Requests", 1)
        feed = request.path.split("?")[0].strip("/").removeprefix("v2/")
        if feed not in FEEDS:
            return Refused(404, "Not Found")
        binary = request.headers.get("content-type", "").split(";")[0].strip() == "application/msgpack"
        session = self._sessions[connection] = _Session(now, feed, binary)
        self._control(connection, session, {"T": "success", "msg": "connected"})
        credentials = _credentials(request.headers)
        if credentials is not None:
            self._auth(connection, session, *credentials)
        return None

    def receive(self, connection: int, data: str | bytes, now: int) -> None:
        session = self._sessions.get(connection)
        if session is None:
            return
        message = _decoded(data, binary=session.binary)
        action = message.get("action") if isinstance(message, dict) else None
        if action == "auth":
            key, secret = message.get("key"), message.get("secret")
            if not isinstance(key, str) or not isinstance(secret, str):
                self._error(connection, session, 400)
            elif session.authenticated:
                self._error(connection, session, 403)
            else:
                self._auth(connection, session, key, secret)
        elif action not in ("subscribe", "unsubscribe"):
            self._error(connection, session, 400)
        elif not session.authenticated:
            self._error(connection, session, 401)
        else:
            self._change(connection, session, message, add=action == "subscribe")

    def disconnected(self, connection: int, now: int) -> None:
        self._sessions.pop(connection, None)

    def publish(self, ticks: Sequence[tuple[Tick, Tick]], now: int) -> None:
        self._publish(lambda feed: self._messages(feed, ticks))

    def publish_bars(self, span: int, bars: Sequence[tuple[str, Window, Window]], now: int) -> None:
        """Minute bars and, each minute, the running bars of the day; those of the test feed are not made."""
        if span != MINUTE:
            return
        messages = [
            _Message(channel, symbol, {"T": kind, "S": symbol, **_bar(window)})
            for symbol, minute, day in bars
            for channel, kind, window in (("bars", "b", minute), ("dailyBars", "d", day))
            if window.open
        ]
        self._publish(lambda feed: messages if feed != "test" else [])

    def _publish(self, make: Callable[[str], list[_Message]]) -> None:
        by_feed: dict[str, list[_Message]] = {}
        encoded: dict[tuple[int, bool], Any] = {}  # of messages that several connections get
        for connection, session in self._sessions.items():
            if session.feed == "delayed_sip" or not any(session.symbols.values()):
                continue  # what is 15 minutes old is not made here
            if session.feed not in by_feed:
                by_feed[session.feed] = make(session.feed)
            symbols = session.symbols
            wanted = [
                message
                for message in by_feed[session.feed]
                if message.symbol in symbols[message.channel] or "*" in symbols[message.channel]
            ]
            for start in range(0, len(wanted), MAX_FRAME_MESSAGES):
                part = wanted[start : start + MAX_FRAME_MESSAGES]
                data = _packed(part, encoded) if session.binary else _joined(part, encoded)
                self._outbox.send(
                    connection, data, tuple(each.change for each in part if each.change is not None), market=True
                )

    def halt(self, symbols: Sequence[str], now: int, *, halted: bool) -> None:
        messages = [_Message("statuses", symbol, _status(symbol, now, halted=halted)) for symbol in symbols]
        self._publish(lambda feed: messages if feed != "test" else [])

    def intrude(self, now: int) -> None:
        """A half-dead connection of the client holds the slot: ours are dropped, newcomers are refused."""
        for connection in list(self._sessions):
            self._end(connection, None, "connection lost")

    def kill_slow(self, connection: int, now: int) -> None:
        if session := self._sessions.get(connection):
            self._error(connection, session, 407)
            self._end(connection, 1008, "slow client")

    def send_huge(self, size: int, now: int) -> None:
        news = {"T": "n", "id": 1, "headline": "huge", "symbols": []}
        count = max(1, size // 46)
        text = f"[{','.join([json.dumps(news, separators=(',', ':'))] * count)}]"
        for connection, session in self._sessions.items():
            self._outbox.send(connection, _msgpack().packb([news] * count) if session.binary else text)

    def timer(self, now: int) -> None:
        for connection, session in list(self._sessions.items()):
            if not session.authenticated and now >= session.opened + AUTH_TIMEOUT_NS:
                self._error(connection, session, 404)
                self._end(connection, 1000, "auth timeout")

    def take_output(self) -> list[Output]:
        return self._outbox.take()

    # ---- the conversation

    def _auth(self, connection: int, session: _Session, key: str, secret: str) -> None:
        if self.conditions.auth_refusal == "plan" or session.feed not in self._plan:
            self._error(connection, session, 409)
            return
        wrong = self._key not in {None, key} or self._secret not in {None, secret}
        if self.conditions.auth_refusal or not key or wrong:
            self._error(connection, session, 402)
            return
        holders = [each for each in self._sessions.values() if each.authenticated and each.feed == session.feed]
        if self.conditions.slot_taken or sum(each.key == key for each in holders) >= self._limit:
            self._error(connection, session, 406)
            self._end(connection, 1000, "connection limit exceeded")
            return
        session.authenticated, session.key = True, key
        self._control(connection, session, {"T": "success", "msg": "authenticated"})

    def _change(self, connection: int, session: _Session, message: dict[str, Any], *, add: bool) -> None:
        changes = {name: value for name, value in message.items() if name != "action"}
        if any(name not in CHANNELS for name in changes):
            self._error(connection, session, 410)
            return
        for value in changes.values():
            if not isinstance(value, list | type(None)) or not all(_is_symbol(symbol) for symbol in value or ()):
                self._error(connection, session, 400)
                return
        new = {
            name: held | set(changes.get(name) or ()) if add else held - set(changes.get(name) or ())
            for name, held in session.symbols.items()
        }
        if add and self._symbol_limit is not None and len(new["trades"]) + len(new["quotes"]) > self._symbol_limit:
            self._error(connection, session, 405)
            return
        session.symbols = new
        reply: dict[str, Any] = {"T": "subscription"}
        for name in REPLIED:  # corrections and cancelErrors follow trades
            reply[name] = sorted(new.get(name, new["trades"]))
        if new["imbalances"]:
            reply["imbalances"] = sorted(new["imbalances"])
        self._control(connection, session, reply)

    def _error(self, connection: int, session: _Session, code: int) -> None:
        self._control(connection, session, {"T": "error", "code": code, "msg": ERRORS[code]})

    def _control(self, connection: int, session: _Session, message: dict[str, Any]) -> None:
        """Control frames are arrays of one."""
        if session.binary:
            self._outbox.send(connection, _msgpack().packb([message]))
        else:
            self._outbox.send(connection, json.dumps([message], separators=(",", ":")))

    def _end(self, connection: int, code: int | None, reason: str) -> None:
        self._sessions.pop(connection, None)
        self._outbox.close(connection, code, reason)

    # ---- what the market did

    def _messages(self, feed: str, ticks: Sequence[tuple[Tick, Tick]]) -> list[_Message]:
        messages = []
        for true, told in ticks:
            symbol = true.symbol
            if feed == "test":
                if symbol != self._test_source:
                    continue
                symbol = TEST_SYMBOL
            for trade in told.prints:
                if feed != "iex" or trade.venue == _IEXG:
                    change = Change(symbol, true.sequence, prints=1)
                    messages.append(_Message("trades", symbol, _trade(symbol, told.ts, trade), change))
            if feed == "iex":
                shown, said, venue = dict(true.tops).get(_IEXG), dict(told.tops).get(_IEXG), _IEXG
            else:
                shown, said, venue = true.nbbo, told.nbbo, 0
            if shown is not None and said is not None:
                change = Change(symbol, true.sequence, venue, shown)
                messages.append(_Message("quotes", symbol, _quote(symbol, told.ts, said), change))
        return messages


def _is_symbol(value: object) -> bool:
    return isinstance(value, str) and _SYMBOL.fullmatch(value) is not None


def _credentials(headers: Any) -> tuple[str, str] | None:
    """Key and secret of the handshake's headers; None where there are none."""
    key = headers.get("apca-api-key-id")
    if key is not None:
        return key, headers.get("apca-api-secret-key", "")
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return "oauth", value
    if scheme.lower() == "basic":
        try:
            name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:
            return "", ""
        return name, password
    return None


def _decoded(data: str | bytes, *, binary: bool) -> Any:
    """A client's message, or None if it cannot be read."""
    try:
        if binary:
            return _msgpack().unpackb(data.encode() if isinstance(data, str) else data)
        return json.loads(data)
    except Exception:  # msgpack raises what it likes; to the client it is all invalid syntax
        return None


def _quote(symbol: str, ts: int, top: Top) -> dict[str, Any]:
    fields: dict[str, Any] = {"T": "q", "S": symbol}
    for letter, slot in (("b", top.bid), ("a", top.ask)):
        fields[f"{letter}x"] = EXCHANGES.get(slot.venue, " ") if slot.quantity else " "
        fields[f"{letter}p"], fields[f"{letter}s"] = slot.price, slot.quantity // NANOS
    return {**fields, "c": ["R"], "z": _tape(symbol), "t": ts}


def _trade(symbol: str, ts: int, trade: Print) -> dict[str, Any]:
    shares = trade.quantity // NANOS
    return {
        "T": "t",
        "S": symbol,
        "i": trade.trade_id,
        "x": EXCHANGES.get(trade.venue, " "),
        "p": trade.price,
        "s": shares,
        "c": ["@"] if shares >= 100 else ["@", "I"],
        "z": _tape(symbol),
        "t": ts,
    }


def _status(symbol: str, ts: int, *, halted: bool) -> dict[str, Any]:
    """In the words of the listing exchange's plan: UTP has letters, CTA digits."""
    code = ("H" if halted else "T") if _tape(symbol) == "C" else ("2" if halted else "3")
    reason = {"rc": "T1", "rm": "Halt - News Pending"} if halted else {"rc": "T3", "rm": "News and Resumption Times"}
    text = "Trading Halt" if halted else "Trading Resumption"
    return {"T": "s", "S": symbol, "sc": code, "sm": text, **reason, "t": ts, "z": _tape(symbol)}


def bar_fields(bar: Window) -> dict[str, Any]:
    """A bar of the REST answers."""
    return _plain(_bar(bar))


def _bar(bar: Window) -> dict[str, Any]:
    prices = {"o": bar.open, "h": bar.high, "l": bar.low, "c": bar.close}
    return {**prices, "v": bar.volume // NANOS, "n": bar.count, "vw": bar.vwap, "t": bar.start // MINUTE * MINUTE}


def quote_json(symbol: str, ts: int, top: Top) -> dict[str, Any]:
    """A quote of the REST answers."""
    return _plain(_quote(symbol, ts, top))


def trade_json(symbol: str, ts: int, trade: Print) -> dict[str, Any]:
    """A trade of the REST answers."""
    return _plain(_trade(symbol, ts, trade))


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    out = {
        name: value / NANOS if _is_price(name, value) else value
        for name, value in fields.items()
        if name not in {"T", "S"}
    }
    return {**out, "t": _rfc3339(fields["t"])}


_PRICES: Final = frozenset({"bp", "ap", "p", "o", "h", "l", "vw"})


def _is_price(name: str, value: object) -> bool:
    """Of bars ``c`` is the close, of quotes and trades the conditions."""
    return name in _PRICES or (name == "c" and isinstance(value, int))


def _joined(messages: Sequence[_Message], encoded: dict[tuple[int, bool], Any]) -> str:
    return f"[{','.join(_once(message, encoded, _text) for message in messages)}]"


def _packed(messages: Sequence[_Message], encoded: dict[tuple[int, bool], Any]) -> bytes:
    packer = _msgpack().Packer()
    body = [_once(message, encoded, lambda fields: packer.pack(_for_msgpack(fields))) for message in messages]
    return bytes(packer.pack_array_header(len(body))) + b"".join(body)


def _once(message: _Message, encoded: dict[tuple[int, bool], Any], encode: Callable[[dict[str, Any]], Any]) -> Any:
    """The encoded message; the next who asks with the same codec gets the same object."""
    key = (id(message), encode is _text)
    if key not in encoded:
        encoded[key] = encode(message.fields)
    return encoded[key]


def _text(fields: dict[str, Any]) -> str:
    parts = []
    for name, value in fields.items():
        if _is_price(name, value):
            text = decimal_text(value)
        elif name == "t":
            text = f'"{_rfc3339(value)}"'
        else:
            text = json.dumps(value, separators=(",", ":"))
        parts.append(f'"{name}":{text}')
    return f"{{{','.join(parts)}}}"


def _for_msgpack(fields: dict[str, Any]) -> dict[str, Any]:
    timestamp = _msgpack().Timestamp
    return {
        name: value / NANOS if _is_price(name, value) else timestamp(*divmod(value, NANOS)) if name == "t" else value
        for name, value in fields.items()
    }


def _rfc3339(ts: int) -> str:
    """Up to nanoseconds, trailing zeros trimmed."""
    seconds, part = divmod(ts, NANOS)
    fraction = f".{part:09d}".rstrip("0") if part else ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _tape(symbol: str) -> str:
    return "A" if symbol == TEST_SYMBOL else "B" if symbol in _ARCA_LISTED else "C"


@cache
def _msgpack() -> Any:
    """Loaded for clients that speak it."""
    import msgpack

    return msgpack
