"""Wire bytes made from a seed, for decoders: well-formed, with the mix of types of a trading day, of no real market.

Message layouts: Nasdaq TotalView-ITCH 5.0 (big-endian), IEX-TP 1 and IEX DEEP 1.0 (little-endian), public
specifications of the two exchanges.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

#: share of each type in an ITCH stream, after the directory
ITCH_MIX: Final = {"A": 0.44, "F": 0.01, "D": 0.41, "U": 0.05, "E": 0.05, "C": 0.005, "X": 0.025, "P": 0.01}
DEEP_MIX: Final = {"8": 0.48, "5": 0.48, "T": 0.04}
SYMBOLS: Final = 1_000
START_NS: Final = 34_200 * 10**9  #: 09:30 after midnight

_HEAD: Final = [
    ("length", ">u2"),
    ("type", "S1"),
    ("locate", ">u2"),
    ("tracking", ">u2"),
    ("time_high", ">u2"),
    ("time_low", ">u4"),
]
_ADD: Final = [("id", ">u8"), ("side", "S1"), ("shares", ">u4"), ("symbol", "S8"), ("price", ">u4")]
ITCH: Final = {
    kind: np.dtype([*_HEAD, *fields])
    for kind, fields in {
        "R": [("symbol", "S8"), ("market", "S1"), ("financial", "S1"), ("round_lot", ">u4"), ("rest", "S14")],
        "A": _ADD,
        "F": [*_ADD, ("participant", "S4")],
        "E": [("id", ">u8"), ("shares", ">u4"), ("match", ">u8")],
        "C": [("id", ">u8"), ("shares", ">u4"), ("match", ">u8"), ("printable", "S1"), ("price", ">u4")],
        "X": [("id", ">u8"), ("shares", ">u4")],
        "D": [("id", ">u8")],
        "U": [("id", ">u8"), ("new_id", ">u8"), ("shares", ">u4"), ("price", ">u4")],
        "P": [*_ADD, ("match", ">u8")],
    }.items()
}

_DEEP_HEAD: Final = [("length", "<u2"), ("type", "S1"), ("flags", "u1"), ("time", "<i8"), ("symbol", "S8")]
_LEVEL: Final = np.dtype([*_DEEP_HEAD, ("size", "<u4"), ("price", "<i8")])
DEEP: Final = {"8": _LEVEL, "5": _LEVEL, "T": np.dtype([*_LEVEL.descr, ("trade_id", "<i8")])}
IEX_TP: Final = np.dtype(
    [
        ("version", "u1"),
        ("reserved", "u1"),
        ("protocol", "<u2"),
        ("channel", "<u4"),
        ("session", "<u4"),
        ("length", "<u2"),
        ("count", "<u2"),
        ("offset", "<i8"),
        ("sequence", "<i8"),
        ("time", "<i8"),
    ]
)
DEEP_PROTOCOL: Final = 0x8004


def symbols(count: int = SYMBOLS) -> npt.NDArray[np.bytes_]:
    """Different names of four letters, padded with blanks."""
    letters = [chr(65 + digit) for digit in range(26)]
    return np.array(
        [("S" + letters[n // 676] + letters[n // 26 % 26] + letters[n % 26]).ljust(8) for n in range(count)], "S8"
    )


@cache
def itch(count: int, seed: int = 1) -> bytes:
    """``count`` ITCH messages behind big-endian lengths, the first of them the directory of ``SYMBOLS`` stocks.

    Orders are named by ids that were added before, at random; nothing says that they still rest.
    """
    draw = np.random.Generator(np.random.PCG64(seed))
    names = symbols()
    kinds = np.array(list(ITCH_MIX))[draw.choice(len(ITCH_MIX), max(0, count - SYMBOLS), p=list(ITCH_MIX.values()))]
    kinds = np.concatenate([np.full(min(count, SYMBOLS), "R"), kinds])
    times = START_NS + np.cumsum(draw.integers(1, 2_000, count))
    added = np.cumsum(np.isin(kinds, ["A", "F", "U"]))
    locate = draw.integers(0, SYMBOLS, count)
    locate[: min(count, SYMBOLS)] = np.arange(min(count, SYMBOLS))

    def fill(kind: str, at: npt.NDArray[Any]) -> npt.NDArray[Any]:
        rows = np.zeros(len(at), ITCH[kind])
        known = (draw.random(len(at)) * added[at]).astype(np.uint64) + 1
        values = {
            "locate": locate[at] + 1,
            "time_high": times[at] >> 32,
            "time_low": times[at] & 0xFFFFFFFF,
            "symbol": names[locate[at]],
            "id": added[at] if kind in "AF" else known,
            "new_id": added[at],
            "match": at + 1,
            "side": draw.choice(np.array([b"B", b"S"]), len(at)),
            "shares": 100 * draw.integers(1, 50, len(at)),
            "price": 1_000_000 + 100 * draw.integers(0, 500, len(at)),
            "printable": b"Y",
            "participant": b"NITE",
            "market": b"Q",
            "financial": b"N",
            "round_lot": 100,
            "rest": b"NC".ljust(14),
        }
        for name in rows.dtype.names or ():
            if name in values:
                rows[name] = values[name]
        return rows

    return _scattered(kinds, ITCH, fill).tobytes()


@cache
def deep(count: int, seed: int = 1, block: int = 24) -> bytes:
    """``count`` DEEP messages in IEX-TP segments of ``block`` messages; most end an event."""
    draw = np.random.Generator(np.random.PCG64(seed))
    names = symbols()
    kinds = np.array(list(DEEP_MIX))[draw.choice(len(DEEP_MIX), count, p=list(DEEP_MIX.values()))]
    times = 1_767_623_400 * 10**9 + np.cumsum(draw.integers(1, 20_000, count))

    def fill(kind: str, at: npt.NDArray[Any]) -> npt.NDArray[Any]:
        rows = np.zeros(len(at), DEEP[kind])
        rows["flags"] = 0 if kind == "T" else draw.random(len(at)) < 0.9
        rows["time"] = times[at]
        rows["symbol"] = names[draw.integers(0, SYMBOLS, len(at))]
        rows["size"] = 100 * draw.integers(0, 50, len(at)) if kind != "T" else 100
        rows["price"] = 1_000_000 + 100 * draw.integers(0, 500, len(at))
        if kind == "T":
            rows["trade_id"] = at + 1
        return rows

    body = _scattered(kinds, DEEP, fill)
    sizes = np.array([DEEP[kind].itemsize for kind in kinds.tolist()])
    ends = np.append(0, np.cumsum(sizes))
    segments = []
    for first in range(0, count, block):
        last = min(first + block, count)
        header = np.zeros(1, IEX_TP)
        header["version"], header["protocol"], header["channel"], header["session"] = 1, DEEP_PROTOCOL, 1, 1
        header["length"], header["count"] = ends[last] - ends[first], last - first
        header["offset"], header["sequence"], header["time"] = ends[first], first + 1, times[last - 1]
        segments += [header.tobytes(), body[ends[first] : ends[last]].tobytes()]
    return b"".join(segments)


def _scattered(kinds: npt.NDArray[Any], layouts: dict[str, np.dtype[Any]], fill: Any) -> npt.NDArray[np.uint8]:
    """Messages of several lengths one after another, each type made at once by ``fill(type, places)``."""
    sizes = np.zeros(len(kinds), np.int64)
    for kind, layout in layouts.items():
        sizes[kinds == kind] = layout.itemsize
    starts = np.cumsum(sizes) - sizes
    out = np.zeros(int(sizes.sum()), np.uint8)
    for kind, layout in layouts.items():
        at = np.flatnonzero(kinds == kind)
        if len(at):
            rows = fill(kind, at)
            rows["type"], rows["length"] = kind.encode(), layout.itemsize - 2
            out[starts[at][:, None] + np.arange(layout.itemsize)] = rows.view(np.uint8).reshape(len(at), -1)
    return out
