"""Quote frames of Alpaca's stock stream made from a seed, JSON and msgpack, as its documentation shows them.

Layout: https://docs.alpaca.markets/docs/real-time-stock-pricing-data; keys in the order of its examples of 2023.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from bench.generate_frames import SYMBOLS

EXCHANGES: Final = "ABCHJKLMNPQUVXYZ"
START_NS: Final = 1_790_000_000 * 10**9
STEP_NS: Final = 1_234_567


@cache
def quotes(count: int, seed: int = 7) -> tuple[dict[str, Any], ...]:
    """The quotes as mappings; ``t`` in ns."""
    draw = random.Random(seed)
    made = []
    for number in range(count):
        bid = round(draw.uniform(5, 500), 2)
        made.append(
            {
                "T": "q",
                "S": draw.choice(SYMBOLS),
                "bx": draw.choice(EXCHANGES),
                "bp": bid,
                "bs": draw.choice([40, 100, 200, 300, 1_200]),
                "ax": draw.choice(EXCHANGES),
                "ap": round(bid + 0.01 * draw.randrange(1, 4), 2),
                "as": draw.choice([40, 100, 200, 300, 1_200]),
                "c": ["R"],
                "z": draw.choice("ABC"),
                "t": START_NS + number * STEP_NS,
            }
        )
    return tuple(made)


def rfc3339(time: int) -> str:
    """Up to nanoseconds, trailing zeros trimmed."""
    fraction = f".{time % 10**9:09}".rstrip("0").rstrip(".")
    return f"{datetime.fromtimestamp(time // 10**9, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"


@cache
def json_frames(count: int, size: int) -> tuple[bytes, ...]:
    """``count`` quotes in frames of ``size``."""
    texts = [json.dumps(quote | {"t": rfc3339(quote["t"])}, separators=(",", ":")) for quote in quotes(count)]
    return tuple(f"[{','.join(texts[at : at + size])}]".encode() for at in range(0, count, size))


@cache
def msgpack_frames(count: int, size: int) -> tuple[bytes, ...]:
    """The same in msgpack, times as its timestamp extension."""
    import msgpack

    stamp = msgpack.Timestamp.from_unix_nano
    packed = [quote | {"t": stamp(quote["t"])} for quote in quotes(count)]
    return tuple(msgpack.packb(packed[at : at + size]) for at in range(0, count, size))
