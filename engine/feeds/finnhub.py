"""Finnhub: trades over WebSocket, one JSON object a frame.

The key is in the URL. There is no welcome and no answer to subscriptions: the line is ready when it is open, and
symbols are taken for subscribed when they were sent. A JSON ping about once a minute is the sign of life in silence.
One connection a key: a second one drops both.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Final

import orjson

from engine._native.wire import FrameDecoder
from engine.core.feed_messages import text
from engine.errors import ConfigError, Throttled, VenueError
from engine.feeds.conversation import Conversation, closings
from engine.feeds.protocol import Channel, Heartbeat, LineFacts
from engine.feeds.symbology import from_wire, to_wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.instruments import Instruments
    from engine.feeds.protocol import LineDecoder

__all__ = ["CHANNELS", "FinnhubFeed"]

_SECOND: Final = 1_000_000_000
_HOST: Final = "wss://ws.finnhub.io"
_PLAIN: Final = frozenset(string.ascii_letters + string.digits + "-._~")
#: There is one channel.
CHANNELS: Final[tuple[Channel, ...]] = ("trades",)
_TOO_MANY: Final = "Subscribing to too many symbols"  # as sent; it does not say which
_SHORT_NS: Final = 2 * _SECOND
_AGAIN_NS: Final = 30 * _SECOND  # another connection of the same key is alive: both would go on dropping each other
_CLOSINGS: Final = closings(_AGAIN_NS)


class FinnhubFeed(Conversation):
    """The connection of a key (``engine.feeds.protocol.FeedProtocol``).

    Args:
        key: the API key.
        instruments: where symbols get their ids.
        name: the line's name.
        url: another host, such as a simulator's.
        symbol_limit: most symbols; the free plan takes 50.
        decoder: for tests.
    """

    def __init__(
        self,
        key: str,
        instruments: Instruments,
        *,
        name: str = "finnhub",
        url: str | None = None,
        symbol_limit: int | None = None,
        decoder: LineDecoder | None = None,
    ) -> None:
        base = url or _HOST
        # a server that reads paths gets one: "wss://host?token=" is no URL for every client
        base = base if base.partition("://")[2].partition("/")[1] else f"{base}/"
        facts = LineFacts(
            role="prints",
            channels=CHANNELS,
            connection_limit="drops_all",
            ping_every=20 * _SECOND,
            silent_after=150 * _SECOND,  # two of its pings missed
            confirms=False,
            symbol_limit=symbol_limit,
        )
        super().__init__(
            name,
            "finnhub",
            url=f"{base}{'&' if '?' in base else '?'}token={_quoted(key)}",
            facts=facts,
            decoder=decoder or FrameDecoder("finnhub", provider="finnhub"),
            instruments=instruments,
            wire=lambda symbol: to_wire("finnhub", symbol),
            house=lambda wire: from_wire("finnhub", wire),
            secrets=(key, _quoted(key)),
        )
        self._opened_at = 0

    def opened(self, now: int) -> None:
        """The transport is up, and with it the line."""
        self._opened_at = now
        super().opened(now)

    def closed(self, code: int | None, reason: str, now: int) -> None:
        """The transport is down; gone at once, it met another connection of the same key."""
        self.ended(_CLOSINGS, code, reason)
        if not self._ending and self._open and now - self._opened_at < _SHORT_NS:
            soon = f"{self.name}: closed right after opening; a key may have one connection only"
            self.refuse(Throttled(soon, code, _AGAIN_NS), "slow", close=True, after=_AGAIN_NS)
        super().closed(code, reason, now)

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Wants no more data of them."""
        if self._open:
            known = dict.fromkeys(symbol for symbol in symbols if symbol in self._wanted)
            self._send("unsubscribe", [self._wanted[symbol] for symbol in known])
        super().unsubscribe(symbols)

    def take(self, symbols: Sequence[str]) -> None:
        """Asks for them; nobody confirms."""
        self._send("subscribe", [self._wanted[symbol] for symbol in symbols])
        super().take(symbols)

    def _send(self, kind: str, wires: list[str]) -> None:
        self._outgoing.extend(orjson.dumps({"type": kind, "symbol": wire}).decode() for wire in wires)

    def receive_other(self, messages: Sequence[bytes], now: int) -> None:
        """Pings and errors."""
        for message in messages:
            try:
                value = orjson.loads(message)
                kind = value["type"]
                if kind == "ping":
                    self.tell(Heartbeat())
                elif kind == "error":
                    self._error(self.say(text(value.get("msg"))))
                else:
                    raise ValueError(kind)
                self.counts[kind] += 1
            except (ValueError, TypeError, KeyError):
                self.unexpected(message)

    def _error(self, said: str) -> None:
        """Subscriptions that flow already go on in every case; only a refused key ends the connection."""
        if said.startswith(_TOO_MANY):
            limit = f"{self.name}: {said} ({len(self._wanted)} asked for); it does not say which it leaves out"
            self.refuse(ConfigError(limit), "never", close=False)
        elif "api key" in said.lower() or "token" in said.lower():
            self.refuse(ConfigError(f"{self.name}: {said}; check the key"), "never", close=True)
        else:
            self.refuse(VenueError(f"{self.name}: {said}"), "usual", close=False)


def _quoted(key: str) -> str:
    """Percent-encoding of what is not plain in a URL's query."""
    return "".join(chr(byte) if chr(byte) in _PLAIN else f"%{byte:02X}" for byte in key.encode())
