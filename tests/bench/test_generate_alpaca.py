"""Both codecs say the same, and the fast path takes all of it."""

import msgpack
import pytest

from bench import generate_alpaca
from bench.generate_frames import SYMBOLS
from engine._native.wire import FrameDecoder


def decoded(name: str, frames: tuple[bytes, ...]) -> list[tuple]:
    decoder = FrameDecoder(name, provider="alpaca")
    for number, symbol in enumerate(SYMBOLS):
        decoder.map(symbol, number)
    rows = [row for frame in frames for row in decoder.receive_bytes(frame).tolist()]
    assert decoder.counts["unknown_venues"] == decoder.counts["unknown_symbols"] == 0
    assert decoder.counts["general"] <= len(rows) // 1_000  # a double that takes a second look
    return rows


@pytest.mark.parametrize("size", [1, 100])
def test_codecs_agree(size):
    rows = decoded("alpaca", generate_alpaca.json_frames(2_000, size))
    assert rows == decoded("alpaca-msgpack", generate_alpaca.msgpack_frames(2_000, size))
    assert len(rows) == 4_000
    assert len(generate_alpaca.json_frames(2_000, size)) == 2_000 // size


def test_times_are_as_the_provider_trims_them():
    assert generate_alpaca.rfc3339(1_790_000_000 * 10**9) == "2026-09-21T14:13:20Z"
    assert generate_alpaca.rfc3339(1_790_000_000_208 * 10**6) == "2026-09-21T14:13:20.208Z"
    (first,) = msgpack.unpackb(generate_alpaca.msgpack_frames(1, 1)[0])
    assert first["t"].to_unix_nano() == generate_alpaca.START_NS
