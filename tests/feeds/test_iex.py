"""IEX datagrams: mapped symbols, gaps, heartbeats, side messages, the battery."""

from __future__ import annotations

import json
import math
import struct
from decimal import Decimal

import pytest

from engine.core.config import Provider
from engine.core.events import NO_INSTRUMENT, Kind
from engine.core.instruments import Instruments
from engine.core.side import SecurityDirectory
from engine.core.venues import venue_id
from engine.feeds.iex import FEEDS, DatagramDecoder, IexFeed
from engine.feeds.machine import Machine, feeds_of
from engine.feeds.protocol import NEVER, Connected, Gap, Heartbeat, Ready, Side, Subscribed
from tests.feeds.battery import SECOND, START, Battery, Rig, pump

DEEP = 0x8004


def segment(
    *messages: bytes, sequence: int, offset: int | None = None, session: int = 9, protocol: int = DEEP
) -> bytes:
    offset = sequence - 1 if offset is None else offset  # 0 where a session starts
    payload = b"".join(struct.pack("<H", len(one)) + one for one in messages)
    header = struct.pack("<BBHII", 1, 0, protocol, 1, session)
    return header + struct.pack("<HHqqq", len(payload), len(messages), offset, sequence, START) + payload


def level(symbol: str, size: int, price: int, side: str = "8") -> bytes:
    return struct.pack("<cBq8sIq", side.encode(), 1, START, symbol.ljust(8).encode(), size, price)


def directory(symbol: str) -> bytes:
    return struct.pack("<cBq8sIqB", b"D", 0, START, symbol.ljust(8).encode(), 100, 1_900_000, 1)


def line(**settings) -> IexFeed:
    return IexFeed("udp://127.0.0.1:10378", Instruments(), **settings)


def opened(*symbols: str) -> IexFeed:
    made = line()
    made.subscribe(symbols)
    made.opened(START)
    made.take_notices()
    return made


class TestBattery(Battery):
    rig = Rig(
        make=line,
        frames=[
            segment(level("AAPL", 100, 1_900_000), sequence=1),
            segment(level("MSFT", 200, 4_000_000), level("AAPL", 0, 1_900_000), sequence=2),
            segment(directory("AAPL"), sequence=4),
            segment(sequence=5),
        ],
        unknown=[segment(b"?what", sequence=6), segment(b"~", b"y" * 60, sequence=7)],
        hostile=[b"\x01" * 65_507, b"", b"\x00", segment(*[b"?"] * 20_000, sequence=9)],
        datagrams=True,
    )

    def test_frames_cut_at_every_byte(self):
        """What was seen already is a duplicate: the events of a whole datagram come once."""
        made = self.rig.ready()
        for frame in self.rig.frames:
            for cut in range(len(frame)):
                pumped = pump(made, frame[:cut])
                assert len(pumped.events) == 0
                assert pumped.problem is not None
        pumped = pump(made, segment(level("MSFT", 300, 4_000_000), sequence=5))
        assert (len(pumped.events), pumped.problem) == (1, None)


def test_it_is_ready_when_it_is_open():
    made = line()
    made.subscribe(["AAPL"])
    made.opened(START)
    assert made.take_notices() == [Connected(), Ready(), Subscribed(("AAPL",), confirmed=False)]
    assert made.take_outgoing() == []
    assert made.timer(START) == NEVER
    assert (made.facts.role, made.facts.venue) == ("depth", venue_id("IEXG"))
    assert line(feed="tops").facts.role == FEEDS["tops"] == "top"


def test_only_wanted_symbols_come_and_in_our_spelling():
    made = opened("MSFT", "BAC.PRB")
    pumped = pump(made, segment(level("AAPL", 1, 1), level("BAC-B", 2, 250_000), level("MSFT", 3, 3), sequence=1))
    assert pumped.events["instrument"].tolist() == [1, 0]
    assert made.decoder.counts["unknown_symbols"] == 1
    made.unsubscribe(["MSFT"])
    made.subscribe(["AAPL"])
    pumped = pump(made, segment(level("AAPL", 1, 1), level("MSFT", 3, 3), sequence=4))
    assert pumped.events["kind"].tolist() == [Kind.CLEAR, Kind.LEVEL, Kind.LEVEL]  # what was there before
    assert pumped.events["instrument"].tolist() == [2, 2, 2]


def test_thousands_of_symbols_that_nobody_wants():
    made = opened("LAST")
    for start in range(0, 3_000, 500):
        names = [f"S{number}" for number in range(start, start + 500)]
        assert len(pump(made, segment(*[level(name, 1, 1) for name in names], sequence=start + 1)).events) == 0
    assert pump(made, segment(level("LAST", 1, 1), sequence=3_001)).events["instrument"].tolist() == [0]
    assert made.decoder.counts["unknown_symbols"] == 3_000


def test_gaps_are_told():
    made = opened("AAPL")
    pump(made, segment(level("AAPL", 1, 1), sequence=1))
    pumped = pump(made, segment(level("AAPL", 2, 1), sequence=5))
    assert pumped.notices == [Gap(3)]
    assert len(pumped.events) == 1
    assert pump(made, segment(level("AAPL", 2, 1), sequence=5)).notices == []  # a duplicate


def test_heartbeats_are_signs_of_life():
    made = opened("AAPL")
    assert pump(made, segment(sequence=1)).notices == [Heartbeat()]
    assert made.counts["heartbeats"] == 1


def test_a_new_session_clears_the_venue():
    made = opened("AAPL")
    pump(made, segment(level("AAPL", 1, 1), sequence=1))
    pumped = pump(made, segment(level("AAPL", 1, 1), sequence=1, offset=0, session=10))
    assert pumped.events["kind"].tolist() == [Kind.CLEAR, Kind.LEVEL]
    assert pumped.events["instrument"].tolist() == [NO_INSTRUMENT, 0]
    assert pumped.notices == []


def test_a_new_session_whose_start_was_missed_is_a_gap():
    made = opened("AAPL")
    pump(made, segment(level("AAPL", 1, 1), sequence=1))
    pumped = pump(made, segment(level("AAPL", 1, 1), sequence=9, offset=400, session=10))
    assert pumped.events["kind"].tolist() == [Kind.LEVEL]  # a CLEAR would say that the rest is known to be empty
    assert pumped.notices == [Gap(0)]


def machine(*symbols: str) -> Machine:
    instruments = Instruments()
    made = Machine(feeds_of([Provider("iex", url="udp://127.0.0.1:1")], instruments), instruments)
    made.lines.start(START)
    made.lines.subscribe(symbols, START)
    made.lines.opened(0, START)
    return made


def test_a_book_whose_start_was_missed_is_not_shown():
    made = machine("AAPL")
    made.lines.received(0, segment(level("AAPL", 1, 1), sequence=500), START)
    made.lines.received(0, segment(level("AAPL", 2, 2), sequence=501), START)
    assert math.isnan(made.books["AAPL"].bbo().bid)
    assert made.composer.leader(0, "depth", venue_id("IEXG")) == -1
    made.lines.received(0, segment(level("AAPL", 2, 2), sequence=9, offset=300, session=10), START)
    assert made.composer.leader(0, "depth", venue_id("IEXG")) == -1
    made.lines.received(0, segment(level("AAPL", 3, 3), sequence=1, session=11), START)
    assert made.books["AAPL"].bbo().bid_quantity == 3


def test_a_second_channel_leaves_no_books_to_begin_with():
    made = machine("AAPL")
    made.lines.received(0, segment(level("MSFT", 1, 1), sequence=1), START)
    other = bytearray(segment(level("IBM", 1, 1), sequence=1))
    struct.pack_into("<I", other, 4, 2)
    made.lines.received(0, bytes(other), START)
    made.lines.subscribe(["MSFT"], START)
    made.lines.received(0, segment(level("MSFT", 2, 2), sequence=2), START)
    assert made.composer.leader(1, "depth", venue_id("IEXG")) == -1


def test_channels_without_end_are_refused():
    decoder = DatagramDecoder(deep=True)
    for number in range(200):
        datagram = bytearray(segment(level("MSFT", 1, 1), sequence=1))
        struct.pack_into("<I", datagram, 4, number)
        decoder.receive_bytes(bytes(datagram))
        assert (decoder.take_problem() is None) == (number < 64)
    assert len(decoder._sessions) == 64


def test_a_symbol_that_is_wanted_while_a_session_runs_begins_whole():
    made = machine("AAPL")
    bids = [level("MSFT", number, number) for number in range(1, 201)]
    asks = [level("MSFT", 7, 4_000_001, "5"), level("MSFT", 8, 4_000_000, "5")]
    made.lines.received(0, segment(level("AAPL", 1, 1), *bids, *asks, sequence=1), START)
    made.lines.subscribe(["MSFT"], START)
    assert math.isnan(made.books["MSFT"].bbo().bid)
    made.lines.received(0, segment(level("MSFT", 0, 200), level("AAPL", 2, 2), sequence=204), START)
    depth = made.books["MSFT"].depth(300)
    assert (depth["bid_price"][:199] * 10_000).round().tolist() == list(range(199, 0, -1))
    assert depth["bid_quantity"][:199].tolist() == list(range(199, 0, -1))
    assert math.isnan(depth["bid_price"][199])
    assert (depth["ask_price"][:2].tolist(), depth["ask_quantity"][:2].tolist()) == ([400, 400.0001], [8, 7])
    assert made.books["AAPL"].bbo().bid_quantity == 2


@pytest.mark.parametrize("lost", ["a datagram before", "a datagram after", "the start"])
def test_a_symbol_that_is_wanted_while_a_damaged_session_runs_waits_for_the_next(lost):
    made = machine("AAPL")
    start = 300 if lost == "the start" else 1
    made.lines.received(0, segment(level("MSFT", 1, 1), sequence=start), START)
    if lost == "a datagram before":
        made.lines.received(0, segment(level("MSFT", 1, 2), sequence=start + 5), START)
    made.lines.subscribe(["MSFT"], START)
    made.lines.received(0, segment(level("MSFT", 2, 2), sequence=start + 6), START)
    shown = made.books["MSFT"].bbo().bid_quantity
    assert shown == 0
    made.lines.received(0, segment(level("MSFT", 3, 3), sequence=1, session=10), START)
    assert made.books["MSFT"].bbo().bid_quantity == 3


def test_a_session_that_starts_again_clears_the_venue():
    made = opened("AAPL")
    pump(made, segment(level("AAPL", 1, 1), level("AAPL", 2, 2), sequence=1))
    later = bytearray(segment(level("AAPL", 1, 1), sequence=1, offset=0))
    struct.pack_into("<q", later, 32, START + 3_600 * SECOND)
    pumped = pump(made, bytes(later))
    assert pumped.events["kind"].tolist() == [Kind.CLEAR, Kind.LEVEL]
    assert pumped.events["instrument"].tolist() == [NO_INSTRUMENT, 0]
    assert pumped.notices == []  # what is told to be empty is known


def test_side_messages_of_wanted_symbols():
    made = opened("BAC.PRB")
    (side,) = pump(made, segment(directory("AAPL"), directory("BAC-B"), sequence=1)).notices
    assert isinstance(side, Side)
    (message,) = side.messages
    assert isinstance(message, SecurityDirectory)
    assert (message.symbol, message.instrument, message.previous_close) == ("BAC.PRB", 0, Decimal(190))


@pytest.mark.parametrize(
    ("datagram", "problem"),
    [
        (b"", "datagram of 0 bytes is no IEX-TP 1 segment"),
        (b"\x02" * 50, "datagram of 50 bytes is no IEX-TP 1 segment"),
        (segment(sequence=1) + b"x", "datagram of 41 bytes; its header says 40"),
    ],
)
def test_what_is_no_segment(datagram, problem):
    made = opened("AAPL")
    pumped = pump(made, datagram)
    assert pumped.problem == f"iex: {problem}"
    assert made.decoder.counts["wrong_datagrams"] == 1
    assert made.decoder.counts["frames"] == 1


def test_every_sample(data):
    for row in data("../protocols/samples/iex.jsonl").read_text().splitlines():
        sample = json.loads(row)
        if sample["kind"] != "iextp_segment":
            continue
        raw = bytes.fromhex(sample["raw"])
        made = opened("ZIEXT", "AAPL")
        pumped = pump(made, raw)
        assert pumped.problem is None
        (count,) = struct.unpack_from("<H", raw, 14)
        counts = made.decoder.counts
        assert sum(number for name, number in counts.items() if name.startswith("iex.")) == count
        assert counts["events"] == len(pumped.events) + counts["unknown_symbols"]
