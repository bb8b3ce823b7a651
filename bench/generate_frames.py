"""Frames of live connections made from a seed: the messages of the providers' documentation, of no real market."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import Final

SYMBOLS: Final = tuple(
    f"{chr(65 + number % 26)}{chr(65 + number // 26)}{'XYZW'[: number % 3]}" for number in range(250)
)
START_MS: Final = 1_790_000_000_000
EXCHANGES: Final = (1, 2, 3, 7, 8, 10, 11, 12, 15, 17, 18, 19, 20, 21)  #: Massive's ids of exchanges that quote


@cache
def polygon(count: int, per_frame: int, seed: int = 3) -> tuple[bytes, ...]:
    """``count`` quotes in Massive's (Polygon's) form, ``per_frame`` in a frame, all fields of its documented sample.

    Prices are two cents apart around a walk of their own for each symbol, sizes are shares, most in hundreds.
    """
    draw = random.Random(seed)
    cents = {symbol: draw.randrange(1_000, 60_000) for symbol in SYMBOLS}
    quotes = []
    for number in range(count):
        symbol = draw.choice(SYMBOLS)
        cents[symbol] = bid = max(100, cents[symbol] + draw.choice((-1, 0, 0, 1)))
        quotes.append(
            {
                "ev": "Q",
                "sym": symbol,
                "bx": draw.choice(EXCHANGES),
                "bp": bid / 100,
                "bs": 100 * draw.randrange(1, 20) if draw.random() < 0.9 else draw.randrange(1, 100),
                "ax": draw.choice(EXCHANGES),
                "ap": (bid + draw.choice((1, 1, 2))) / 100,
                "as": 100 * draw.randrange(1, 20) if draw.random() < 0.9 else draw.randrange(1, 100),
                "c": draw.choice((0, 1, 1, 1)),
                "i": [604],
                "t": START_MS + number // 8,
                "q": 50_385_480 + 3 * number,
                "z": 1 + number % 3,
            }
        )
    frames = (quotes[start : start + per_frame] for start in range(0, count, per_frame))
    return tuple(json.dumps(frame, separators=(",", ":")).encode() for frame in frames)
