"""Frames of live connections to records, beside general decoders of the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bench import generate_frames
from bench.groups import Setting
from bench.measure import NS, Contender, Contest, Row, local
from bench.peers import json_frames

OURS = "engine"


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
        count = setting.count(100_000, 5_000)
        frames, symbols = generate_frames.polygon(count, per_frame), generate_frames.SYMBOLS
        peers = [json_frames.typed(frames, count, json_frames.POLYGON_FIELDS)]
        if into_numpy:
            peers.append(json_frames.columns(frames, count, symbols))
        note = f"{count:,} quotes, {per_frame} a frame, {sum(map(len, frames)) / count:.0f} bytes a quote"
        return Contest(decoding("polygon", "polygon", frames, count, symbols), tuple(peers), note)

    return build


# The rows of Alpaca's JSON and msgpack belong here, too: `decoding`, `json_frames.typed(..., encoding="msgpack")`.
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
]
