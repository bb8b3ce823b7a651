"""Alpaca frames, JSON and msgpack, against their twin."""

import json
import random

import msgpack
import pytest

from engine._native.wire import FrameDecoder
from tests.reference.wire_alpaca import MAPPED, AlpacaTwin, random_frame, random_packed_frame, random_quote

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


# ---- the fast path


def usual(name: str, count: int, seed: int = 0, top: bool = False) -> bytes:
    """Quotes as they are usually written, with everything the fast path takes."""
    draw = random.Random(seed)
    quotes = []
    for _ in range(count):
        quote = random_quote(draw)
        quote |= {"S": draw.choice(["AAPL", "F", "GOOGLABC", "NOBODY"]), "c": [draw.choice("RNF")]}
        quote |= {"bx": draw.choice("ABCDHJKLMNPQ"), "ax": draw.choice("STUVXYZ")}
        quote |= {"bp": draw.choice([0, 9, 87.66, 0.0001, 1234.5]), "ap": draw.choice([87.68, 101.0, 999.9999])}
        if "msgpack" in name:
            quote["t"] = msgpack.Timestamp.from_unix_nano(quote["t"].ns | 1)  # 8 bytes
            ordered = {key: quote[key] for key in ("T", "S", "bx", "bp", "bs", "ax", "ap", "as", "c", "z", "t")}
            quotes.append(ordered)
        else:
            moment = quote["t"].text(random.Random(2))
            quotes.append(json.dumps(quote | {"t": moment}, separators=(",", ":")))
    return msgpack.packb(quotes) if "msgpack" in name else f"[{','.join(quotes)}]".encode()


@pytest.mark.parametrize("top", [False, True])
@pytest.mark.parametrize("name", ["alpaca", "alpaca-msgpack"])
@seeds
def test_usual_quotes_take_the_fast_path(name, seed, top):
    native, twin = pair(name, general=False, top=top)
    for count in (1, 2, 30):
        assert_agree(usual(name, count, seed), native, twin)
    assert native.counts["general"] == 0


@pytest.mark.parametrize("name", ["alpaca", "alpaca-msgpack"])
def test_a_usual_quote_with_any_byte_changed(name):
    """Each byte becomes each of some others: what the fast path does not reject means the same on the general one."""
    draw = random.Random(9)
    frame = usual(name, 2, 5)
    native, twin = pair(name, general=False)
    letters = b'",:{}[]0179.-eETZz+ \\RKq\x00\x1f\x80\x91\xa1\xcb\xff'
    for at in range(len(frame)):
        for letter in draw.sample(letters, 8):
            assert_agree(frame[:at] + bytes([letter]) + frame[at + 1 :], native, twin)
        assert_agree(frame[:at] + frame[at + 1 :], native, twin)
        assert_agree(frame[:at] + bytes([draw.choice(letters)]) + frame[at:], native, twin)


def test_the_minute_of_a_time_is_not_taken_from_a_broken_one():
    native, twin = pair("alpaca", general=False)
    quote = usual("alpaca", 1, 3)
    at = quote.index(b'"t":"') + 5
    for time in (
        b"2026-11-20T12:59",
        b"2026-11-31T12:59",
        b"2026-11-20T12:60",
        b"9999-11-20T12:59",
        b"2026-11-20t12:59",
    ):
        assert_agree(quote[:at] + time + quote[at + 16 :], native, twin)
