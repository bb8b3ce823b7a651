"""Alpaca frames, JSON and msgpack, against their twin."""

import random

import pytest

from engine._native.wire import FrameDecoder
from tests.reference.wire_alpaca import MAPPED, AlpacaTwin, random_frame, random_packed_frame

SEEDS = range(30)
FORMATS = ("alpaca", "alpaca-msgpack", "alpaca-crypto", "alpaca-crypto-msgpack")
general = pytest.mark.parametrize("general", [False, True])
formats = pytest.mark.parametrize("name", FORMATS)
seeds = pytest.mark.parametrize("seed", SEEDS)


def pair(name: str, general: bool, top: bool = False):
    options = {"quotes": "top" if top else "nbbo", "venue": "IEXG"}
    native = FrameDecoder(name, provider="alpaca", general=general, **options)
    for symbol, number in MAPPED.items():
        native.map(symbol, number)
    twin = AlpacaTwin(2, venue=8, quotes=options["quotes"], symbols=MAPPED)
    twin.packed, twin.crypto = "msgpack" in name, "crypto" in name
    return native, twin


def frame_of(name: str, draw: random.Random, count: int, **options) -> bytes:
    make = random_packed_frame if "msgpack" in name else random_frame
    return make(draw, count, "crypto" in name, **options)


def assert_agree(frame: bytes, native: FrameDecoder, twin: AlpacaTwin) -> None:
    ours, theirs = native.receive_bytes(frame, 77), twin.receive_bytes(frame, 77)
    assert ours.tolist() == theirs.tolist(), frame
    assert native.take_other() == twin.other, frame
    assert (native.take_problem() is not None) == twin.problem, frame
    counts = native.counts
    del counts["general"]
    assert counts == twin.counts, frame


@general
@formats
@seeds
def test_random_frames(name, seed, general):
    draw = random.Random(seed)
    native, twin = pair(name, general, top=seed % 3 == 0)
    for _ in range(10):
        assert_agree(frame_of(name, draw, draw.choice([0, 1, 2, 5, 20])), native, twin)


@general
@formats
@seeds
def test_damaged_frames(name, seed, general):
    draw = random.Random(1_000 + seed)
    native, twin = pair(name, general, top=seed % 3 == 0)
    for _ in range(20):
        frame = bytearray(frame_of(name, draw, draw.choice([1, 2, 5]), strange=0.1))
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


@formats
def test_a_frame_cut_at_every_byte(name):
    frame = frame_of(name, random.Random(4), 3, strange=0)
    native, twin = pair(name, False)
    for end in range(len(frame) + 1):
        assert_agree(frame[:end], native, twin)
