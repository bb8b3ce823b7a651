"""What the slow decoders share: they read a whole input at once and stop, or count and go on, where it is wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from engine.core.events import EVENT, NO_INSTRUMENT, Flag, Kind, Side
from engine.core.units import NANOS

INT64_MAX = 2**63 - 1


class Malformed(Exception):  # noqa: N818 - what the protocol calls it
    """A strict decoder stops here: ``offset`` bytes from the start."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class Skip(Exception):  # noqa: N818 - not an error
    """A lenient decoder leaves out the message at hand."""


@dataclass
class Twin:
    """``events`` are mappings of EVENT's fields, absent ones 0; ``side`` holds (protocol, type, body, instrument)."""

    lenient: bool = False
    midnight: int = 0
    ts_recv: int = 0
    venue: int = 0
    provider: int = 0
    symbols: list[str] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    side: list[tuple[int, int, bytes, int]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    error: int | None = None  # offset of what a strict decoder stopped at

    def array(self) -> np.ndarray[Any, Any]:
        events = np.zeros(len(self.events), EVENT)
        for place, event in enumerate(self.events):
            for name, value in event.items():
                events[name][place] = value
        return events

    def malformed(self, offset: int) -> None:
        self.counts["malformed"] += 1
        if not self.lenient:
            raise Malformed(offset)

    def refuse(self, offset: int) -> None:
        """The message at hand is wrong at ``offset``."""
        self.malformed(offset)
        raise Skip

    def instrument(self, raw: bytes, offset: int) -> int:
        """The id of a blank-padded symbol."""
        text = raw.rstrip(b" ")
        if not text or any(not 0x21 <= byte <= 0x7E for byte in text):
            self.refuse(offset)
        symbol = text.decode("ascii")
        if symbol not in self.symbols:
            self.symbols.append(symbol)
        return self.symbols.index(symbol)

    def emit(self, kind: Kind, **fields: Any) -> None:
        self.events.append(
            {
                "ts_recv": self.ts_recv,
                "venue": self.venue,
                "provider": self.provider,
                "instrument": NO_INSTRUMENT,
                "flags": Flag.LAST,
                "kind": kind,
                **fields,
            }
        )


def price_nanos(count: int) -> int:
    """Counts of 1e-4 as counts of 1e-9."""
    return int(Decimal(count) / Decimal(10_000) * NANOS)


def fits(value: int) -> bool:
    return -INT64_MAX <= value <= INT64_MAX


def side_of(letter: int, buy: str, sell: str) -> Side | None:
    return {ord(buy): Side.BID, ord(sell): Side.ASK}.get(letter)
