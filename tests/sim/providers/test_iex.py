"""IEX's side of the wire, read by the engine's own decoder and book, and by the slow reader of the specification."""

from __future__ import annotations

import struct

import pytest

from engine import Books, Decoder, Instruments
from engine.core.events import Kind, Side, Status
from engine.core.units import NANOS
from engine.core.venues import VENUES
from engine.errors import ConfigError
from engine.sim.market import Market
from engine.sim.providers.iex import HEADER, IexServer
from engine.sim.truth_log import Frame, LineTruth
from tests.reference.iex import IexTwin
from tests.sim.providers.conversation import Conversation

IEXG = VENUES["IEXG"]


def head(frame: Frame) -> tuple[int, ...]:
    return HEADER.unpack_from(frame.data)


def test_headers_sequences_and_offsets():
    talk = Conversation("iex")
    one = talk.connect()
    talk.run(3)
    number, offset = 1, 0
    for frame in talk.frames(one):
        version, reserved, protocol, channel, session, length, count, at, first, sent = head(frame)
        assert (version, reserved, protocol, channel) == (1, 0, 0x8004, 1)
        assert session > 0
        assert (first, at) == (number, offset)
        assert len(frame.data) == 40 + length <= 1_472
        assert sent == frame.time
        number, offset = number + count, offset + length
    twin = IexTwin()
    assert twin.stream(b"".join(frame.data for frame in talk.frames(one))) == 0
    assert twin.error is None
    assert twin.counts["gaps"] == twin.counts["unknown_types"] == 0


def test_a_session_opens_with_events_directory_states_and_the_book():
    talk = Conversation("iex")
    talk.run(1)
    talk.connect()
    instruments = Instruments()
    decoder = Decoder("iex", instruments)
    events = decoder.receive_bytes(b"".join(frame.data for frame in talk.take()))
    status = events[events["kind"] == Kind.STATUS]["conditions"].tolist()
    assert status[:3] == [Status.SYSTEM_START_MESSAGES, Status.SYSTEM_START_HOURS, Status.SYSTEM_START_MARKET]
    assert status[3:] == [Status.TRADING] * 3
    assert instruments.symbols == ["AAPL", "MSFT", "SPY"]
    assert len(decoder.take_side()) == 3
    agree(talk, events, instruments)


def agree(talk: Conversation, events: object, instruments: Instruments) -> None:
    """The native book of the decoded events against the market."""
    books = Books(instruments)
    books.apply(events)
    for symbol in talk.market.symbols:
        truth = talk.market.book(symbol, IEXG)
        for side, name in ((Side.BID, "bid"), (Side.ASK, "ask")):
            levels = sorted(truth.levels[side].items(), reverse=side is Side.BID)
            shown = books[symbol].depth(len(levels) + 1)
            assert [
                (round(row[f"{name}_price"] * NANOS), round(row[f"{name}_quantity"] * NANOS)) for row in shown[:-1]
            ] == levels
            assert shown[-1][f"{name}_quantity"] == 0


@pytest.mark.parametrize(
    "faults", ["", "mute iex at=2s for=500ms", "crossed iex at=2s for=1s", "truncate iex at=2s for=1s"]
)
def test_decoded_books_are_the_truth_at_the_end(faults):
    talk = Conversation("iex", faults)
    one = talk.connect()
    talk.run(6)
    instruments = Instruments()
    decoder = Decoder("iex", instruments, lenient=True, venue="IEXG")
    events = [decoder.receive_bytes(frame.data) for frame in talk.frames(one)]
    import numpy as np

    agree(talk, np.concatenate(events), instruments)
    assert decoder.counts.get("restarts", 0) == (1 if faults else 0)
    truth = LineTruth()
    for frame in talk.frames(one):
        truth.receive(frame)
    for symbol in talk.market.symbols:
        assert truth.levels[symbol] == talk.market.book(symbol, IEXG).levels
    trades = sum(int((each["kind"] == Kind.TRADE).sum()) for each in events)
    assert 0 < trades <= truth.prints


def test_heartbeats_when_idle():
    talk = Conversation("iex", market=Market(seed=1, duration="100ms"))
    one = talk.connect()
    talk.run(3.5)
    beats = [frame for frame in talk.frames(one) if head(frame)[6] == 0]
    assert len(beats) == 3
    assert {head(frame)[8] for frame in beats} == {head(talk.frames(one)[-1])[8]}
    assert not any(frame.market for frame in beats)


def test_tops_carries_the_top():
    talk = Conversation("iex-tops")
    one = talk.connect()
    talk.run(2)
    decoder = Decoder("iex", Instruments())
    events = decoder.receive_bytes(b"".join(frame.data for frame in talk.frames(one)))
    assert {head(frame)[2] for frame in talk.frames(one)} == {0x8003}
    quotes = events[events["kind"] == Kind.QUOTE]
    for index, symbol in enumerate(talk.market.symbols):
        last = quotes[quotes["instrument"] == index][-2:]
        top = talk.market.top(symbol, IEXG)
        assert last["price"].tolist() == [top.bid.price, top.ask.price]
        assert last["quantity"].tolist() == [top.bid.quantity, top.ask.quantity]


def test_a_new_listener_begins_the_session_anew_after_a_silence():
    talk = Conversation("iex")
    one = talk.connect()
    talk.run(1)
    talk.close(one)
    talk.take()
    two = talk.connect()
    talk.run(1)
    assert talk.frames(two) == []
    talk.run(0.2)
    first = talk.frames(two)[0]
    assert (head(first)[7], head(first)[8]) == (0, 1)


def test_a_huge_datagram_takes_a_number():
    talk = Conversation("iex", "huge_frame iex at=1s")
    one = talk.connect()
    talk.run(2)
    assert max(len(frame.data) for frame in talk.frames(one)) == 60_000
    decoder = Decoder("iex", Instruments())
    decoder.receive_bytes(b"".join(frame.data for frame in talk.frames(one)))
    assert decoder.counts["unknown_types"] == 1
    assert decoder.counts.get("gaps", 0) == 0


def test_odd_lots_are_flagged_and_symbols_fit():
    talk = Conversation("iex")
    one = talk.connect()
    talk.run(5)
    trades = [
        struct.unpack_from("<cBq8sIqq", frame.data, at)
        for frame in talk.frames(one)
        for at in blocks(frame.data)
        if frame.data[at : at + 1] == b"T"
    ]
    assert {bool(flags & 0x20) == (size < 100) for _, flags, _, _, size, _, _ in trades} == {True}
    with pytest.raises(ConfigError, match="1 to 8 letters"):
        IexServer(Market(("TOOLONGNAME",)))


def blocks(data: bytes) -> list[int]:
    places, at = [], 40
    while at < len(data):
        places.append(at + 2)
        at += 2 + struct.unpack_from("<H", data, at)[0]
    return places
