"""Rows of group ``wire`` for Alpaca's stock quotes: frames in memory to records, beside msgspec's typed decoding alone.

msgspec makes one Struct a quote and leaves prices doubles, times text (JSON) or a datetime of microseconds (msgpack);
ours looks symbols up and converts decimals and times exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench import generate_alpaca
from bench.groups import Setting
from bench.measure import NS, Absent, Contender, Contest, Row, local

Frames = tuple[bytes, ...]


def ours(name: str, frames: Frames, count: int, size: int) -> Contender:
    from engine._native.wire import FrameDecoder
    from engine.core.events import EVENT

    def prepare() -> tuple[Any, Any]:
        decoder = FrameDecoder(name, provider="alpaca")
        for number, symbol in enumerate(generate_alpaca.SYMBOLS):
            decoder.map(symbol, number)
        return decoder.receive_bytes, np.zeros(2 * size, EVENT)

    def run(state: tuple[Any, Any]) -> None:
        receive_bytes, out = state
        for frame in frames:
            receive_bytes(frame, 1, out)

    return local("engine", count, prepare, run)


def msgspec_peer(codec: str, frames: Frames, count: int) -> Contender | Absent:
    try:
        import msgspec
    except ImportError:
        return Absent("msgspec", "not installed: pip install '.[bench]'")
    from datetime import datetime

    fields = [("T", str), ("S", str), ("bx", str), ("bp", float), ("bs", int), ("ax", str), ("ap", float)]
    rest = [("as_", int), ("c", list[str]), ("z", str), ("t", datetime if codec == "msgpack" else str)]
    quote = msgspec.defstruct("Quote", [*fields, *rest], rename={"as_": "as"})
    decoder = getattr(msgspec, codec).Decoder(list[quote])  # type: ignore[valid-type]

    def run(decode: Any) -> None:
        for frame in frames:
            decode(frame)

    return local("msgspec", count, lambda: decoder.decode, run)


def quotes(codec: str, size: int) -> Callable[[Setting], Contest]:
    def build(setting: Setting) -> Contest:
        count = setting.count(20_000, 2_000)
        make = generate_alpaca.json_frames if codec == "json" else generate_alpaca.msgpack_frames
        frames = make(count, size)
        name = "alpaca" if codec == "json" else "alpaca-msgpack"
        note = f"{count:,} quotes, {sum(map(len, frames)) / count:.1f} bytes each, frames of {size}"
        return Contest(ours(name, frames, count, size), (msgspec_peer(codec, frames, count),), note)

    return build


ROWS = [
    Row("alpaca_json", "Alpaca quotes, JSON, frames of 100", NS, quotes("json", 100)),
    Row("alpaca_json_1", "Alpaca quotes, JSON, frames of 1", NS, quotes("json", 1)),
    Row("alpaca_msgpack", "Alpaca quotes, msgpack, frames of 100", NS, quotes("msgpack", 100)),
    Row("alpaca_msgpack_1", "Alpaca quotes, msgpack, frames of 1", NS, quotes("msgpack", 1)),
]
