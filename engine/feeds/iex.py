"""IEX, the exchange's own TOPS and DEEP: IEX-TP segments, one a UDP datagram (multicast, or unicast on loopback).

Nothing is logged in to and nothing is asked for: every symbol comes. There is no retransmission here: a gap is told,
and the books are rebuilt from what comes after it. IEX Cloud, which ended on 2024-08-31, was another service.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from engine._native.book import Books
from engine._native.decode import Decoder
from engine.core.events import EVENT, NO_INSTRUMENT, Flag, Kind
from engine.core.events import Side as BookSide
from engine.core.instruments import Instruments
from engine.core.units import NANOS
from engine.core.venues import provider_id, venue_id
from engine.errors import ProtocolError
from engine.feeds.conversation import Conversation
from engine.feeds.protocol import Channel, Gap, Heartbeat, LineFacts, Side, Subscribed
from engine.feeds.symbology import from_wire, to_wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.core.side import SideMessage

__all__ = ["FEEDS", "DatagramDecoder", "IexFeed"]

_SECOND: Final = 1_000_000_000
_HEADER: Final = 40  # bytes of an IEX-TP segment before its messages
# version; protocol and channel; session; length of what follows; offset in the session's stream; time sent
_FRONT: Final = struct.Struct("<Bx6s4sHxxQ8xq")
_VERSION: Final = 1
_GROWTH: Final = 1_024
_CHANNELS: Final = 64  # at most, of all protocols
_UNITS: Final = 10_000  # of a price in a dollar
_UNIT: Final = NANOS // _UNITS
_DROP: Final = 0xFFFFFFFE  # in place of an instrument: not wanted
#: Feed -> what its events are.
FEEDS: Final[dict[str, Literal["depth", "top"]]] = {"tops": "top", "deep": "depth"}


class DatagramDecoder:
    """``Decoder("iex")`` for datagrams: each is one segment, whole or wrong, and wrong ones never hurt the next.

    The exchange sends every symbol, in its own spelling. Those that are mapped get the instruments they are mapped to,
    events of others are dropped and counted, events of the whole venue pass.

    Args:
        deep: the channel tells books level by level. All of them are kept as long as nothing of the session is missed,
            so that a symbol that is mapped while it runs begins with a snapshot.
    """

    def __init__(self, *, deep: bool = False) -> None:
        self._spelled = Instruments()  # the exchange's own symbols and numbers
        self.native = Decoder("iex", self._spelled, lenient=True)
        # the exchange's number -> instrument; the last one stands for all beyond, which is NO_INSTRUMENT alone
        self._numbers = np.full(_GROWTH, _DROP, np.uint32)
        self._numbers[-1] = NO_INSTRUMENT
        self._datagrams = self._wrong = self._unknown = self._malformed = 0
        self._sessions: dict[bytes, bytes] = {}  # protocol and channel -> session
        self._books = Books(self._spelled) if deep else None  # of every symbol
        self._whole = False  # they hold all that was told in this session
        self._restarts = self._gaps = 0
        self._asked: list[int] = []  # numbers that want a snapshot
        self.late_joins = 0  # sessions whose start was missed
        self._problem: str | None = None

    def map(self, symbol: str, instrument: int) -> None:
        """Messages of a symbol become events of an instrument; NO_INSTRUMENT: of none."""
        number = self._spelled.table.add(symbol)
        self._grow()
        self._numbers[number] = _DROP if instrument == NO_INSTRUMENT else instrument

    def ask(self, symbol: str) -> None:
        """Wants a snapshot of a mapped symbol in front of the next datagram's events, if all of its book is known."""
        self._asked.append(self._spelled.table.add(symbol))

    def instrument_of(self, number: int) -> int | None:
        """What the exchange's number is mapped to, NO_INSTRUMENT for the whole venue, None if it is not wanted."""
        if number == NO_INSTRUMENT:
            return NO_INSTRUMENT
        self._grow()
        mapped = int(self._numbers[number])
        return None if mapped == _DROP else mapped

    @property
    def listening(self) -> bool:
        """Whether a session has been heard: books of symbols that are mapped from now on lack what came before."""
        return bool(self._sessions)

    def take_side(self) -> list[SideMessage]:
        """Side messages of mapped symbols and of the whole venue, with the exchange's symbols."""
        messages = self.native.take_side()
        numbers = [self.instrument_of(message.instrument) for message in messages]
        pairs = zip(messages, numbers, strict=True)
        return [replace(message, instrument=number) for message, number in pairs if number is not None]

    def receive_bytes(self, data: Any, ts_recv: int = 0) -> NDArray[np.void]:
        """The events of one datagram; none and a problem if it is no segment."""
        self._datagrams += 1
        self._problem = None
        size = len(data)
        if size < _HEADER:
            return self._refuse(f"iex: datagram of {size} bytes is no IEX-TP 1 segment")
        version, line, session, payload, offset, sent = _FRONT.unpack_from(data)
        if version != _VERSION:
            return self._refuse(f"iex: datagram of {size} bytes is no IEX-TP 1 segment")
        if size != _HEADER + payload:
            return self._refuse(f"iex: datagram of {size} bytes; its header says {_HEADER + payload}")
        known = self._sessions.get(line)
        if known is None and len(self._sessions) == _CHANNELS:
            return self._refuse(f"iex: datagram of channel {line.hex()}, after {_CHANNELS} others")
        first = known != session
        self._sessions[line] = session
        self.late_joins += first and offset > 0
        try:
            events = self.native.receive_bytes(data, ts_recv)
        except ProtocolError as error:  # a lenient decoder counts instead
            return self._refuse(str(error))
        snapshots = self._followed(events, first=first, start=offset == 0, sent=sent, ts_recv=ts_recv)
        if first and known is not None and offset == 0:  # what was missed is a gap, and not known to be empty
            events = _cleared(sent, events, ts_recv)
        events = self._mapped(events) if len(events) else events
        return np.concatenate([*snapshots, events]) if snapshots else events

    def _followed(
        self, events: NDArray[np.void], *, first: bool, start: bool, sent: int, ts_recv: int
    ) -> list[NDArray[np.void]]:
        """Keeps the books of all symbols, and gives the snapshots that were asked for, as they stood before."""
        malformed, gaps, _, _, restarts, _ = self.native._tally()
        if malformed != self._malformed:
            self._problem = f"iex: {malformed - self._malformed} malformed in a datagram"
        if self._books is None:
            self._malformed = malformed
            return []
        if first or restarts != self._restarts:
            self._books.clear()
            self._whole = start and len(self._sessions) == 1  # one channel's start says nothing of another's books
            self._asked.clear()  # whoever asked hears the session from its start, or waits for the next
        elif gaps != self._gaps:
            self._whole = False
        self._whole = self._whole and malformed == self._malformed
        self._malformed, self._gaps, self._restarts = malformed, gaps, restarts
        if not self._whole:
            return []
        asked, self._asked = self._asked, []
        found = [self._snapshot(number, sent, ts_recv) for number in asked]
        self._books.apply(events)
        return [one for one in found if one is not None]

    def _snapshot(self, number: int, sent: int, ts_recv: int) -> NDArray[np.void] | None:
        instrument = self.instrument_of(number)
        if instrument is None or self._books is None:
            return None
        book, n = self._books[self._spelled[number].symbol], 64
        while (depth := book.depth(n))["bid_price"][-1] > 0 or depth["ask_price"][-1] > 0:
            n *= 2
        found = np.zeros(2 * n + 1, EVENT)
        found["kind"][0] = Kind.CLEAR
        at = 1
        for side, name in ((BookSide.BID, "bid"), (BookSide.ASK, "ask")):
            levels = depth[depth[f"{name}_price"] > 0]
            part = found[at : at + len(levels)]
            at += len(levels)
            part["kind"], part["side"] = Kind.LEVEL, side
            part["price"] = np.rint(levels[f"{name}_price"] * _UNITS).astype(np.int64) * _UNIT  # the exchange's 1e-4
            part["quantity"] = np.rint(levels[f"{name}_quantity"]).astype(np.int64) * NANOS
        found = found[:at]
        found["ts_event"], found["ts_recv"], found["instrument"] = sent, ts_recv, instrument
        found["venue"], found["provider"] = venue_id("IEXG"), provider_id("iex")
        found["flags"] = Flag.SNAPSHOT
        found["flags"][-1] |= Flag.LAST
        return found

    def _mapped(self, events: NDArray[np.void]) -> NDArray[np.void]:
        self._grow()
        mapped = self._numbers.take(events["instrument"], mode="clip")
        events["instrument"] = mapped
        if _DROP not in mapped.tolist():
            return events
        kept = mapped != _DROP
        self._unknown += int(len(kept) - kept.sum())
        wanted: NDArray[np.void] = events[kept]
        return wanted

    def _grow(self) -> None:
        """Numbers the exchange's symbols got since are of no instrument."""
        if (missing := len(self._spelled) + 1 - len(self._numbers)) > 0:
            more = np.full(missing + _GROWTH, _DROP, np.uint32)
            more[-1] = NO_INSTRUMENT
            self._numbers = np.concatenate([self._numbers[:-1], more])

    def _refuse(self, problem: str) -> NDArray[np.void]:
        self._wrong += 1
        self._problem = problem
        return np.empty(0, EVENT)

    def take_other(self) -> list[bytes]:
        """None: what fits no event is read natively, and the adapter takes it from there."""
        return []

    def take_problem(self) -> str | None:
        """What was wrong with the last datagram."""
        problem, self._problem = self._problem, None
        return problem

    @property
    def counts(self) -> dict[str, int]:
        """The native decoder's, and ``frames``, ``wrong_datagrams``, ``unknown_symbols`` (events dropped)."""
        ours = {"frames": self._datagrams, "wrong_datagrams": self._wrong, "unknown_symbols": self._unknown}
        return {**self.native.counts, **ours}


def _cleared(sent: int, events: NDArray[np.void], ts_recv: int) -> NDArray[np.void]:
    """The events behind a CLEAR of everything: a new session has begun, and its books are empty."""
    found = np.zeros(len(events) + 1, EVENT)
    found[1:] = events
    clear = found[0]
    clear["ts_event"], clear["ts_recv"] = sent, ts_recv
    clear["instrument"], clear["venue"], clear["provider"] = NO_INSTRUMENT, venue_id("IEXG"), provider_id("iex")
    clear["kind"], clear["flags"] = Kind.CLEAR, Flag.LAST
    return found


class IexFeed(Conversation):
    """One feed of the exchange (``engine.feeds.protocol.FeedProtocol``); ``receive_other`` after every datagram.

    Args:
        url: "udp://host:port": the multicast group, or the address to listen on.
        instruments: where symbols get their ids.
        name: the line's name.
        feed: a key of ``FEEDS``.
    """

    decoder: DatagramDecoder

    def __init__(self, url: str, instruments: Instruments, *, name: str = "iex", feed: str = "deep") -> None:
        channels: tuple[Channel, ...] = ("trades", "book", "statuses") if feed == "deep" else ("trades", "quotes")
        facts = LineFacts(
            role=FEEDS[feed],
            venue=venue_id("IEXG"),
            channels=channels,
            silent_after=5 * _SECOND,  # heartbeats come about each second
            confirms=False,
        )
        super().__init__(
            name,
            "iex",
            url=url,
            facts=facts,
            decoder=DatagramDecoder(deep=feed == "deep"),
            instruments=instruments,
            wire=lambda symbol: to_wire("iex", symbol),
            house=lambda wire: from_wire("iex", wire),
        )
        self._seen: tuple[int, ...] = (0, 0, 0, 0, 0)  # gaps, missing, heartbeats, restarts, late joins

    def take(self, symbols: Sequence[str]) -> None:
        """They come anyway; of those that came unheard a depth misses what was said."""
        self._held.update(symbols)
        if symbols:
            missed = self.facts.role == "depth" and self.decoder.listening
            if missed:
                for symbol in symbols:
                    self.decoder.ask(self._wanted[symbol])
            self.tell(Subscribed(tuple(symbols), confirmed=False, whole=not missed))

    def receive_other(self, messages: Sequence[bytes], now: int) -> None:
        """What the last datagram told beside events: gaps, heartbeats, side messages."""
        _, *counts, waiting = self.decoder.native._tally()
        seen = (*counts, self.decoder.late_joins)
        if seen == self._seen and not waiting:
            return
        gaps, missing, beats, restarts, late = map(int.__sub__, seen, self._seen)
        self._seen = seen
        if (gaps := gaps - restarts + late) > 0:  # a numbering that begins anew is no loss: the books are cleared
            self.counts["gaps"] += gaps
            self.tell(Gap(missing))
        if beats:
            self.counts["heartbeats"] += beats
            self.tell(Heartbeat())
        if not waiting:
            return
        side = self.decoder.take_side()
        if side:
            self.tell(Side(tuple(replace(one, symbol=one.symbol and self.symbol_of(one.symbol)) for one in side)))
