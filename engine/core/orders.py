"""The records of order entry: what goes to a venue, what it answers, and their enumerations.

The layouts equal ``OrderRecord`` and ``ReportRecord`` in ``native/order.hpp``; a test compares every offset. Prices and
quantities are counts of 1e-9 (``engine.NANOS``), times ns since the epoch.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np

__all__ = ["ORDER", "REPORT", "Action", "OrderFlag", "OrderType", "Reason", "ReportFlag", "ReportKind", "TimeInForce"]

#: 64 bytes, little-endian: one request. ``order_id`` is the sender's, unique among the live orders of a venue.
#: NEW needs all but ``reserved``; ``price`` of a MARKET order is 0; ``display`` 0 shows all of it, else it is the part
#: that is shown at a time. CANCEL needs ``order_id`` and ``owner``. REPLACE needs those and the new ``price``,
#: ``quantity`` (the whole of it, what was filled included) and ``display``; the rest stays as the order has it.
ORDER: Final = np.dtype(
    [
        ("ts", "<i8"),
        ("price", "<i8"),
        ("quantity", "<i8"),
        ("display", "<i8"),
        ("order_id", "<u8"),
        ("instrument", "<u4"),
        ("owner", "<u4"),
        ("action", "u1"),
        ("side", "u1"),
        ("type", "u1"),
        ("tif", "u1"),
        ("flags", "u1"),
        ("reserved", "u1", (11,)),
    ]
)

#: 72 bytes, little-endian: one answer, or one fill. ``quantity`` is what was filled (FILL), what ended (CANCELLED,
#: EXPIRED), else the whole order's; ``price`` is the fill's, else the order's limit. ``leaves`` and ``cumulative`` are
#: the order's afterwards: cumulative + leaves + what ended = quantity. ``action`` is that of the request it answers,
#: NONE where the order rested. REJECTED changes nothing: the order of a rejected CANCEL or REPLACE lives on.
REPORT: Final = np.dtype(
    [
        ("ts", "<i8"),
        ("price", "<i8"),
        ("quantity", "<i8"),
        ("leaves", "<i8"),
        ("cumulative", "<i8"),
        ("order_id", "<u8"),
        ("execution_id", "<u8"),
        ("instrument", "<u4"),
        ("owner", "<u4"),
        ("kind", "u1"),
        ("reason", "u1"),
        ("side", "u1"),
        ("flags", "u1"),
        ("action", "u1"),
        ("reserved", "u1", (3,)),
    ]
)


class Action(IntEnum):
    """What an ORDER asks for. A zeroed record asks for nothing."""

    NONE = 0
    NEW = 1
    CANCEL = 2
    REPLACE = 3


class OrderType(IntEnum):
    """``type``: at a limit, or at any price."""

    LIMIT = 0
    MARKET = 1


class TimeInForce(IntEnum):
    """``tif``: until the day ends, until cancelled, at once as far as it goes, at once wholly or not at all."""

    DAY = 0
    GTC = 1
    IOC = 2
    FOK = 3


class OrderFlag(IntEnum):
    """Bits of ``flags`` of an ORDER."""

    POST_ONLY = 1


class ReportKind(IntEnum):
    """What happened to the order."""

    NONE = 0
    ACCEPTED = 1
    FILL = 2
    CANCELLED = 3
    REPLACED = 4
    REJECTED = 5
    EXPIRED = 6


class Reason(IntEnum):
    """Why a request was rejected, or an order cancelled that nobody cancelled."""

    NONE = 0
    UNKNOWN_ORDER = 1
    DUPLICATE_ID = 2
    WOULD_CROSS = 3
    NO_LIQUIDITY = 4
    HALTED = 5
    UNKNOWN_INSTRUMENT = 6
    BAD_ACTION = 7
    BAD_SIDE = 8
    BAD_TYPE = 9
    BAD_PRICE = 10
    BAD_QUANTITY = 11
    BAD_DISPLAY = 12
    BAD_FLAGS = 13
    LEVEL_FULL = 14


class ReportFlag(IntEnum):
    """Bits of ``flags`` of a REPORT: which side of a fill it is, and whether the request's last report."""

    MAKER = 1
    TAKER = 2
    LAST = 4
