"""msgspec and orjson: JSON to Python objects, each in the way that is best for it.

msgspec decodes to structs that name only the fields our records have, without garbage collection of them; that is all
it is asked for: no symbol is looked up and no price made exact. orjson gives dictionaries, which go to the columns of
one structured array made beforehand; prices are floats there.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bench.measure import Absent, Contender, local

MSGSPEC, ORJSON = "msgspec", "orjson"
try:
    import msgspec
except ImportError:
    msgspec = None  # type: ignore[assignment]
try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]

#: the fields of a Massive quote that our records have
POLYGON_FIELDS: dict[str, type] = {
    "sym": str,
    "bx": int,
    "bp": float,
    "bs": int,
    "ax": int,
    "ap": float,
    "as": int,
    "c": int,
    "t": int,
    "q": int,
}
POLYGON_COLUMNS = [
    (name, "<u4" if name == "sym" else "<f8" if kind is float else "<i8") for name, kind in POLYGON_FIELDS.items()
]


def versions() -> dict[str, str | None]:
    """Of both, None for what is absent."""
    present = {MSGSPEC: msgspec, ORJSON: orjson}
    return {name: importlib.metadata.version(name) if module else None for name, module in present.items()}


def struct(fields: dict[str, Any]) -> Any:
    """A msgspec struct of those fields; "as" is a word of Python's."""
    renamed = [(name + "_" if name == "as" else name, kind) for name, kind in fields.items()]
    return msgspec.defstruct("Quote", renamed, gc=False, rename={"as_": "as"})


def typed(
    frames: Sequence[bytes], messages: int, fields: dict[str, Any], encoding: str = "json", array: bool = True
) -> Contender | Absent:
    """The typed decoder of msgspec on every frame; ``encoding`` is "json" or "msgpack"."""
    if msgspec is None:
        return Absent(MSGSPEC, "not installed: pip install '.[bench]'")
    kind = struct(fields)
    decode = getattr(msgspec, encoding).Decoder(list[kind] if array else kind).decode

    def run(decode: Callable[[bytes], Any]) -> None:
        for frame in frames:
            decode(frame)

    return local(MSGSPEC, messages, lambda: decode, run)


def columns(frames: Sequence[bytes], messages: int, symbols: Sequence[str]) -> Contender | Absent:
    """``orjson.loads`` of every frame into a NumPy array, column by column, symbols as numbers."""
    if orjson is None:
        return Absent(ORJSON, "not installed: pip install '.[bench]'")
    numbers = {symbol: number for number, symbol in enumerate(symbols)}

    def run(out: np.ndarray[Any, Any]) -> None:
        for frame in frames:
            fill(out, frame, numbers)

    return local(ORJSON, messages, lambda: np.zeros(-(-messages // len(frames)), POLYGON_COLUMNS), run)


def fill(out: np.ndarray[Any, Any], frame: bytes, numbers: dict[str, int]) -> int:
    """Writes the quotes of a frame to ``out``; how many."""
    quotes = orjson.loads(frame)
    count = len(quotes)
    out["sym"][:count] = [numbers[quote["sym"]] for quote in quotes]
    for name in ("bx", "bp", "bs", "ax", "ap", "as", "c", "t", "q"):
        out[name][:count] = [quote[name] for quote in quotes]
    return count
