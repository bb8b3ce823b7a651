from __future__ import annotations

import json
import random

import pytest

from bench.frames import encoded, frame_texts, stamped, symbols_of
from engine._native.wire import FrameDecoder
from engine.core.events import Kind


@pytest.mark.parametrize("line", ["polygon", "alpaca-sip", "alpaca-iex", "finnhub"])
def test_frames_are_what_the_decoders_read(line):
    symbols = symbols_of(30)
    assert len(set(symbols)) == 30
    provider = line.partition("-")[0]
    top = {"venue": "IEXG", "quotes": "top"} if line == "alpaca-iex" else {}
    decoder = FrameDecoder(provider, provider=provider, **top)
    for number, symbol in enumerate(symbols):
        decoder.map(symbol, number)
    for text in frame_texts(line, symbols, 20, 3, random.Random(1)):
        json.loads(text)
        events = decoder.receive_bytes(text.encode(), 1)
        assert len(events) == (3 if line == "finnhub" else 6)
        assert (events["kind"] == Kind.TRADE).all() == (line == "finnhub")
    assert decoder.take_problem() is None
    assert decoder.counts["unknown_symbols"] == 0


@pytest.mark.parametrize("size", [5, 125, 126, 70_000])
def test_frames_are_encoded_as_servers_do(size):
    data = encoded("x" * size)
    assert data.endswith(b"x" * size)
    assert data[0] == 0x81
    assert not data[1] & 0x80


def test_a_stamp_replaces_the_time():
    (text,) = frame_texts("alpaca-sip", symbols_of(1), 1, 1, random.Random(1))
    changed = stamped(encoded(text))
    assert len(changed) == len(encoded(text))
    before, after = json.loads(text), json.loads(changed[-len(text) :])
    assert before[0].pop("t") < after[0].pop("t")
    assert before == after
