"""Frame decoders: what is the same for every format."""

import numpy as np
import pytest

from engine._native.wire import FORMATS, FrameDecoder, tables, venue_number_of
from engine.core.events import EVENT, NO_INSTRUMENT, Condition, Kind
from engine.core.venues import VENUES, venue_id

QUOTE = (
    b'{"ev":"Q","sym":"AAPL","bx":12,"bp":227.5,"bs":100,"ax":11,"ap":227.51,"as":200,"c":1,'
    b'"t":1790000000123,"q":7,"z":3}'
)


def decoder(**options) -> FrameDecoder:
    made = FrameDecoder("polygon", provider="polygon", **options)
    made.map("AAPL", 3)
    return made


def test_a_quote_is_two_events():
    events = decoder().receive_bytes(b"[" + QUOTE + b"]", 5)
    assert events.dtype == EVENT
    stamp = 1_790_000_000_123 * 10**6
    assert events.tolist() == [
        (stamp, 5, 227_500_000_000, 100 * 10**9, 7, 0, 3, 1, 1, Kind.NBBO, 1, 0, 0, 0),
        (stamp, 5, 227_510_000_000, 200 * 10**9, 7, 0, 3, 3, 1, Kind.NBBO, 2, 1, 0, 0),
    ]


def test_a_quote_of_one_venue_replaces_that_side():
    events = decoder(quotes="top", venue="IEXG").receive_bytes(b"[" + QUOTE + b"]")
    assert events["kind"].tolist() == [Kind.QUOTE] * 2
    assert events["venue"].tolist() == [venue_id("IEXG")] * 2


def test_events_go_to_the_callers_array():
    out = np.zeros(4, EVENT)
    frame = b"[" + QUOTE + b"," + QUOTE + b"]"
    made = decoder()
    assert made.receive_bytes(frame, 1, out=out) == 4
    assert out.tobytes() == decoder().receive_bytes(frame, 1).tobytes()
    assert made.receive_bytes(memoryview(b"[" + QUOTE + b"]"), 1, out) == 2


def test_an_array_too_small_is_named():
    with pytest.raises(ValueError, match="out has room for 3 events; this frame has 4"):
        decoder().receive_bytes(b"[" + QUOTE + b"," + QUOTE + b"]", 1, out=np.zeros(3, EVENT))


@pytest.mark.parametrize("out", [np.zeros(4), np.zeros((2, 2), EVENT), np.zeros(8, EVENT)[::2], [1], b"x" * 64])
def test_an_array_of_something_else_is_refused(out):
    with pytest.raises(ValueError, match="out is no writable contiguous"):
        decoder().receive_bytes(b"[]", 0, out=out)


def test_memory_grows_with_a_frame():
    frame = b"[" + b",".join([QUOTE] * 3_000) + b"]"
    made = decoder()
    events = made.receive_bytes(frame)
    assert len(events) == 6_000
    assert (events["order_id"] == 0).all()
    assert made.receive_bytes(b"[" + QUOTE + b"]").tobytes() == events[-2:].tobytes()


def test_symbols_can_be_given_another_instrument_and_taken_away():
    made = decoder()
    frame = b"[" + QUOTE + b"]"
    made.map("AAPL", 9)
    assert made.receive_bytes(frame)["instrument"].tolist() == [9, 9]
    made.map("AAPL", NO_INSTRUMENT)
    assert len(made.receive_bytes(frame)) == 0
    assert made.counts["unknown_symbols"] == 1


def test_thousands_of_symbols_are_told_apart():
    made = decoder()
    names = [f"S{number:x}" + "Z" * (number % 12) for number in range(3_000)]
    for number, name in enumerate(names):
        made.map(name, number)
    frame = b"[" + b",".join(QUOTE.replace(b"AAPL", name.encode()) for name in names) + b"]"
    assert made.receive_bytes(frame)["instrument"][::2].tolist() == list(range(3_000))


@pytest.mark.parametrize("symbol", ["", "A B", "x" * 33, "é", "A\n", 'A"', "A\\B"])
def test_what_is_no_symbol_is_refused(symbol):
    with pytest.raises(ValueError, match="expected 1 to 32 printable ASCII"):
        decoder().map(symbol, 1)


def test_other_messages_come_as_they_are():
    made = decoder()
    made.receive_bytes(b'[{"ev": "status"}, ' + QUOTE + b', 7,"x"]')
    assert made.take_other() == [b'{"ev": "status"}', b"7", b'"x"']
    assert made.take_other() == []


def test_other_messages_that_nobody_takes_are_bounded():
    made = decoder()
    for start in range(0, 70_000, 10_000):
        made.receive_bytes(b"[" + b",".join(b"%d" % number for number in range(start + 1, start + 10_001)) + b"]")
    other = made.take_other()
    assert (len(other), other[0], other[-1]) == (65_536, b"4465", b"70000")
    assert made.counts["other_dropped"] == 4_464


def test_a_malformed_frame_keeps_what_came_before():
    made = decoder()
    assert len(made.receive_bytes(b"[" + QUOTE + b"," + QUOTE[:-1])) == 2
    assert made.take_problem() == f"polygon: byte {2 * len(QUOTE) + 1}: expected ',' or '}}'"
    assert made.take_problem() is None
    assert len(made.receive_bytes(b"[" + QUOTE + b"]")) == 2
    assert made.counts["malformed"] == 1


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (b"", "byte 0: expected a value"),
        (b"[", "byte 1: expected a value"),
        (b'["\xff"]', "byte 2: expected UTF-8"),
        (b'["a', "byte 3: the frame ends inside a string"),
        (b'["\\x"]', "byte 2: expected an escape of JSON"),
        (b"[1,]", "byte 3: expected a value"),
        (b"[1] 2", "byte 4: expected the end of the frame"),
        (b'[{"a" 1}]', "byte 6: expected ':'"),
        (b"[{1:1}]", "byte 2: expected a key"),
        (b"[-]", "byte 2: expected a digit"),
        (b"[" * 80, "byte 65: nested too deep"),
        (b" " * (16 * 2**20 + 1), "byte 0: the frame is longer than 16 MiB"),
    ],
)
def test_problems_say_what_and_where(frame, problem):
    made = decoder()
    made.receive_bytes(frame)
    assert made.take_problem() == "polygon: " + problem


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"format": "fix"}, "format is 'fix'; expected one of polygon"),
        ({"quotes": "all"}, "quotes are 'all'; expected 'nbbo' or 'top'"),
        ({"quotes": "top"}, "venue is ''"),
        ({"provider": "nobody"}, "provider is 'nobody'"),
        ({"venue": "a b"}, "venue is 'a b'"),
    ],
)
def test_wrong_arguments_are_refused(options, error):
    with pytest.raises(ValueError, match=error):
        FrameDecoder(**{"format": "polygon", "provider": "polygon", **options})


def test_a_decoder_that_was_not_made_says_so():
    with pytest.raises(TypeError, match="was not made"):
        FrameDecoder.__new__(FrameDecoder).receive_bytes(b"[]")


def test_a_decoder_is_made_once_and_shows_itself():
    made = decoder()
    with pytest.raises(RuntimeError, match="made once"):
        made.__init__("polygon", provider="polygon")
    assert repr(made) == "FrameDecoder('polygon', 0 frames, 0 events, 0 other, 0 malformed)"
    assert made.format in FORMATS
    assert made._address % 8 == 0


def test_native_venue_numbers_are_those_of_python():
    for name in [*VENUES, "XADF", "24EQ", "A", "Z9Z9Z9Z9"]:
        assert venue_number_of(name) == venue_id(name)


def test_tables_hold_bits_of_conditions():
    known = 0
    for bit in Condition:
        known |= bit
    polygon = tables("polygon")
    assert all(
        bits & ~known == 0 for name in ("trade_conditions", "quote_conditions") for bits in polygon[name].values()
    )
    with pytest.raises(ValueError, match="format is 'pcap'"):
        tables("pcap")


def test_events_are_where_they_were_wanted_though_a_longer_message_was_dropped():
    """A fuzzer's find: an order book that outgrew the caller's array, and was dropped for its last level."""
    decoder = FrameDecoder("alpaca-crypto", provider="alpaca", venue="CBSE")
    decoder.map("F", 3)
    levels = ",".join(f'{{"p":{price},"s":1}}' for price in range(1, 9))
    book = f'{{"T":"o","S":"F","t":"2025-11-03T05:00:00Z","b":[{levels},{{"p":1.0000000001,"s":1}}],"a":[]}}'
    trade = '{"T":"t","S":"F","p":2,"s":3,"i":12,"t":"2025-11-03T05:00:00Z","tks":"B"}'
    out = np.zeros(5, EVENT)
    assert decoder.receive_bytes(f"[{trade},{book},{trade}]".encode(), 7, out) == 2
    assert out["price"][:2].tolist() == [2_000_000_000, 2_000_000_000]
    assert decoder.counts["inexact"] == 1
