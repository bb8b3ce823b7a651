"""IEX's own feeds over IEX-TP 1 in UDP: DEEP 1.0 (every level of its book) or TOPS 1.6 (its top), and its trades.

There is no login. A session begins with message 1: system events, the directory, trading states and the whole book. IEX
fills gaps over lines of its own, which are not simulated; instead a line that was damaged or has a new listener falls
silent for over a second and begins its session again at message 1, offset 0, as after a restart of the venue. Decoders
take that for what it is: all that was known is void.

Layouts: IEX Transport Protocol 1, TOPS 1.66, DEEP 1.08; little-endian, prices in 1e-4 dollars.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, Literal

from engine.core.events import Side
from engine.core.units import NANOS
from engine.core.venues import VENUES
from engine.errors import ConfigError
from engine.sim.market import NEVER, Top
from engine.sim.providers.protocol import Change, Conditions, Outbox, Output, Refused, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.sim.history import Window
    from engine.sim.market import Market, Print, Tick

__all__ = ["HEADER", "IexServer"]

HEADER: Final = struct.Struct("<BBHIIHHQQq")
PROTOCOLS: Final = {"deep": 0x8004, "tops": 0x8003}
CHANNEL: Final = 1
SESSION: Final = 0x5EED
HEARTBEAT_NS: Final = NANOS
SILENCE_NS: Final = 1_100_000_000  #: before a session begins again; decoders ask for more than a second
SEGMENT_BYTES: Final = 1_400  #: of messages in one datagram
DATAGRAM_BYTES: Final = 60_000  #: the largest that is sent when a fault asks for a huge one
_UNIT: Final = NANOS // 10_000
_IEXG: Final = VENUES["IEXG"]
_LEVEL: Final = struct.Struct("<cBq8sIq")
_QUOTE: Final = struct.Struct("<cBq8sIqqI")
_TRADE: Final = struct.Struct("<cBq8sIqq")
_ODD_LOT: Final = 0x20

Message = tuple[bytes, tuple[Change, ...]]


class IexServer:
    """One line of one channel; everybody who listens gets the same datagrams.

    Args:
        market: for the book a session begins with.
        feed: "deep" or "tops".
    """

    def __init__(self, market: Market, feed: Literal["deep", "tops"] = "deep") -> None:
        if wrong := [symbol for symbol in market.symbols if not 1 <= len(symbol.encode()) <= 8]:
            raise ConfigError(f"symbol is {wrong[0]!r}; IEX carries 1 to 8 letters")
        self.conditions = Conditions()
        self._market = market
        self._deep = feed == "deep"
        self._protocol = PROTOCOLS[feed]
        self._listeners: set[int] = set()
        self._outbox = Outbox()
        self._begins = NEVER  # when the session begins (again)
        self._sent = 0  # time of the last segment; 0: none yet
        self._number = 1
        self._offset = 0
        self._halted: frozenset[str] = frozenset()

    @property
    def next_timer(self) -> int:
        if not self._listeners:
            return NEVER
        return self._begins if self._begins != NEVER else self._sent + HEARTBEAT_NS

    def connect(self, connection: int, request: Request, now: int) -> Refused | None:
        """A listener appears."""
        self._listeners.add(connection)
        self.rebuild(now)
        return None

    def receive(self, connection: int, data: str | bytes, now: int) -> None:
        """Nothing is asked of this line."""

    def disconnected(self, connection: int, now: int) -> None:
        self._listeners.discard(connection)

    def rebuild(self, now: int) -> None:
        """The session begins again, after the silence that tells decoders so."""
        self._begins = max(now, self._sent + SILENCE_NS) if self._sent else now
        self.timer(now)

    def publish(self, ticks: Sequence[tuple[Tick, Tick]], now: int) -> None:
        if self._begins == NEVER and self._listeners:
            self._segments([message for pair in ticks for message in self._messages(*pair)], now)

    def publish_bars(self, span: int, bars: Sequence[tuple[str, Window, Window]], now: int) -> None:
        """None are sent."""

    def halt(self, symbols: Sequence[str], now: int, *, halted: bool) -> None:
        self._halted = frozenset(symbols) if halted else frozenset()
        if self._begins == NEVER and self._listeners:
            self._segments([(self._state(symbol, now), ()) for symbol in symbols], now)

    def intrude(self, now: int) -> None:
        """There is no login, so nobody holds anything."""

    def kill_slow(self, connection: int, now: int) -> None:
        """The line does not know who reads; what is not read is lost, and the line begins again."""
        self.rebuild(now)

    def send_huge(self, size: int, now: int) -> None:
        """A datagram with one message of a type nobody knows; it takes a number."""
        body = b"~" + bytes(max(0, min(size, DATAGRAM_BYTES) - HEADER.size - 3))
        if self._begins == NEVER:
            self._emit(self._segment([body], now), (), now, market=False)

    def timer(self, now: int) -> None:
        if not self._listeners:
            return
        if now >= self._begins:
            self._begins = NEVER
            self._number, self._offset = 1, 0
            self._segments(self._opening(now), now)
        elif self._begins == NEVER and now >= self._sent + HEARTBEAT_NS:
            self._emit(self._segment([], now), (), now, market=False)

    def take_output(self) -> list[Output]:
        return self._outbox.take()

    # ---- messages

    def _opening(self, now: int) -> list[Message]:
        """System events, directory, trading states, and the book as it stands."""
        messages: list[Message] = [(struct.pack("<ccq", b"S", event, now), ()) for event in (b"O", b"S", b"R")]
        messages[0] = (messages[0][0], (Change("", self._market.sequence, clear=True),))
        for symbol in self._market.symbols:
            name = _name(symbol)
            messages.append((struct.pack("<cBq8sIqB", b"D", 0, now, name, 100, 1_000_000, 1), ()))
            messages.append((self._state(symbol, now), ()))
        for symbol in self._market.symbols:
            book, sequence = self._market.book(symbol, _IEXG), self._market.sequence
            if not self._deep:
                change = Change(symbol, sequence, _IEXG, book.top)
                messages.append((_quote(symbol, now, book.top), (change,)))
                continue
            levels = [(side, *level) for side in (Side.BID, Side.ASK) for level in sorted(book.levels[side].items())]
            for index, level in enumerate(levels):
                change = Change(symbol, sequence, _IEXG, levels=(level,))
                messages.append((_level(symbol, now, level, last=index == len(levels) - 1), (change,)))
        return messages

    def _state(self, symbol: str, now: int) -> bytes:
        """Whether it trades; T1 is "news pending"."""
        state, reason = (b"H", b"T1  ") if symbol in self._halted else (b"T", b"    ")
        return struct.pack("<ccq8s4s", b"H", state, now, _name(symbol), reason)

    def _messages(self, true: Tick, told: Tick) -> Iterable[Message]:
        symbol = true.symbol
        for trade in told.prints:
            if trade.venue == _IEXG:
                yield _trade(symbol, told.ts, trade), (Change(symbol, true.sequence, prints=1),)
        if self._deep:
            truth = [level[1:] for level in true.levels if level.venue == _IEXG]
            levels = [level[1:] for level in told.levels if level.venue == _IEXG]
            for index, (really, level) in enumerate(zip(truth, levels, strict=True)):
                change = Change(symbol, true.sequence, _IEXG, levels=(really,))
                yield _level(symbol, told.ts, level, last=index == len(levels) - 1), (change,)
        elif (top := dict(told.tops).get(_IEXG)) is not None:
            yield _quote(symbol, told.ts, top), (Change(symbol, true.sequence, _IEXG, dict(true.tops)[_IEXG]),)

    # ---- segments

    def _segments(self, messages: Sequence[Message], now: int) -> None:
        """Messages in as few datagrams as they fit."""
        bodies: list[bytes] = []
        changes: list[Change] = []
        size = 0
        for body, change in messages:
            if bodies and size + len(body) + 2 > SEGMENT_BYTES:
                self._emit(self._segment(bodies, now), tuple(changes), now, market=True)
                bodies, changes, size = [], [], 0
            bodies.append(body)
            changes.extend(change)
            size += len(body) + 2
        if bodies:
            self._emit(self._segment(bodies, now), tuple(changes), now, market=True)

    def _segment(self, bodies: Sequence[bytes], now: int) -> bytes:
        blocks = b"".join(struct.pack("<H", len(body)) + body for body in bodies)
        head = HEADER.pack(
            1, 0, self._protocol, CHANNEL, SESSION, len(blocks), len(bodies), self._offset, self._number, now
        )
        self._number += len(bodies)
        self._offset += len(blocks)
        return head + blocks

    def _emit(self, data: bytes, changes: tuple[Change, ...], now: int, *, market: bool) -> None:
        self._sent = now
        for connection in sorted(self._listeners):
            self._outbox.send(connection, data, changes, market=market)


def _name(symbol: str) -> bytes:
    return symbol.encode("ascii").ljust(8)


def _units(price: int) -> int:
    return price // _UNIT


def _level(symbol: str, ts: int, level: tuple[Side, int, int], *, last: bool) -> bytes:
    side, price, quantity = level
    kind = b"8" if side is Side.BID else b"5"
    return _LEVEL.pack(kind, last, ts, _name(symbol), quantity // NANOS, _units(price))


def _quote(symbol: str, ts: int, top: Top) -> bytes:
    bid, ask = top
    sizes = bid.quantity // NANOS, ask.quantity // NANOS
    return _QUOTE.pack(b"Q", 0, ts, _name(symbol), sizes[0], _units(bid.price), _units(ask.price), sizes[1])


def _trade(symbol: str, ts: int, trade: Print) -> bytes:
    shares = trade.quantity // NANOS
    flags = _ODD_LOT if shares < 100 else 0
    return _TRADE.pack(b"T", flags, ts, _name(symbol), shares, _units(trade.price), trade.trade_id)
