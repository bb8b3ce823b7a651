"""A stand-in for the frame decoders: splits frames into messages, makes no events worth anything."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
import orjson

from engine._native.wire import FORMATS
from engine.core.events import EVENT, NO_INSTRUMENT


class StandIn:
    def __init__(self, kinds: set[str], key: str, *, packed: bool = False, array: bool = True) -> None:
        self.kinds, self.key, self.packed, self.array = kinds, key, packed, array
        self.map_: dict[str, int] = {}
        self.other: list[bytes] = []
        self.problem: str | None = None
        self.counts = dict.fromkeys(("frames", "events", "other", "malformed", "unknown_symbols"), 0)

    def map(self, symbol: str, instrument: int) -> None:
        self.map_[symbol] = instrument

    def receive_bytes(self, data: bytes, ts_recv: int = 0) -> np.ndarray:
        self.counts["frames"] += 1
        self.other, self.problem = [], None
        try:
            value = msgpack.unpackb(data, strict_map_key=False) if self.packed else orjson.loads(data)
            if isinstance(value, list) != self.array:
                raise ValueError("no array" if self.array else "an array")
        except Exception as error:  # whatever the libraries raise
            self.counts["malformed"] += 1
            self.problem = repr(error)[:100]
            return np.empty(0, EVENT)
        events = 0
        for one in value if self.array else [value]:
            if isinstance(one, dict) and str(one.get(self.key)) in self.kinds:
                symbols = [one.get("S")] if "S" in one else [trade.get("s") for trade in one.get("data", [])]
                for symbol in symbols:
                    if self.map_.get(symbol, NO_INSTRUMENT) == NO_INSTRUMENT:
                        self.counts["unknown_symbols"] += 1
                    else:
                        events += 1
                        self.counts["events"] += 1
            else:
                self.counts["other"] += 1
                self.other.append(self._whole(one))
        return np.zeros(events, EVENT)

    def _whole(self, value: Any) -> bytes:
        return msgpack.packb(value) if self.packed else orjson.dumps(value)

    def take_other(self) -> list[bytes]:
        return self.other

    def take_problem(self) -> str | None:
        return self.problem


def stand_in(name: str) -> StandIn | None:
    """None where the native decoder of a format is there: the adapter makes it."""
    if name in FORMATS:
        return None
    packed = name.endswith("-msgpack")
    if name.startswith("alpaca"):
        kinds = {"q", "t", "o"} if "crypto" in name else {"q", "t"}
        return StandIn(kinds, "T", packed=packed)
    return StandIn({"trade"} if name == "finnhub" else set(), "type", array=False)
