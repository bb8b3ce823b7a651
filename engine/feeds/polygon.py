"""Polygon.io, Massive since 2025-10-30: US stocks over WebSocket, both brands' hosts.

The conversation: the server says "connected", we send the key, it says "auth_success", we subscribe to topics of
symbols ("Q.AAPL"), it confirms each pair by a status message of its own. There is no replay and no snapshot. What
reference documents and live probes say of it stands in the tables.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from engine._native.wire import FrameDecoder, tables
from engine.core.feed_messages import (
    AuctionImbalance,
    PriceBand,
    ProviderBar,
    ProviderValue,
    codes,
    decimal,
    epoch_ns,
    text,
    whole,
)
from engine.errors import ConfigError, EngineError, SessionLost, Throttled, VenueError
from engine.feeds.conversation import Conversation, closings
from engine.feeds.protocol import (
    NEVER,
    Accepted,
    Channel,
    Connected,
    LineFacts,
    Ready,
    Retry,
    Side,
    Subscribed,
    Unsubscribed,
)
from engine.feeds.symbology import from_wire, to_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.core.instruments import Instruments
    from engine.core.side import SideMessage
    from engine.feeds.protocol import LineDecoder

__all__ = ["FEEDS", "TOPICS", "PolygonFeed", "feed_url"]

_SECOND: Final = 1_000_000_000

#: Host stems with a real certificate (probed in 2026) -> whether their data is live.
FEEDS: Final[dict[str, bool]] = {
    "socket": True,
    "business": True,
    "polyfeed": True,
    "polyfeedplus": True,
    "nasdaqfeed": True,
    "starterfeed": True,
    "delayed": False,
    "delayed-business": False,
}
#: Channel -> topic prefix.
TOPICS: Final[dict[Channel, str]] = {
    "trades": "T",
    "quotes": "Q",
    "bars": "AM",
    "second_bars": "A",
    "bands": "LULD",
    "imbalances": "NOI",
}
_USUAL: Final[tuple[Channel, ...]] = ("trades", "quotes")
_SYMBOLS_A_FRAME: Final = 200  # keeps subscribe frames below 4 KiB or so
_EVICTED_NS: Final = 60 * _SECOND  # the connection that pushed ours out is somebody's: do not fight over the slot

#: Status -> (error, when to try again, least wait). Each ends the connection.
_ENDINGS: Final[dict[str, tuple[Callable[[str], EngineError], Retry, int]]] = {
    "auth_failed": (ConfigError, "never", 0),
    "auth_timeout": (SessionLost, "usual", 0),
    "max_connections": (lambda said: Throttled(said, "max_connections", _EVICTED_NS), "slow", _EVICTED_NS),
}
_REFUSALS: Final = closings(_EVICTED_NS)
#: HTTP status of a refused handshake, or WebSocket close code -> what it means.
_CLOSINGS: Final = {**_REFUSALS, 1008: _REFUSALS[429]}


def feed_url(feed: str, base: str | None) -> str:
    """Where the stocks of a feed are; a ``base`` without a path gets "/stocks"."""
    if base is None:
        return f"wss://{feed}.massive.com/stocks"
    _, _, rest = base.partition("://")
    return base if rest.partition("/")[2] else f"{base.rstrip('/')}/stocks"


@dataclass(slots=True)
class _Asked:
    """A subscribe frame on its way: its pairs that are not confirmed yet, and how many were refused."""

    channel: Channel
    pairs: set[str]
    confirmed: bool = False
    refused: int = 0


class PolygonFeed(Conversation):
    """One connection to the stocks cluster (``engine.feeds.protocol.FeedProtocol``).

    Args:
        key: the API key.
        instruments: where symbols get their ids.
        name: the line's name.
        feed: a key of ``FEEDS``.
        url: another host, such as a simulator's.
        channels: of ``TOPICS``; trades and quotes by default.
        symbol_limit: most symbols, None for all.
        decoder: for tests.
    """

    def __init__(
        self,
        key: str,
        instruments: Instruments,
        *,
        name: str = "polygon",
        feed: str = "socket",
        url: str | None = None,
        channels: tuple[Channel, ...] = (),
        symbol_limit: int | None = None,
        decoder: LineDecoder | None = None,
    ) -> None:
        facts = LineFacts(
            role="nbbo",
            live=FEEDS[feed],
            channels=channels or _USUAL,
            connection_limit="evicts_older",
            ping_every=25 * _SECOND,  # the official Go client's
            silent_after=60 * _SECOND,
            symbol_limit=symbol_limit,
        )
        super().__init__(
            name,
            "polygon",
            url=feed_url(feed, url),
            facts=facts,
            decoder=decoder or FrameDecoder("polygon", provider="polygon"),
            instruments=instruments,
            wire=lambda symbol: to_wire("polygon", symbol),
            house=lambda wire: from_wire("polygon", wire),
            secrets=(key,),
        )
        self._key = key
        self._venues: Mapping[int, int] = tables("polygon")["venues"]
        self._ready = False
        self._asked: deque[_Asked] = deque()
        self._missing: dict[str, set[str]] = {}  # wire symbol -> pairs not confirmed yet
        self._pairs: dict[str, int] = {}  # wire symbol -> confirmed pairs

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
        self._held.clear()
        self._asked.clear()
        self._missing.clear()
        self._pairs.clear()

    def subscribe(self, symbols: Sequence[str]) -> None:
        """Wants data of canonical symbols."""
        new = self.want(symbols)
        if self._ready:
            self._ask(new)

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Wants no more data of them. The wording of the answer is not documented, so none is waited for."""
        wires = [self._wanted[symbol] for symbol in dict.fromkeys(symbols) if symbol in self._wanted]
        gone = self.forget(symbols)
        if not self._ready or not gone:
            return
        for wire in wires:
            self._missing.pop(wire, None)
            self._pairs.pop(wire, None)
        for start in range(0, len(wires), _SYMBOLS_A_FRAME):
            for channel in self.facts.channels:
                self._send(
                    "unsubscribe", [f"{TOPICS[channel]}.{wire}" for wire in wires[start : start + _SYMBOLS_A_FRAME]]
                )
        self._held.difference_update(gone)
        self.tell(Unsubscribed(tuple(gone), confirmed=False))

    def _send(self, action: str, pairs: list[str]) -> None:
        self._outgoing.append(orjson.dumps({"action": action, "params": ",".join(pairs)}).decode())

    def _ask(self, symbols: Sequence[str]) -> None:
        """Asks for every channel of symbols, a frame a channel, so that an unnamed refusal can be told apart."""
        for start in range(0, len(symbols), _SYMBOLS_A_FRAME):
            wires = [self._wanted[symbol] for symbol in symbols[start : start + _SYMBOLS_A_FRAME]]
            for channel in self.facts.channels:
                pairs = [f"{TOPICS[channel]}.{wire}" for wire in wires]
                self._send("subscribe", pairs)
                self._asked.append(_Asked(channel, set(pairs)))
            for wire in wires:
                self._missing[wire] = {f"{TOPICS[channel]}.{wire}" for channel in self.facts.channels}

    def timer(self, now: int) -> int:
        """Ends a login that gets no answer; takes pairs that nobody confirms for subscribed, and says so."""
        if self._ready and self._asked and self._due == NEVER:
            self.expect_answer(now)
        if now < self._due:
            return self._due
        self._due = NEVER
        if not self._ready:
            self.refuse(SessionLost(f"{self.name}: no answer to the login within 10 s"), "usual", close=True)
        else:
            self._take_for_subscribed()
        return self._due

    def _take_for_subscribed(self) -> None:
        """A pair the server holds already is not confirmed again, and unknown ones never: data will tell."""
        self._asked.clear()
        silent = [wire for wire, pairs in self._missing.items() if pairs]
        self.counts["unconfirmed"] += sum(len(pairs) for pairs in self._missing.values())
        self._missing.clear()
        symbols = tuple(self._canonical[wire] for wire in silent if wire in self._canonical)
        self._held.update(symbols)
        if symbols:
            self.tell(Subscribed(symbols, confirmed=False))

    def receive_other(self, messages: Sequence[bytes], now: int) -> None:
        """Status messages, bars, bands, imbalances and values; one ``Side`` and one ``Subscribed`` for all of them."""
        side: list[SideMessage] = []
        complete: list[str] = []
        for message in messages:
            try:
                value = orjson.loads(message)
                kind = value["ev"]
                if kind == "status":
                    self._status(value, now, complete)
                else:
                    side.append(_READERS[kind](self, value, now))
                    self.counts[kind] += 1
            except (ValueError, TypeError, KeyError):  # no JSON, no object, an unknown type, a field amiss
                self.unexpected(message)
        if complete:
            self._held.update(complete)
            self.tell(Subscribed(tuple(complete)))
        if side:
            self.tell(Side(tuple(side)))

    def _status(self, value: dict[str, Any], now: int, complete: list[str]) -> None:
        status, message = text(value["status"]), text(value.get("message"))
        said = self.say(message)
        self.counts[f"status.{status}" if status in _STATUSES else "status.other"] += 1
        if status == "connected" and not self._ready:
            self._outgoing.append(orjson.dumps({"action": "auth", "params": self._key}).decode())
            self.expect_answer(now)
            self.tell(Connected())
        elif status == "auth_success" and not self._ready:
            self._ready, self._due = True, NEVER
            self.tell(Accepted())
            self.tell(Ready())
            self._ask(list(self._wanted))
        elif status in _ENDINGS:
            error, retry, after = _ENDINGS[status]
            self._due = NEVER
            self.refuse(error(f"{self.name}: {said or status}"), retry, close=True, after=after)
        elif status == "success":
            self._confirmed(message, complete)
        elif status == "error" and said == "not authorized":
            self._not_authorized(said)
        elif status == "error":
            self.refuse(VenueError(f"{self.name}: {said}", "error"), "usual", close=not self._ready)
        else:
            self.unexpected(f"status {status}: {said}")

    def _confirmed(self, message: str, complete: list[str]) -> None:
        """One "subscribed to: T.AAPL" for each pair, in any order and any number of frames."""
        verb, _, pairs = message.partition(":")
        if verb.startswith("unsubscribed"):
            return
        if verb != "subscribed to":
            self.unexpected(f"status success: {message}")
            return
        for pair in pairs.replace(" ", "").split(","):
            wire = pair.partition(".")[2]
            for asked in self._asked:
                if pair in asked.pairs:
                    asked.pairs.discard(pair)
                    asked.confirmed = True
                    break
            while self._asked and not self._asked[0].pairs:
                self._asked.popleft()
            if wire in self._missing:
                self._pairs[wire] = self._pairs.get(wire, 0) + 1
                self._missing[wire].discard(pair)
                self._settle(wire, complete)
            elif wire in self._canonical and self._canonical[wire] not in self._held:
                complete.append(self._canonical[wire])  # a refusal was taken for another's: this one stands
        if not self._asked:
            self._due = NEVER

    def _settle(self, wire: str, complete: list[str]) -> None:
        """A symbol of which nothing is missing any more is subscribed, if anything of it was confirmed."""
        if self._missing.get(wire) == set():
            del self._missing[wire]
            if self._pairs.pop(wire, 0) and wire in self._canonical:
                complete.append(self._canonical[wire])

    def _not_authorized(self, said: str) -> None:
        """The plan lacks a topic, which is not named; the server answers in order, each pair, as far as one can see.

        So it is the topic of the oldest frame without an answer, and told once.
        """
        waiting = (asked for asked in self._asked if not asked.confirmed and asked.refused < len(asked.pairs))
        asked = next(waiting, None)
        if asked is None:
            self.refuse(ConfigError(f"{self.name}: {said}"), "never", close=not self._ready)
            return
        asked.refused += 1
        if asked.refused > 1:
            return
        complete: list[str] = []
        wires = [pair.partition(".")[2] for pair in sorted(asked.pairs)]
        symbols = tuple(self._canonical[wire] for wire in wires if wire in self._canonical)
        topic = TOPICS[asked.channel]
        error = ConfigError(f"{self.name}: {said} for {asked.channel}; the plan does not include topic {topic}")
        self.refuse(error, "never", close=False, symbols=symbols, channel=asked.channel)
        for wire in wires:
            self._missing.get(wire, set()).discard(f"{topic}.{wire}")
            self._settle(wire, complete)
        if complete:
            self._held.update(complete)
            self.tell(Subscribed(tuple(complete)))

    def _bar(self, value: dict[str, Any], now: int) -> ProviderBar:
        """A (second) and AM (minute): ``dv`` and ``dav`` carry fractions of shares as text, ``v`` and ``av`` do not."""
        start, end = epoch_ns(value["s"]), epoch_ns(value["e"])
        day_volume = value.get("dav", value.get("av"))
        return ProviderBar(
            *self.side_fields(end, now, text(value["sym"])),
            interval="1s" if value["ev"] == "A" else "1m",
            start=start,
            end=end,
            open=decimal(value["o"]),
            high=decimal(value["h"]),
            low=decimal(value["l"]),
            close=decimal(value["c"]),
            volume=decimal(value.get("dv", value.get("v", 0))),
            vwap=_maybe(value.get("vw")),
            day_volume=_maybe(day_volume),
            day_vwap=_maybe(value.get("a")),
            official_open=_maybe(value.get("op")),
        )

    def _band(self, value: dict[str, Any], now: int) -> PriceBand:
        """LULD: the ticker is in T; ``t`` is documented as ms, sampled as us and sent as ns."""
        return PriceBand(
            *self.side_fields(epoch_ns(value["t"]), now, text(value["T"]), whole(value.get("q", 0))),
            lower=decimal(value["l"]),
            upper=decimal(value["h"]),
            indicators=codes(value.get("i")),
        )

    def _imbalance(self, value: dict[str, Any], now: int) -> AuctionImbalance:
        venue = self._venues.get(whole(value.get("x", 0)), 0)
        sequence = whole(value.get("i", 0))
        return AuctionImbalance(
            *self.side_fields(epoch_ns(value["t"]), now, text(value["T"]), sequence, venue),
            price=_maybe(value.get("b")),
            imbalance=whole(value["o"]),
            paired=whole(value["p"]),
            auction=text(value.get("a")),
            auction_time=whole(value.get("at", 0)),
        )

    def _value(self, value: dict[str, Any], now: int) -> ProviderValue:
        """FMV (fair market value) and LV (last value)."""
        fair = value["ev"] == "FMV"
        fields = self.side_fields(epoch_ns(value["t"]), now, text(value["sym"]))
        return ProviderValue(*fields, kind="fair" if fair else "last", value=decimal(value["fmv" if fair else "val"]))


def _maybe(value: Any) -> Any:
    return None if value is None else decimal(value)


_STATUSES: Final = frozenset({"connected", "auth_success", "success", "error", *_ENDINGS})
_READERS: Final[dict[str, Callable[[PolygonFeed, dict[str, Any], int], SideMessage]]] = {
    "A": PolygonFeed._bar,
    "AM": PolygonFeed._bar,
    "LULD": PolygonFeed._band,
    "NOI": PolygonFeed._imbalance,
    "FMV": PolygonFeed._value,
    "LV": PolygonFeed._value,
}
