"""Frames of live connections to records, beside general decoders of the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from bench import generate_alpaca, generate_frames
from bench.groups import Setting
from bench.measure import NS, Contender, Contest, Row, local
from bench.peers import json_frames

OURS = "engine"
PASSES = 10  #: over frames that fit the core's own cache, where the socket has just put those of a live connection
#: the fields of an Alpaca quote that our records have
ALPACA_FIELDS: dict[str, Any] = {
    "S": str,
    "bx": str,
    "bp": float,
    "bs": int,
    "ax": str,
    "ap": float,
    "as": int,
    "c": list[str],
    "z": str,
}


def decoding(format: str, provider: str, frames: Sequence[bytes], messages: int, symbols: Sequence[str]) -> Contender:
    """Every frame into one array of the caller's, symbols looked up, decimals exact."""
    from engine._native.wire import FrameDecoder
    from engine.core.events import EVENT

    decoder = FrameDecoder(format, provider=provider)
    for number, symbol in enumerate(symbols):
        decoder.map(symbol, number)
    out = np.zeros(4 * -(-messages // len(frames)), EVENT)
    if (events := sum(decoder.receive_bytes(frame, 1, out) for frame in frames)) != 2 * messages:
        raise RuntimeError(f"{events} events of {messages} quotes; {decoder.counts}")

    def run(receive_bytes: Any) -> None:
        for frame in frames:
            receive_bytes(frame, 1_790_000_000_000_000_000, out)

    return local(OURS, messages, lambda: decoder.receive_bytes, run)


def polygon(per_frame: int, *, into_numpy: bool) -> Callable[[Setting], Contest]:
    def build(setting: Setting) -> Contest:
        count = PASSES * setting.count(5_000, 500)
        frames = generate_frames.polygon(count // PASSES, per_frame) * PASSES
        symbols = generate_frames.SYMBOLS
        peers = [json_frames.typed(frames, count, json_frames.POLYGON_FIELDS)]
        if into_numpy:
            peers.append(json_frames.columns(frames, count, symbols))
        size = sum(map(len, frames)) / count
        note = f"{count:,} quotes in {PASSES} passes, {per_frame} a frame, {size:.0f} bytes a quote"
        return Contest(decoding("polygon", "polygon", frames, count, symbols), tuple(peers), note)

    return build


def alpaca(encoding: str, per_frame: int) -> Callable[[Setting], Contest]:
    def build(setting: Setting) -> Contest:
        count = PASSES * setting.count(5_000, 500)
        make = generate_alpaca.json_frames if encoding == "json" else generate_alpaca.msgpack_frames
        frames = make(count // PASSES, per_frame) * PASSES
        # its msgpack times are an extension that becomes a datetime, of microseconds
        fields = ALPACA_FIELDS | {"t": datetime if encoding == "msgpack" else str}
        name = "alpaca" if encoding == "json" else "alpaca-msgpack"
        size = sum(map(len, frames)) / count
        note = f"{count:,} quotes in {PASSES} passes, {per_frame} a frame, {size:.0f} bytes a quote"
        peer = json_frames.typed(frames, count, fields, encoding)
        return Contest(decoding(name, "alpaca", frames, count, generate_frames.SYMBOLS), (peer,), note)

    return build


ROWS = [
    Row(
        "polygon",
        "Polygon quotes to records, frames of 100",
        NS,
        polygon(100, into_numpy=True),
        15.0,
        "60 cycles: 135 bytes, 11 keys compared, 10 numbers in two vectors, two 64-byte stores",
    ),
    Row(
        "polygon_1",
        "Polygon quotes to records, frames of one",
        NS,
        polygon(1, into_numpy=False),
        40.0,
        "100 cycles for the call, and a quote whose steps wait for each other",
    ),
    Row(
        "alpaca_json",
        "Alpaca quotes to records, JSON, frames of 100",
        NS,
        alpaca("json", 100),
        15.0,
        "60 cycles: 135 bytes, 10 keys compared, 4 numbers in one vector, a time in another, two 64-byte stores",
    ),
    Row("alpaca_json_1", "Alpaca quotes to records, JSON, frames of one", NS, alpaca("json", 1), 40.0, "as polygon_1"),
    Row(
        "alpaca_msgpack",
        "Alpaca quotes to records, msgpack, frames of 100",
        NS,
        alpaca("msgpack", 100),
        12.5,
        "50 cycles: 77 bytes, keys compared one behind the other, two divisions, two 64-byte stores",
    ),
    Row(
        "alpaca_msgpack_1",
        "Alpaca quotes to records, msgpack, frames of one",
        NS,
        alpaca("msgpack", 1),
        40.0,
        "as polygon_1",
    ),
]
