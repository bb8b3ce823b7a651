"""msgspec and orjson read the same quotes as we do."""

import numpy as np
import pytest

from bench import generate_frames
from bench.peers import json_frames
from engine._native.wire import FrameDecoder
from engine.core.units import NANOS

FRAMES = generate_frames.polygon(500, 50)
ABSENT = "the peer is not installed: pip install '.[bench]'"


def ours(frame: bytes) -> list[tuple[int, float, int, float, int, int]]:
    decoder = FrameDecoder("polygon", provider="polygon")
    for number, symbol in enumerate(generate_frames.SYMBOLS):
        decoder.map(symbol, number)
    events = decoder.receive_bytes(frame)
    bid, ask = events[::2], events[1::2]
    columns = (bid["instrument"], bid["price"] / NANOS, bid["quantity"] // NANOS, ask["price"] / NANOS)
    columns += (ask["quantity"] // NANOS, ask["sequence"])
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_orjson_fills_an_array_with_the_same_quotes():
    pytest.importorskip("orjson", reason=ABSENT)
    numbers = {symbol: number for number, symbol in enumerate(generate_frames.SYMBOLS)}
    out = np.zeros(50, json_frames.POLYGON_COLUMNS)
    for frame in FRAMES:
        assert json_frames.fill(out, frame, numbers) == 50
        assert out[["sym", "bp", "bs", "ap", "as", "q"]].tolist() == ours(frame)


def test_msgspec_reads_the_same_quotes():
    msgspec = pytest.importorskip("msgspec", reason=ABSENT)
    decoder = msgspec.json.Decoder(list[json_frames.struct(json_frames.POLYGON_FIELDS)])
    for frame in FRAMES:
        quotes = decoder.decode(frame)
        found = [(generate_frames.SYMBOLS.index(q.sym), q.bp, q.bs, q.ap, q.as_, q.q) for q in quotes]
        assert found == ours(frame)


def test_both_take_part_in_rounds():
    pytest.importorskip("msgspec", reason=ABSENT)
    for contender in (
        json_frames.typed(FRAMES, 500, json_frames.POLYGON_FIELDS),
        json_frames.columns(FRAMES, 500, generate_frames.SYMBOLS),
    ):
        assert contender.operations == 500
        assert contender.round() > 0


def test_what_is_absent_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(json_frames, "msgspec", None)
    monkeypatch.setattr(json_frames, "orjson", None)
    assert "pip install" in json_frames.typed(FRAMES, 500, json_frames.POLYGON_FIELDS).reason
    assert "pip install" in json_frames.columns(FRAMES, 500, generate_frames.SYMBOLS).reason
    assert json_frames.versions() == {"msgspec": None, "orjson": None}
