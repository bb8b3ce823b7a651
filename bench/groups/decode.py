"""Decoders, from bytes in memory to records, cut into pieces by the loop as a socket or a file would give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench import generate_wire
from bench.groups import Setting
from bench.measure import RATE, Contest, Row, local

PIECE = 65_536  #: bytes a call


def pieces(name: str, make: Callable[[int], bytes], piece: int = PIECE) -> Callable[[Setting], Contest]:
    def build(setting: Setting) -> Contest:
        from engine import Decoder, Instruments

        count = setting.count(2_000_000, 50_000)
        data = memoryview(make(count))

        def prepare() -> Any:
            return Decoder(name, Instruments())

        def run(decoder: Any) -> None:
            receive_bytes = decoder.receive_bytes
            for start in range(0, len(data), piece):
                receive_bytes(data[start : start + piece], 1)

        check = prepare()
        events = sum(len(check.receive_bytes(data[start : start + piece], 1)) for start in range(0, len(data), piece))
        note = f"{count:,} messages, {events:,} events, {len(data) / count:.1f} bytes a message, pieces of {piece:,}"
        return Contest(local("engine", count, prepare, run), (), note)

    return build


_STORE = "16 cycles: length, type, loads, swaps, one 64-byte store"

ROWS = [
    Row(
        "itch", "ITCH 5.0 to records", RATE, pieces("itch", generate_wire.itch), 160.0, _STORE + ", mispredicted types"
    ),
    Row("deep", "IEX DEEP 1.0 to records", RATE, pieces("iex", generate_wire.deep), 250.0, _STORE),
]
