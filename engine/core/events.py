"""The one record that flows everywhere: its dtype, its enumerations, and the tuples readings return.

The layout equals ``struct Event`` in ``native/event.hpp``; a test compares every offset.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np

__all__ = ["DEPTH", "EVENT", "NO_INSTRUMENT", "Condition", "Flag", "Kind", "Quote", "Side", "Status", "Walk"]

#: 64 bytes, little-endian. Prices and quantities are counts of 1e-9 (``engine.NANOS``), times ns since epoch.
EVENT: Final = np.dtype(
    [
        ("ts_event", "<i8"),
        ("ts_recv", "<i8"),
        ("price", "<i8"),
        ("quantity", "<i8"),
        ("sequence", "<u8"),
        ("order_id", "<u8"),
        ("instrument", "<u4"),
        ("venue", "<u2"),
        ("provider", "u1"),
        ("kind", "u1"),
        ("side", "u1"),
        ("flags", "u1"),
        ("reserved", "<u2"),
        ("conditions", "<u4"),
    ]
)

#: One row a level, best first. Prices are nan and quantities 0 where there is no level;
#: counts are orders at the level, 0 where the feed does not tell.
DEPTH: Final = np.dtype(
    [
        ("bid_price", "<f8"),
        ("bid_quantity", "<f8"),
        ("bid_count", "<i8"),
        ("ask_price", "<f8"),
        ("ask_quantity", "<f8"),
        ("ask_count", "<i8"),
    ]
)

NO_INSTRUMENT: Final = 0xFFFFFFFF  #: ``instrument`` of events that concern a whole venue


class Kind(IntEnum):
    """What an event does."""

    NONE = 0
    CLEAR = 1
    LEVEL = 2
    NBBO = 3
    QUOTE = 4
    ADD = 5
    REDUCE = 6
    DELETE = 7
    REPLACE = 8
    EXECUTE = 9
    TRADE = 10
    TRADE_BREAK = 11
    STATUS = 12


class Side(IntEnum):
    """The side of the book."""

    NONE = 0
    BID = 1
    ASK = 2


class Flag(IntEnum):
    """Bits of ``flags``."""

    LAST = 1
    BATCH_END = 2
    SNAPSHOT = 4
    HIDDEN = 8
    HASHED_ID = 16
    KEEP_PRIORITY = 32


class Condition(IntEnum):
    """Bits of ``conditions`` of trades and quotes, normalised over providers."""

    NO_LAST = 1
    NO_HIGH_LOW = 2
    NO_VOLUME = 4
    ODD_LOT = 8
    NON_FIRM = 16
    AUCTION = 32
    EXTENDED_HOURS = 64
    SWEEP = 128
    TRADE_THROUGH_EXEMPT = 256


class Status(IntEnum):
    """``conditions`` of a STATUS event."""

    TRADING = 1
    HALTED = 2
    PAUSED = 3
    QUOTE_ONLY = 4
    SHORT_RESTRICTED = 5
    SHORT_UNRESTRICTED = 6
    OPENING_DONE = 7
    CLOSING_DONE = 8
    SYSTEM_START_MESSAGES = 16
    SYSTEM_START_HOURS = 17
    SYSTEM_START_MARKET = 18
    SYSTEM_END_MARKET = 19
    SYSTEM_END_HOURS = 20
    SYSTEM_END_MESSAGES = 21
    OPERATIONAL_HALTED = 32
    OPERATIONAL_TRADING = 33


class Quote(NamedTuple):
    """The best bid and ask. Prices are nan and quantities 0 where a side is empty."""

    bid: float
    bid_quantity: float
    ask: float
    ask_quantity: float
    ts_event: int
    ts_recv: int


class Walk(NamedTuple):
    """What taking a quantity from the visible book would give.

    ``price`` is the average price of what was filled (nan if nothing), ``worst`` the last level's price,
    ``quantity`` what was filled, ``remaining`` what the visible book lacks.
    """

    price: float
    worst: float
    quantity: float
    remaining: float
