"""The native decoders against their slow twins: whole, cut anywhere, truncated, damaged, and on garbage."""

import hashlib
import itertools
import os
import random
import re
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import EVENT, Decoder, Flag, Kind
from engine._native import batch
from engine.errors import ProtocolError
from tests.reference import capture, iex, itch, lobster

MIDNIGHT = 1_704_171_600_000_000_000  # 2024-01-02 in New York
STREAMS = {
    "itch": (itch.random_stream, itch.ItchTwin, 6),
    "moldudp64": (itch.random_packets, itch.ItchTwin, 6),
    "iex": (iex.random_stream, iex.IexTwin, 4),
    "lobster": (lobster.random_rows, lobster.LobsterTwin, 7),
}
NOT_THE_TWINS = {"bytes", "events", "packets", "packets_ignored", "side_dropped"}


def native(form, data, cuts=(), **options):
    """(events, counts, side, place of the error or None) of a whole input, cut where told, closed at the end."""
    own = {"symbol": "S0"} if form == "lobster" else {}
    date = "2024-01-02" if form != "pcap" else None
    decoder = Decoder(form, date=date, **own, **options)
    places = [0, *sorted(cuts), len(data)]
    parts = []
    error = None
    try:
        for start, end in itertools.pairwise(places):
            parts.append(decoder.receive_bytes(data[start:end], 77))
        parts.append(decoder.close())
    except ProtocolError as problem:
        error = int(re.search(r"line (\d+)" if form == "lobster" else r"byte (\d+)", str(problem))[1])
    events = np.concatenate(parts) if parts else np.zeros(0, EVENT)
    records = decoder.take_side_records()
    side = [
        (int(r["protocol"]), int(r["type"]), r["body"].tobytes()[: r["length"]], int(r["instrument"])) for r in records
    ]
    counts = {key: count for key, count in decoder.counts.items() if count and key not in NOT_THE_TWINS}
    assert decoder.counts["events"] == len(events)
    if error is None:
        assert decoder.counts["bytes"] == len(data)
    return events, counts, side, error


def twin_of(form, data, lenient):
    _, factory, provider = STREAMS[form]
    twin = factory(lenient=lenient, midnight=MIDNIGHT, ts_recv=77, venue=8 if form == "iex" else 1, provider=provider)
    if form == "iex":
        twin.midnight = 0
    if form == "lobster":
        twin.symbols.append("S0")
    left = (twin.packets if form == "moldudp64" else twin.stream)(data)
    if left and twin.error is None:  # the input ends inside a message
        twin.counts["malformed"] += 1
        twin.error = None if lenient else len(data) - left
    return twin


def check(form, data, lenient, cuts=()):
    events, counts, side, error = native(form, data, cuts, lenient=lenient)
    twin = twin_of(form, data, lenient)
    assert error == twin.error
    expected = twin.array()
    if len(events) or len(expected):
        np.testing.assert_array_equal(events, expected)
    assert counts == {key: count for key, count in twin.counts.items() if count}
    assert side == twin.side
    return twin


def damaged(draw, data):
    """The bytes with a few of them changed, left out, doubled or put in."""
    raw = bytearray(data)
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(raw))
        match draw.randrange(4):
            case 0:
                raw[at] ^= 1 << draw.randrange(8)
            case 1:
                del raw[at : at + draw.randint(1, 40)]
            case 2:
                raw[at:at] = raw[at : at + draw.randint(1, 60)]
            case _:
                raw[at:at] = draw.randbytes(draw.randint(1, 30))
    return bytes(raw)


@pytest.mark.parametrize("form", STREAMS)
@pytest.mark.parametrize("lenient", [False, True])
def test_well_formed_streams(form, lenient):
    total = 0
    for seed in range(8):
        draw = random.Random(seed)
        data = STREAMS[form][0](draw, 120)
        twin = check(form, data, lenient, [draw.randrange(len(data)) for _ in range(3)])
        assert twin.error is None
        assert twin.counts["malformed"] == 0
        total += len(twin.events)
    assert total > 500


@pytest.mark.parametrize("form", STREAMS)
@pytest.mark.parametrize("lenient", [False, True])
def test_damaged_streams(form, lenient):
    wrong = 0
    for seed in range(120):
        draw = random.Random(seed)
        data = damaged(draw, STREAMS[form][0](draw, 20))
        twin = check(form, data, lenient, [draw.randrange(len(data)) for _ in range(draw.randrange(4))])
        wrong += twin.counts["malformed"] > 0
    assert wrong > 40


@pytest.mark.parametrize("form", STREAMS)
@given(data=st.binary(max_size=400), lenient=st.booleans(), cut=st.integers(0, 400))
def test_garbage(form, data, lenient, cut):
    check(form, data, lenient, [min(cut, len(data))])


@pytest.mark.parametrize("form", STREAMS)
def test_split_at_every_byte_and_truncated_at_every_byte(form):
    draw = random.Random(5)
    data = STREAMS[form][0](draw, 14)
    whole = native(form, data)
    for cut in range(len(data) + 1):
        events, counts, side, error = native(form, data, [cut])
        np.testing.assert_array_equal(events, whole[0])
        assert (counts, side, error) == whole[1:]
        check(form, data[:cut], lenient=False)
        check(form, data[:cut], lenient=True)
    one_by_one = native(form, data, range(1, len(data)))
    np.testing.assert_array_equal(one_by_one[0], whole[0])
    assert one_by_one[1:] == whole[1:]


@pytest.mark.parametrize("form", STREAMS)
def test_large_inputs_agree_with_small_pieces(form):
    """Memory that is used again, pieces above and below the size at which the GIL is released."""
    draw = random.Random(11)
    data = STREAMS[form][0](draw, 3_000)
    whole, *rest = native(form, data)
    for size in (500, 9_000, 70_000):
        pieces, *others = native(form, data, range(size, len(data), size))
        np.testing.assert_array_equal(pieces, whole)
        assert others == rest


def numbered(form, first, count=1):
    """A segment or packet of `count` messages, and the place of its number."""
    draw = random.Random(first)
    if form == "iex":
        return iex.segment([iex.random_message(draw, "8") for _ in range(count)], first), 24
    messages = [itch.random_message(draw, "A") for _ in range(count)]
    blocks = b"".join(struct.pack(">H", len(message)) + message for message in messages)
    return struct.pack(">10sQH", b"session  1", first, count) + blocks, 10


FAR = [2**63, 2**64 - 1, 2**33, 1_000 + 2**32]
#: numbers of segments of one message -> whether it comes through
LINES = {
    "a jump": [[(1, 1), (2, 1), (far, 0), (3, 1), (4, 1)] for far in FAR],
    "two jumps": [[(1, 1), (far, 0), (2**62, 0), (far, 0), (2, 1)] for far in FAR],
    "the most": [[(1, 1), (2 + 2**32, 1), (3 + 2**32, 1)]],
    "backwards": [[(2**40, 1), (5, 0), (2**40 + 1, 1)]],
    "the end": [[(2**64 - 2, 1), (2**64 - 1, 0), (2**64 - 1, 0)]],
    "a damaged start": [[(far, 1), (1, 0), (2, 1), (3, 1)] for far in FAR[::2]],
}


@pytest.mark.parametrize("form", ["iex", "moldudp64"])
@pytest.mark.parametrize("line", LINES)
def test_damaged_message_numbers_do_not_move_a_line(form, line):
    for numbers in LINES[line]:
        stream, wrong = b"", None
        for first, good in numbers:
            raw, place = numbered(form, first)
            wrong = len(stream) + place if not good and wrong is None else wrong
            stream += raw
        check(form, stream, lenient=True)
        strict = check(form, stream, lenient=False)
        assert strict.error == wrong
        events, counts, *_ = native(form, stream, lenient=True)
        assert events["sequence"].tolist() == [first for first, good in numbers if good]
        assert counts.get("malformed", 0) == sum(not good for _, good in numbers)
        assert counts.get("duplicates", 0) == 0
    with pytest.raises(ProtocolError, match="first message number is 18446744073709551615; expected one within"):
        Decoder(form).receive_bytes(numbered(form, 2**64 - 1)[0])


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("form", ["iex", "moldudp64"])
def test_streams_of_damaged_message_numbers(form, seed):
    draw = random.Random(seed)
    number, stream = draw.choice([1, 2**63, 2**64 - 30]), b""
    for _ in range(60):
        damage = draw.choice([0] * 6 + [1 << draw.randrange(64), 2**32, 2**32 + 1])
        count = draw.choice([0, 1, 1, 3])
        stream += numbered(form, (number ^ damage) % 2**64, count)[0]
        number = min(number + count, 2**64 - 1)
    check(form, stream, lenient=True, cuts=[draw.randrange(len(stream))])
    check(form, stream, lenient=False)


def test_trades_and_statuses_end_no_atomic_event_of_deep():
    draw = random.Random(2)
    for kind in iex.LAYOUTS:
        message = iex.random_message(draw, kind)
        message = message[:1] + b"\xff" + message[2:] if kind in "85TB" else message
        for protocol in range(0x8002, 0x8006):
            events = Decoder("iex").receive_bytes(iex.segment([message], 1, protocol=protocol))
            aside = np.isin(events["kind"], [Kind.TRADE, Kind.TRADE_BREAK, Kind.STATUS]) & (protocol == 0x8004)
            last = [index + 1 == len(events) for index in range(len(events))]
            np.testing.assert_array_equal(events["flags"] & Flag.LAST, np.where(aside, 0, last))
            check("iex", iex.segment([message], 1, protocol=protocol), lenient=False)


# ---- captures


def frames(draw, count):
    """(time, frame) of segments, packets and other traffic, and what the twins make of them."""
    sessions = iex.IexTwin(ts_recv=0, venue=8, provider=4)
    packets = itch.ItchTwin(
        venue=1, provider=6, counts=sessions.counts, symbols=sessions.symbols, events=sessions.events
    )
    packets.lines.counts = sessions.counts
    out, ignored, time = [], 0, 1_500_000_000_123_456_000
    for number in range(count):
        time += draw.randrange(10**9) // 1_000 * 1_000
        sessions.ts_recv = packets.ts_recv = time
        kind = draw.randrange(4)
        if kind == 0:
            payload = iex.segment([iex.random_message(draw, "8"), iex.random_message(draw, "Q")], 2 * number)
            sessions.segment(payload, 0)
        elif kind == 1:
            payload = itch.random_packets(draw, 1)
            packets.packet(payload, 0)
        else:
            payload = b"something else altogether"[: draw.choice([0, 10, 25])]
            ignored += 1
        options = {"tags": draw.randrange(3), "options": draw.randrange(3), "padding": draw.randrange(8)}
        frame = capture.ethernet(payload, **options)
        if kind == 3:
            frame = draw.choice([frame[:13], b"\0" * 12 + b"\x86\xdd" + bytes(60), bytes(14)])
        out.append((time, frame))
    return out, sessions, ignored


def read_capture(data, cuts=(), **options):
    decoder = Decoder("pcap", **options)
    places = [0, *sorted(cuts), len(data)]
    parts = [decoder.receive_bytes(data[a:b]) for a, b in itertools.pairwise(places)]
    return np.concatenate([*parts, decoder.close()]), decoder.counts


WRITERS = {
    "us <": capture.classic,
    "us >": lambda f: capture.classic(f, order=">"),
    "ns <": lambda f: capture.classic(f, unit="ns"),
    "ns >": lambda f: capture.classic(f, order=">", unit="ns"),
    "pcapng <": capture.next_generation,
    "pcapng >": lambda f: capture.next_generation(f, ">"),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_captures(writer):
    for seed in range(6):
        draw = random.Random(seed)
        packets, twin, ignored = frames(draw, 60)
        data = WRITERS[writer](packets)
        events, counts = read_capture(data, [draw.randrange(len(data)) for _ in range(3)])
        np.testing.assert_array_equal(events, twin.array())
        assert counts["packets"] == 60
        assert counts["packets_ignored"] == ignored
        own = {"malformed", "packets", "packets_ignored", "bytes", "events", "side_dropped"}
        assert {k: v for k, v in counts.items() if v and k not in own} == {k: v for k, v in twin.counts.items() if v}
    given_time, _ = read_capture(data)
    fixed = Decoder("pcap").receive_bytes(data, 5)
    assert np.all(fixed["ts_recv"] == 5)
    assert np.all(given_time["ts_recv"] > 5)


@pytest.mark.parametrize("writer", WRITERS)
def test_captures_cut_at_every_byte(writer):
    packets, *_ = frames(random.Random(3), 8)
    data = WRITERS[writer](packets)
    whole, counts = read_capture(data)
    for cut in range(len(data) + 1):
        events, others = read_capture(data, [cut])
        np.testing.assert_array_equal(events, whole)
        assert others == counts
        decoder = Decoder("pcap")
        decoder.receive_bytes(data[:cut])
        if cut < len(data):
            try:
                decoder.close()
            except ProtocolError as problem:
                assert "input ends inside a message" in str(problem)  # noqa: PT017


@pytest.mark.parametrize("writer", WRITERS)
def test_damaged_captures_are_read_alike_however_they_are_cut(writer):
    for seed in range(60):
        draw = random.Random(seed)
        packets, *_ = frames(draw, 12)
        data = damaged(draw, WRITERS[writer](packets))
        whole, counts = read_capture(data, lenient=True)
        pieces, others = read_capture(data, [draw.randrange(len(data)) for _ in range(5)], lenient=True)
        np.testing.assert_array_equal(pieces, whole)
        assert others == counts
        strict, _, _, error = native("pcap", data)
        assert error is not None or counts["malformed"] == 0
        np.testing.assert_array_equal(strict["sequence"], whole["sequence"][: len(strict)])


def test_pcapng_stamps():
    """Resolutions in powers of ten and two, an offset, microseconds by default, several sections and interfaces."""
    frame = capture.ethernet(iex.segment([iex.random_message(random.Random(1), "8")], 0))

    def stamp(description, ticks, order="<"):
        data = capture.section(order) + description + capture.enhanced(ticks, frame, order)
        return int(Decoder("pcap").receive_bytes(data)["ts_recv"][0])

    assert stamp(capture.interface(resolution=None), 1_500_000_000_123_456) == 1_500_000_000_123_456_000
    assert stamp(capture.interface(resolution=3), 1_500_000_000_123) == 1_500_000_000_123_000_000
    assert stamp(capture.interface(resolution=0x80 | 10), 1_500_000_000 << 10 | 512) == 1_500_000_000_500_000_000
    assert stamp(capture.interface(offset=1_000_000_000), 500_000_000 * 10**9) == 1_500_000_000 * 10**9
    assert stamp(capture.interface(">", resolution=6), 7, ">") == 7_000
    two = capture.section() + capture.interface(link=113) + capture.interface()
    two += (
        capture.enhanced(1, frame)
        + capture.enhanced(2, frame, number=1)
        + capture.section(">")
        + capture.interface(">")
    )
    decoder = Decoder("pcap")
    assert decoder.receive_bytes(two + capture.enhanced(3, frame, ">"))["ts_recv"].tolist() == [
        2
    ]  # the third is a copy
    assert decoder.counts["packets"] == 3
    assert decoder.counts["packets_ignored"] == decoder.counts["duplicates"] == 1


# ---- every CPU target

PROGRAM = """
import hashlib, random, sys
from engine import EVENT, Decoder
from tests.reference import iex, itch
for form, make in (("itch", itch.random_stream), ("iex", iex.random_stream), ("moldudp64", itch.random_packets)):
    decoder = Decoder(form, lenient=True)
    events = decoder.receive_bytes(make(random.Random(4), 4_000))
    print(form, len(events), hashlib.sha256(events.tobytes()).hexdigest(), sorted(decoder.counts.items()))
"""


def test_every_target_gives_the_same_bytes():
    answers = set()
    for target in batch.supported_targets():
        environment = {**os.environ, "TICKFORGE_CPU": target}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        )
        answers.add(done.stdout)
    (answer,) = answers
    events = Decoder("itch", lenient=True).receive_bytes(itch.random_stream(random.Random(4), 4_000))
    assert hashlib.sha256(events.tobytes()).hexdigest() in answer
