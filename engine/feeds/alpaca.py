"""Alpaca market data: stocks (v2) and crypto (v1beta3) over WebSocket, in JSON or MessagePack.

The conversation: the server says "connected", we send key and secret within 10 s, it says "authenticated", we
subscribe; the answer to each request is the full list of what is subscribed now, or an error that leaves it as it was.
One request is on its way at a time, so that an error is about something. There is no sequence, no replay and no
snapshot of quotes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

import msgpack
import orjson

from engine._native.wire import FrameDecoder, tables
from engine.core.events import Status
from engine.core.feed_messages import (
    AuctionImbalance,
    News,
    PriceBand,
    ProviderBar,
    TradeCancel,
    TradeCorrection,
    TradingStatus,
    codes,
    decimal,
    instant_ns,
    text,
)
from engine.core.venues import venue_id
from engine.errors import ConfigError, EngineError, SessionLost, Throttled, VenueError
from engine.feeds.conversation import Closing, Conversation, closings
from engine.feeds.protocol import (
    NEVER,
    Accepted,
    Channel,
    Connected,
    LineFacts,
    Ready,
    Retry,
    Role,
    Side,
    Subscribed,
    Unsubscribed,
)
from engine.feeds.symbology import from_wire, to_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.core.instruments import Instruments
    from engine.core.side import SideMessage
    from engine.feeds.conversation import SideFields
    from engine.feeds.protocol import LineDecoder

__all__ = ["ERRORS", "FEEDS", "AlpacaFeed", "Feed", "feed_url"]

_SECOND: Final = 1_000_000_000
_HOST: Final = "wss://stream.data.alpaca.markets"
_SYMBOLS_A_REQUEST: Final = 500

_STOCKS: Final[dict[Channel, str]] = {
    "trades": "trades",
    "quotes": "quotes",
    "bars": "bars",
    "daily_bars": "dailyBars",
    "updated_bars": "updatedBars",
    "bands": "lulds",
    "statuses": "statuses",
    "imbalances": "imbalances",
}
_CRYPTO: Final[dict[Channel, str]] = {
    "trades": "trades",
    "quotes": "quotes",
    "book": "orderbooks",
    "bars": "bars",
    "daily_bars": "dailyBars",
    "updated_bars": "updatedBars",
}


@dataclass(frozen=True, slots=True)
class Feed:
    """What one path of the service carries. ``venue`` is whose top or depth it is, "" for the whole market."""

    path: str
    role: Role
    channels: dict[Channel, str]
    usual: tuple[Channel, ...]
    venue: str = ""
    live: bool = True


_USUAL: Final[tuple[Channel, ...]] = ("trades", "quotes", "statuses")
#: Feed -> path and contents. Crypto's venue is Alpaca's own (ALPACA) for "us"; us-1 and eu-1 are Kraken's book.
FEEDS: Final[dict[str, Feed]] = {
    "iex": Feed("/v2/iex", "top", _STOCKS, _USUAL, "IEXG"),
    "sip": Feed("/v2/sip", "nbbo", _STOCKS, _USUAL),
    "delayed_sip": Feed("/v2/delayed_sip", "nbbo", _STOCKS, _USUAL, live=False),
    "test": Feed("/v2/test", "nbbo", _STOCKS, ("trades", "quotes")),
    "crypto": Feed("/v1beta3/crypto/us", "depth", _CRYPTO, ("trades", "book"), "ALPACA"),
    "crypto_us_1": Feed("/v1beta3/crypto/us-1", "depth", _CRYPTO, ("trades", "book"), "KRKN"),
    "crypto_eu_1": Feed("/v1beta3/crypto/eu-1", "depth", _CRYPTO, ("trades", "book"), "KRKN"),
}

_HOLDS_NS: Final = 90 * _SECOND  # how long a half-dead connection keeps its slot (observed)
_AGAIN_NS: Final = 5 * _SECOND  # the Go SDK tries again after 0.5 s to 5 s, 15 times


@dataclass(frozen=True, slots=True)
class _Rule:
    """What an error code means: the error, when to try again, and whether the connection ends."""

    error: Callable[[str, int], EngineError]
    retry: Retry
    close: bool
    after: int = 0


def _config(said: str, code: int) -> EngineError:
    return ConfigError(f"{said} (code {code})")


def _throttled(said: str, code: int) -> EngineError:
    return Throttled(f"{said} (code {code})", code, _AGAIN_NS)


def _lost(said: str, code: int) -> EngineError:
    return SessionLost(f"{said} (code {code})", code)


def _venue(said: str, code: int) -> EngineError:
    return VenueError(f"{said} (code {code})", code)


#: Documented error codes. 400 and 410 are about the request on its way, 403 changes nothing.
ERRORS: Final[dict[int, _Rule | None]] = {
    400: _Rule(_config, "never", close=False),  # invalid syntax, which is also what a malformed symbol gets
    401: _Rule(_lost, "usual", close=True),  # not authenticated
    402: _Rule(_config, "never", close=True),  # auth failed
    403: None,  # already authenticated: harmless
    404: _Rule(_lost, "usual", close=True),  # auth timeout
    405: _Rule(_config, "never", close=False),  # symbol limit exceeded: subscriptions stay as before
    406: _Rule(_throttled, "slow", close=True, after=_AGAIN_NS),  # connection limit exceeded: the newcomer is refused
    407: _Rule(_lost, "usual", close=True),  # slow client
    408: _Rule(_config, "never", close=True),  # v2 not enabled
    409: _Rule(_config, "never", close=True),  # insufficient subscription: the plan lacks the feed
    410: _Rule(_config, "never", close=False),  # invalid subscribe action for this feed
    411: _Rule(_config, "never", close=True),  # insufficient scope
    412: _Rule(_config, "never", close=True),  # options: MessagePack only
    413: _Rule(_config, "never", close=False),  # options: no * for quotes
    500: _Rule(_venue, "usual", close=True),  # internal error
}
_UNKNOWN: Final = _Rule(_venue, "usual", close=True)
#: HTTP status of a refused handshake, or WebSocket close code -> what it means.
_CLOSINGS: Final[dict[int, Closing]] = {**closings(_AGAIN_NS), 1008: (SessionLost, "usual", 0)}


def feed_url(feed: str, base: str | None) -> str:
    """Where a feed is; a ``base`` without a path gets the feed's."""
    if base is None:
        return _HOST + FEEDS[feed].path
    _, _, rest = base.partition("://")
    return base if rest.partition("/")[2] else base.rstrip("/") + FEEDS[feed].path


@dataclass(frozen=True, slots=True)
class _Request:
    """The request on its way."""

    action: Literal["subscribe", "unsubscribe"]
    symbols: tuple[str, ...]


class AlpacaFeed(Conversation):
    """One connection to one feed (``engine.feeds.protocol.FeedProtocol``).

    Args:
        key, secret: the API key pair; for tokens the key is "oauth" or "access_token".
        instruments: where symbols get their ids.
        name: the line's name.
        feed: a key of ``FEEDS``.
        codec: of the frames, both ways.
        url: another host, such as a simulator's.
        channels: those of the feed; trades, quotes (crypto: books) and statuses by default.
        symbol_limit: most symbols, None for all.
        decoder: for tests.
    """

    def __init__(
        self,
        key: str,
        secret: str,
        instruments: Instruments,
        *,
        name: str = "alpaca",
        feed: str = "iex",
        codec: Literal["json", "msgpack"] = "msgpack",
        url: str | None = None,
        channels: tuple[Channel, ...] = (),
        symbol_limit: int | None = None,
        decoder: LineDecoder | None = None,
    ) -> None:
        self.feed = FEEDS[feed]
        facts = LineFacts(
            role=self.feed.role,
            venue=venue_id(self.feed.venue) if self.feed.venue else 0,
            live=self.feed.live,
            channels=channels or self.feed.usual,
            connection_limit="refuses_newer",
            slot_free_after=_HOLDS_NS,
            ping_every=20 * _SECOND,
            silent_after=60 * _SECOND,
            symbol_limit=symbol_limit,
        )
        super().__init__(
            name,
            "alpaca",
            url=feed_url(feed, url),
            headers={"Content-Type": f"application/{codec}"},
            facts=facts,
            decoder=decoder or _decoder(self.feed, codec),
            instruments=instruments,
            wire=lambda symbol: to_wire("alpaca", symbol),
            house=lambda wire: from_wire("alpaca", wire),
            secrets=(key, secret),
        )
        self._key, self._secret, self._codec = key, secret, codec
        self._ready = False
        self._request: _Request | None = None
        self._parts: list[tuple[str, ...]] = []  # a refused request, in smaller ones
        self._refused: set[str] = set()  # the server will not have them, on this connection
        self._stuck: set[str] = set()  # nor let them go

    def opened(self, now: int) -> None:
        """The transport is up: the server speaks first."""
        self._leave()
        self._ending = False
        self.expect_answer(now)

    def closed(self, code: int | None, reason: str, now: int) -> None:
        """The transport is down; codes that mean more than that are told."""
        self.ended(_CLOSINGS, code, reason)
        self._leave()

    def _leave(self) -> None:
        self._ready = False
        self._due = NEVER
        self._request = None
        self._parts.clear()
        self._refused.clear()
        self._stuck.clear()
        self._held.clear()

    def subscribe(self, symbols: Sequence[str]) -> None:
        """Wants data of canonical symbols."""
        new = self.want(symbols)
        self._stuck.difference_update(new)
        if new and self._ready:
            self._next_request()

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Wants no more data of them."""
        gone = self.forget(symbols)
        self._refused.difference_update(gone)
        if gone and self._ready:
            self._next_request()

    def _next_request(self) -> None:
        """Sends the next step from what is held to what is wanted, unless an answer is due."""
        if self._request is not None:
            return
        symbols: tuple[str, ...] = ()
        action: Literal["subscribe", "unsubscribe"] = "unsubscribe"
        if extra := [symbol for symbol in self._held if symbol not in self._wanted]:
            symbols = tuple(extra)
        while not symbols and self._parts:
            action = "subscribe"
            symbols = tuple(symbol for symbol in self._parts.pop(0) if symbol in self._wanted)
        if not symbols:
            action = "subscribe"
            symbols = tuple(symbol for symbol in self._wanted if symbol not in self._held | self._refused)
        if not symbols:
            return
        self._request = _Request(action, symbols[:_SYMBOLS_A_REQUEST])
        wires = [to_wire("alpaca", symbol) for symbol in self._request.symbols]
        self._send({"action": action, **{self.feed.channels[channel]: wires for channel in self.facts.channels}})

    def _send(self, message: dict[str, Any]) -> None:
        packed = orjson.dumps(message).decode() if self._codec == "json" else msgpack.packb(message)
        self._outgoing.append(packed)

    def timer(self, now: int) -> int:
        """Ends a connection that does not answer: this server always does."""
        if self._ready and self._request is not None and self._due == NEVER:
            self.expect_answer(now)
        if now >= self._due:
            what = "login" if not self._ready else "subscription"
            self._due = NEVER
            self.refuse(SessionLost(f"{self.name}: no answer to the {what} within 10 s"), "usual", close=True)
        return self._due

    def receive_other(self, messages: Sequence[bytes], now: int) -> None:
        """Control messages, bars, bands, statuses, corrections, imbalances and news; one ``Side`` for all of them."""
        side: list[SideMessage] = []
        for message in messages:
            try:
                value = self._read(message)
                kind = value["T"]
                if kind in _CONTROL:
                    _CONTROL[kind](self, value, now)
                else:
                    side.append(_READERS[kind](self, value, now))
                self.counts[kind] += 1
            except (ValueError, TypeError, KeyError, msgpack.UnpackException):  # cannot be read, or an unknown type
                self.unexpected(message)
        if side:
            self.tell(Side(tuple(side)))

    def _read(self, message: bytes) -> Any:
        return orjson.loads(message) if self._codec == "json" else msgpack.unpackb(message, strict_map_key=False)

    def _success(self, value: dict[str, Any], now: int) -> None:
        said = value["msg"]
        if said == "connected" and not self._ready:
            self._send({"action": "auth", "key": self._key, "secret": self._secret})
            self.expect_answer(now)
            self.tell(Connected())
        elif said == "authenticated" and not self._ready:
            self._log_in()
        else:
            self.unexpected(f"success: {said}")

    def _log_in(self) -> None:
        self._ready, self._due = True, NEVER
        self.tell(Accepted())
        self.tell(Ready())
        self._next_request()

    def _subscription(self, value: dict[str, Any], now: int) -> None:
        """What is subscribed now, all of it: a symbol is held when each of our channels lists it."""
        lists = [value.get(self.feed.channels[channel]) or [] for channel in self.facts.channels]
        held = {self.symbol_of(text(wire)) for wire in lists[0]}.intersection(
            *({self.symbol_of(text(wire)) for wire in listed} for listed in lists[1:])
        )
        request, self._request = self._request, None
        self._due = NEVER
        if request is not None and request.action == "unsubscribe":
            self._stuck.update(held.intersection(request.symbols))
        before, self._held = self._held, held - self._stuck
        if new := tuple(symbol for symbol in self._wanted if symbol in self._held - before):
            self.tell(Subscribed(new))
        if gone := tuple(sorted(before - self._held)):
            self.tell(Unsubscribed(gone))
        if request is not None and request.action == "subscribe":
            self._left_out(tuple(symbol for symbol in request.symbols if symbol in self._wanted.keys() - held))
        self._next_request()

    def _left_out(self, symbols: tuple[str, ...]) -> None:
        """Symbols that an answer does not list are not asked for again, else this would go on for ever."""
        self._refused.update(symbols)
        if symbols:
            error = VenueError(f"{self.name}: {symbols[0]} is not in the list of what is subscribed")
            self.refuse(error, "never", close=False, symbols=symbols)

    def _error(self, value: dict[str, Any], now: int) -> None:
        code, said = value["code"], self.say(text(value.get("msg")))
        if not isinstance(code, int):
            raise ValueError
        rule = ERRORS.get(code, _UNKNOWN)
        self.counts[f"error.{code if code in ERRORS else 'other'}"] += 1
        if rule is None:
            if not self._ready:
                self._log_in()
        elif rule.close or not self._ready:
            self._end(rule, said, code)
        else:
            self._request_refused(rule, said, code)

    def _end(self, rule: _Rule, said: str, code: int) -> None:
        self._due = NEVER
        self.refuse(rule.error(f"{self.name}: {said}", code), rule.retry, close=True, after=rule.after)

    def _request_refused(self, rule: _Rule, said: str, code: int) -> None:
        """The request failed as a whole; where a malformed symbol may be the cause, its halves are tried."""
        request, self._request = self._request, None
        self._due = NEVER
        if request is None:
            self.refuse(rule.error(f"{self.name}: {said}", code), rule.retry, close=False)
            return
        symbols = request.symbols
        if request.action == "unsubscribe":  # what cannot be taken back goes on, unseen
            self._held.difference_update(symbols)
        elif code == 400 and len(symbols) > 1:
            middle = len(symbols) // 2
            self._parts[:0] = [symbols[:middle], symbols[middle:]]
        else:
            self._refused.update(symbols)
            shown = symbols[0] if len(symbols) == 1 else f"{len(symbols)} symbols from {symbols[0]} on"
            error = rule.error(f"{self.name}: {said} for {shown}", code)
            self.refuse(error, rule.retry, close=False, symbols=symbols)
        self._next_request()

    def _side(self, value: dict[str, Any], now: int) -> SideFields:
        """What every side message starts with; the exchange letter is in ``x`` where there is one."""
        letter = value.get("x")
        venue = _venues().get(ord(letter), 0) if isinstance(letter, str) and len(letter) == 1 else self.facts.venue
        return self.side_fields(instant_ns(value["t"]), now, text(value["S"]), venue=venue)

    def _bar(self, value: dict[str, Any], now: int) -> ProviderBar:
        """B just after the minute, u at half past after a late trade, d the day so far each minute."""
        start, daily = instant_ns(value["t"]), value["T"] == "d"
        return ProviderBar(
            *self._side(value, now),
            interval="1d" if daily else "1m",
            start=start,
            end=now if daily else start + 60 * _SECOND,
            open=decimal(value["o"]),
            high=decimal(value["h"]),
            low=decimal(value["l"]),
            close=decimal(value["c"]),
            volume=decimal(value["v"]),
            vwap=decimal(value["vw"]) if "vw" in value else None,
            trades=int(decimal(value["n"])) if "n" in value else None,
            revised=value["T"] == "u",
        )

    def _band(self, value: dict[str, Any], now: int) -> PriceBand:
        fields = self._side(value, now)
        return PriceBand(
            *fields, lower=decimal(value["d"]), upper=decimal(value["u"]), indicators=codes(value.get("i"))
        )

    def _status(self, value: dict[str, Any], now: int) -> TradingStatus:
        code = text(value["sc"])
        return TradingStatus(
            *self._side(value, now),
            status=_states().get(code),
            code=code,
            text=text(value.get("sm")),
            reason_code=text(value.get("rc")),
            reason=text(value.get("rm")),
        )

    def _imbalance(self, value: dict[str, Any], now: int) -> AuctionImbalance:
        return AuctionImbalance(*self._side(value, now), price=decimal(value["p"]))

    def _correction(self, value: dict[str, Any], now: int) -> TradeCorrection:
        return TradeCorrection(
            *self._side(value, now),
            original_id=text(value["oi"]),
            original_price=decimal(value["op"]),
            original_size=decimal(value["os"]),
            original_conditions=codes(value.get("oc")),
            corrected_id=text(value["ci"]),
            corrected_price=decimal(value["cp"]),
            corrected_size=decimal(value["cs"]),
            corrected_conditions=codes(value.get("cc")),
        )

    def _cancel(self, value: dict[str, Any], now: int) -> TradeCancel:
        return TradeCancel(
            *self._side(value, now),
            trade_id=text(value["i"]),
            price=decimal(value["p"]),
            size=decimal(value["s"]),
            action=text(value.get("a")),
        )

    def _news(self, value: dict[str, Any], now: int) -> News:
        symbols = tuple(self.symbol_of(wire) for wire in codes(value.get("symbols")))
        created = instant_ns(value["created_at"])
        return News(
            *self.side_fields(created, now, symbols[0] if len(symbols) == 1 else ""),
            story_id=text(value["id"]),
            headline=text(value.get("headline")),
            summary=text(value.get("summary")),
            author=text(value.get("author")),
            url=text(value.get("url")),
            source=text(value.get("source")),
            symbols=symbols,
            created=created,
            updated=instant_ns(value.get("updated_at", value["created_at"])),
        )


@cache
def _states() -> Mapping[str, Status]:
    """Status codes of the CTA and UTP plans that change what may trade; others inform only."""
    return {chr(code): Status(number) for code, number in tables("alpaca")["statuses"].items()}


@cache
def _venues() -> Mapping[int, int]:
    """Exchange letters, by their ASCII codes."""
    return tables("alpaca")["venues"]


def _decoder(feed: Feed, codec: str) -> LineDecoder:
    crypto = feed.role == "depth"
    name = ("alpaca-crypto" if crypto else "alpaca") + ("-msgpack" if codec == "msgpack" else "")
    return FrameDecoder(name, provider="alpaca", venue=feed.venue, quotes="top" if feed.role == "top" else "nbbo")


_CONTROL: Final[dict[str, Callable[[AlpacaFeed, dict[str, Any], int], None]]] = {
    "success": AlpacaFeed._success,
    "subscription": AlpacaFeed._subscription,
    "error": AlpacaFeed._error,
}
_READERS: Final[dict[str, Callable[[AlpacaFeed, dict[str, Any], int], SideMessage]]] = {
    "b": AlpacaFeed._bar,
    "d": AlpacaFeed._bar,
    "u": AlpacaFeed._bar,
    "l": AlpacaFeed._band,
    "s": AlpacaFeed._status,
    "i": AlpacaFeed._imbalance,
    "c": AlpacaFeed._correction,
    "x": AlpacaFeed._cancel,
    "n": AlpacaFeed._news,
}
