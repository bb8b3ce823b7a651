"""Numbers and times of msgpack and RFC 3339: the twins against libraries, the kernels at the edges."""

import random
import struct
from datetime import datetime, timedelta, timezone

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine._native.wire import FrameDecoder
from engine.core.units import NANOS, to_nanos
from tests.reference.packed import Extension, Packed, pack, timestamp
from tests.reference.rfc3339 import rfc3339_ns

texts = st.text(st.characters(codec="ascii"), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def plain(value):
    """Numbers as integers."""
    match value:
        case list():
            return [plain(element) for element in value]
        case dict():
            return {key: plain(element) for key, element in value.items()}
    return value if value is None or isinstance(value, bool) or type(value) is str else int(value)


@given(values, st.integers(0, 2**32))
def test_the_twin_reads_what_the_library_reads(value, seed):
    packed = pack(random.Random(seed), value)
    assert msgpack.unpackb(packed, strict_map_key=False) == value == plain(Packed(packed).value())


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**32))
def test_times_are_those_of_the_library(time, seed):
    extension = timestamp(random.Random(seed), time)
    assert msgpack.unpackb(pack(random.Random(seed), extension)).to_unix_nano() == time == extension.time()


def print_of(price: bytes = b"\x01", time: bytes = b"\xc0") -> bytes:
    return b"\x91\x84\xa1T\xa1t\xa1S\xa1F\xa1p" + price + b"\xa1t" + time


def decoder(name: str = "alpaca-msgpack") -> FrameDecoder:
    made = FrameDecoder(name, provider="alpaca")
    made.map("F", 0)
    return made


def price_of(price: bytes) -> int | str:
    made = decoder()
    events = made.receive_bytes(print_of(price))
    return int(events["price"][0]) if len(events) else next(n for n in ("inexact", "invalid") if made.counts[n])


@given(st.floats(0, 1e11, width=64) | st.integers(0, 10**15).map(lambda count: count / NANOS))
def test_a_double_is_its_shortest_text(number):
    try:
        expected = to_nanos(number, "price")
    except ValueError:
        expected = "inexact"
    assert price_of(struct.pack(">cd", b"\xcb", number)) == expected


@given(st.floats(0, 2.0**30, width=32))
def test_a_single_is_its_own_shortest_text(number):
    try:
        expected = to_nanos(int(number) if number.is_integer() else str(np.float32(number)), "price")
    except ValueError:
        expected = "inexact"
    assert price_of(struct.pack(">cf", b"\xca", number)) == expected


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        (b"\x7f", 127 * NANOS),
        (b"\xff", "invalid"),
        (b"\xcc\xff", 255 * NANOS),
        (b"\xcd\xff\xff", 65_535 * NANOS),
        (b"\xce\xff\xff\xff\xff", (2**32 - 1) * NANOS),
        (b"\xcf" + (9_223_372_036).to_bytes(8), 9_223_372_036 * NANOS),
        (b"\xcf" + (9_223_372_037).to_bytes(8), "inexact"),
        (b"\xd0\x80", "invalid"),
        (b"\xd1\x01\x00", 256 * NANOS),
        (b"\xd2\xff\xff\xff\xff", "invalid"),
        (b"\xd3" + b"\x80" + b"\0" * 7, "inexact"),
        (struct.pack(">cd", b"\xcb", 0.1 + 0.2), "inexact"),
        (struct.pack(">cd", b"\xcb", -0.0), 0),
        (struct.pack(">cd", b"\xcb", float("inf")), "invalid"),
        (struct.pack(">cd", b"\xcb", float("nan")), "invalid"),
        (b"\xa11", "invalid"),
        (b"\xc3", "invalid"),
        (b"\xc0", "invalid"),
    ],
)
def test_numbers_of_every_width(price, expected):
    assert price_of(price) == expected


def test_nesting_has_an_end():
    made = decoder()
    made.receive_bytes(b"\x91" * 65 + b"\xc0")
    assert made.take_other() == [b"\x91" * 64 + b"\xc0"]
    made.receive_bytes(b"\x91" * 66 + b"\xc0")
    assert made.take_problem() == "alpaca-msgpack: byte 66: nested too deep"


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (b"", "byte 0: the frame ends inside a value"),
        (b"\x92\x01", "byte 2: the frame ends inside a value"),
        (b"\xdd\xff\xff\xff\xff\x01", "byte 6: the frame ends inside a value"),
        (b"\x91\xc1", "byte 1: byte C1 begins no value"),
        (b"\x90\x90", "byte 1: expected the end of the frame"),
        (b"\x91\xa5abc", "byte 2: the frame ends inside a value"),
    ],
)
def test_problems_say_what_and_where(frame, problem):
    made = decoder()
    made.receive_bytes(frame)
    assert made.take_problem() == "alpaca-msgpack: " + problem


# ---- RFC 3339

SECONDS = st.integers(86_400, 9_200_000_000)


@given(SECONDS, st.integers(0, 10**9 - 1), st.integers(-23 * 60, 23 * 60), st.sampled_from("Tt "))
def test_times_are_those_of_datetime(second, nanos, minutes, mark):
    text = datetime.fromtimestamp(second, timezone(timedelta(minutes=minutes))).isoformat(mark)
    text = f"{text[:19]}.{nanos:09}{text[19:]}"
    expected = second * NANOS + nanos
    assert rfc3339_ns(text) == expected
    made = decoder("alpaca")
    frame = f'[{{"T":"t","S":"F","p":1,"t":"{text}"}}]'.encode()
    assert made.receive_bytes(frame)["ts_event"].tolist() == [expected]


ALPHABET = "0123456789-:.TZz +"


@given(st.integers(0, 40), st.sampled_from(ALPHABET), st.booleans())
def test_times_that_are_none_are_none(place, letter, whole_second):
    text = "2024-02-29T23:59:59Z" if whole_second else "2024-02-29T23:59:59.123456789+05:30"
    text = text[:place] + letter + text[place + 1 :]
    made = decoder("alpaca")
    events = made.receive_bytes(f'[{{"T":"t","S":"F","p":1,"t":"{text}"}}]'.encode())
    expected = rfc3339_ns(text)
    assert events["ts_event"].tolist() == ([] if expected is None else [expected])
    assert made.counts["invalid"] == (expected is None)


def test_extensions_that_are_no_time():
    assert Extension(1, b"\0" * 8).time() is None
    for body in (b"\xd7\xff" + b"\xff" * 8, b"\xc7\x0c\xff" + b"\xff" * 12, b"\xd4\xff\0"):
        made = decoder()
        assert len(made.receive_bytes(print_of(time=body))) == 0
        assert made.counts["invalid"] == 1
