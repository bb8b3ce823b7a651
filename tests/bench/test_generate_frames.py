"""Generated frames are what they say, and nothing a decoder complains about."""

import json

import pytest

from bench import generate_frames
from engine._native.wire import FrameDecoder


@pytest.mark.parametrize("per_frame", [1, 7, 100])
def test_polygon_quotes_take_the_fast_path(per_frame):
    frames = generate_frames.polygon(2_000, per_frame)
    assert frames == generate_frames.polygon.__wrapped__(2_000, per_frame)
    assert sum(len(json.loads(frame)) for frame in frames) == 2_000
    decoder = FrameDecoder("polygon", provider="polygon")
    for number, symbol in enumerate(generate_frames.SYMBOLS):
        decoder.map(symbol, number)
    for frame in frames:
        decoder.receive_bytes(frame)
    counts = decoder.counts
    assert counts["events"] == 4_000
    names = ("general", "malformed", "other", "inexact", "invalid", "unknown_symbols", "unknown_venues")
    assert [counts[name] for name in names] == [0] * len(names)


def test_symbols_are_different():
    assert len(set(generate_frames.SYMBOLS)) == 250
