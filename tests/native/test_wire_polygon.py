"""Massive (Polygon) frames against their twin."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine._native.wire import FrameDecoder
from tests.reference.wire_polygon import MAPPED, PolygonTwin, random_frame

SEEDS = range(40)


def decoder(general: bool = False) -> FrameDecoder:
    made = FrameDecoder("polygon", provider="polygon", general=general)
    for symbol, number in MAPPED.items():
        made.map(symbol, number)
    return made


def assert_agree(frame: bytes, native: FrameDecoder, twin: PolygonTwin) -> None:
    ours, theirs = native.receive_bytes(frame, 77), twin.receive_bytes(frame, 77)
    assert ours.tolist() == theirs.tolist(), frame
    assert native.take_other() == twin.other, frame
    assert (native.take_problem() is not None) == twin.problem, frame
    counts = native.counts
    del counts["general"]
    assert counts == twin.counts, frame


@pytest.mark.parametrize("general", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_random_frames(seed, general):
    draw = random.Random(seed)
    native, twin = decoder(general), PolygonTwin(1, symbols=MAPPED)
    for _ in range(12):
        assert_agree(random_frame(draw, draw.choice([1, 2, 5, 20])), native, twin)


@pytest.mark.parametrize("general", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_damaged_frames(seed, general):
    draw = random.Random(1_000 + seed)
    native, twin = decoder(general), PolygonTwin(1, symbols=MAPPED)
    for _ in range(25):
        frame = bytearray(random_frame(draw, draw.choice([1, 2, 5])))
        for _ in range(draw.randrange(1, 4)):
            at = draw.randrange(len(frame))
            match draw.randrange(4):
                case 0:
                    frame[at] ^= 1 << draw.randrange(8)
                case 1:
                    frame[at] = draw.choice(b'",:{}[]0123456789.-eE \\')
                case 2:
                    del frame[at : at + draw.randrange(1, 9)]
                case _:
                    frame[at:at] = frame[at : at + draw.randrange(1, 30)]
            frame = frame or bytearray(b"[")
        assert_agree(bytes(frame), native, twin)


def test_a_frame_cut_at_every_byte():
    frame = random_frame(random.Random(4), 3)
    native, twin = decoder(), PolygonTwin(1, symbols=MAPPED)
    for end in range(len(frame) + 1):
        assert_agree(frame[:end], native, twin)


@pytest.mark.parametrize(
    "symbol", [b"AAPL\0\0\0\0", b'AA"PL', b"AA\\PL", b"AA:PL", b"", b"AAPLAAPL", b"A B", b"A\xc3\xa9", b":" * 40]
)
def test_odd_symbols(symbol):
    for mapped in ({}, {"AAPL": 1}):
        frame = (
            b'[{"ev":"Q","sym":"%s","bx":1,"bp":1.5,"bs":2,"ax":3,"ap":4,"as":5,"c":1,"t":1790000000000,"q":1,"z":1}]'
        )
        native = FrameDecoder("polygon", provider="polygon")
        for name, number in mapped.items():
            native.map(name, number)
        assert_agree(frame % symbol, native, PolygonTwin(1, symbols=mapped))


DIGITS = st.text("0123456789", min_size=1, max_size=21)
TEXT = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "", "", "-"]),
    DIGITS.map(lambda digits: digits.lstrip("0") or "0") | DIGITS,
    st.just("") | DIGITS.map(".{}".format),
    st.sampled_from(["", "", "", "e0", "E+3", "e-2", "e12", "e-30", "e99999999999999999999"]),
)


@given(bid=TEXT, ask=TEXT, size=TEXT, stamp=TEXT, number=TEXT, exchange=TEXT)
def test_any_number_in_any_place(bid, ask, size, stamp, number, exchange):
    frame = (
        f'[{{"ev":"Q","sym":"AAPL","bx":{exchange},"bp":{bid},"bs":100,"ax":3,"ap":{ask},"as":{size},"c":1,'
        f'"t":{stamp},"q":{number},"z":3}},'
        f'{{"ev":"T","sym":"AAPL","x":{exchange},"i":"{number}","z":3,"p":{bid},"s":{size},"ds":"{ask}","c":[{number}],'
        f'"t":1790000000123,"q":1}},'
        f'{{"ev":"Q","sym":"MSFT","bx":1,"bp":{bid},"bs":100,"ax":3,"ap":{ask},"as":7,"c":1,"t":1790000000123,"q":1,"z":3}}]'
    )
    for general in (False, True):
        assert_agree(frame.encode(), decoder(general), PolygonTwin(1, symbols=MAPPED))
