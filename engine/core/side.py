"""The side stream: messages that do not fit ``EVENT``, as typed values.

Decoders keep such messages as they came (``SIDE`` records: stamps, then the message); ``side_messages`` reads them.
Layouts: NASDAQ TotalView-ITCH 5.0 (big-endian), IEX TOPS 1.66 and DEEP 1.08 (little-endian). Prices are ``Decimal``,
sizes are shares, times are ns since epoch; codes are the exchange's own letters.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from engine.core.events import NO_INSTRUMENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = [
    "PROTOCOL_IEX",
    "PROTOCOL_ITCH",
    "SIDE",
    "AuctionCollar",
    "AuctionInformation",
    "DeclineBreach",
    "DeclineLevels",
    "DirectListing",
    "Imbalance",
    "OfferingQuotation",
    "OfficialPrice",
    "ParticipantPosition",
    "RetailInterest",
    "SecurityDirectory",
    "SideMessage",
    "side_messages",
]

PROTOCOL_ITCH: Final = 1
PROTOCOL_IEX: Final = 2

#: One message, 128 bytes, equal to ``SideRecord`` in native/decode/context.hpp; ``body`` is the message after its type
#: byte, ``length`` of its bytes are used.
SIDE: Final = np.dtype(
    [
        ("ts_event", "<i8"),
        ("ts_recv", "<i8"),
        ("sequence", "<u8"),
        ("instrument", "<u4"),
        ("venue", "<u2"),
        ("provider", "u1"),
        ("protocol", "u1"),
        ("type", "u1"),
        ("length", "u1"),
        ("body", "V94"),
    ]
)


@dataclass(frozen=True, slots=True)
class SideMessage:
    """What every side message has; ``symbol`` is None for messages about a whole market."""

    ts_event: int
    ts_recv: int
    sequence: int
    instrument: int
    symbol: str | None
    venue: int
    provider: int


@dataclass(frozen=True, slots=True)
class SecurityDirectory(SideMessage):
    """An instrument of the day. None: the exchange does not say. ITCH R, IEX D.

    ``luld_tier`` 1 or 2 sets the price bands, 0 none; ``previous_close`` is adjusted for corporate actions.
    """

    round_lot: int
    test: bool
    etp: bool | None
    luld_tier: int | None
    market_category: str | None = None
    financial_status: str | None = None
    round_lots_only: bool | None = None
    classification: str | None = None
    subtype: str | None = None
    short_sale_threshold: bool | None = None
    ipo: bool | None = None
    etp_leverage: int | None = None
    inverse: bool | None = None
    when_issued: bool | None = None
    previous_close: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ParticipantPosition(SideMessage):
    """A market maker's standing in an instrument. ITCH L."""

    participant: str
    primary: bool
    mode: str
    state: str


@dataclass(frozen=True, slots=True)
class DeclineLevels(SideMessage):
    """S&P 500 values at which the market-wide circuit breakers trip. ITCH V."""

    level_1: Decimal
    level_2: Decimal
    level_3: Decimal


@dataclass(frozen=True, slots=True)
class DeclineBreach(SideMessage):
    """A market-wide circuit breaker tripped at a level, 1 to 3. ITCH W."""

    level: int


@dataclass(frozen=True, slots=True)
class OfferingQuotation(SideMessage):
    """When an offering is released for quotation: seconds since midnight, at a price. ITCH K."""

    release_time: int
    qualifier: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class AuctionCollar(SideMessage):
    """Price bands of the auction that ends a volatility pause. ITCH J."""

    reference: Decimal
    upper: Decimal
    lower: Decimal
    extension: int


@dataclass(frozen=True, slots=True)
class Imbalance(SideMessage):
    """Net order imbalance before a cross. ITCH I."""

    paired: int
    imbalance: int
    direction: str
    far: Decimal
    near: Decimal
    reference: Decimal
    cross: str
    variation: str


@dataclass(frozen=True, slots=True)
class RetailInterest(SideMessage):
    """Retail orders wait on: "buy", "sell", "both" or "none". ITCH N, IEX I."""

    interest: str


@dataclass(frozen=True, slots=True)
class DirectListing(SideMessage):
    """Price discovery of a direct listing with capital raise. ITCH O."""

    eligible: bool
    minimum: Decimal
    maximum: Decimal
    near_price: Decimal
    near_time: int
    lower_collar: Decimal
    upper_collar: Decimal


@dataclass(frozen=True, slots=True)
class OfficialPrice(SideMessage):
    """The official opening (``Q``) or closing (``M``) price. IEX X."""

    kind: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class AuctionInformation(SideMessage):
    """State of an auction: type O, C, I, H or V; imbalance side B, S or N; scheduled in seconds since epoch. IEX A."""

    auction: str
    paired: int
    reference: Decimal
    indicative: Decimal
    imbalance: int
    imbalance_side: str
    extensions: int
    scheduled: int
    clearing: Decimal
    collar_reference: Decimal
    collar_lower: Decimal
    collar_upper: Decimal


def _price(count: int, decimals: int = 4) -> Decimal:
    return Decimal(count).scaleb(-decimals)


def _text(raw: bytes) -> str:
    return raw.decode("ascii", "replace").rstrip(" ")


def _flag(raw: bytes) -> bool | None:
    """Y and N; anything else says nothing."""
    return {b"Y": True, b"N": False}.get(raw)


_INTEREST: Final = {b"B": "buy", b"S": "sell", b"A": "both", b"N": "none"}
_IEX_INTEREST: Final = {b"A": "buy", b"B": "sell", b"C": "both", b" ": "none"}
_COMMON: Final = 10  # locate code, tracking number and time of an ITCH body


def _itch_directory(body: bytes) -> tuple[type[SideMessage], dict[str, Any]]:
    fields = struct.unpack_from(">8scc I c c 2s c c c c c I c", body, _COMMON)
    _, category, status, lot, only, kind, subtype, authenticity, threshold, ipo, tier, etp, leverage, inverse = fields
    return SecurityDirectory, {
        "round_lot": lot,
        "test": authenticity == b"T",
        "etp": _flag(etp),
        "luld_tier": int(tier) if tier in b"12" else None,
        "market_category": _text(category),
        "financial_status": _text(status),
        "round_lots_only": _flag(only),
        "classification": _text(kind),
        "subtype": _text(subtype),
        "short_sale_threshold": _flag(threshold),
        "ipo": _flag(ipo),
        "etp_leverage": leverage,
        "inverse": _flag(inverse),
    }


def _itch_participant(body: bytes) -> tuple[type[SideMessage], dict[str, Any]]:
    participant, _, primary, mode, state = struct.unpack_from(">4s8sccc", body, _COMMON)
    return ParticipantPosition, {
        "participant": _text(participant),
        "primary": primary == b"Y",
        "mode": _text(mode),
        "state": _text(state),
    }


def _itch_decline_levels(body: bytes) -> tuple[type[SideMessage], dict[str, Any]]:
    levels = struct.unpack_from(">QQQ", body, _COMMON)
    return DeclineLevels, {f"level_{i + 1}": _price(level, 8) for i, level in enumerate(levels)}


def _itch_decline_breach(body: bytes) -> tuple[type[SideMessage], dict[str, Any]]:
    level = body[_COMMON : _COMMON + 1]
    return DeclineBreach, {"level": int(level) if level in b"123" else 0}


def _itch_offering(body: bytes) -> tuple[type[SideMessage], dict[str, Any]]:
    _, time, qualifier, price = struct.unpack_from(">8sIcI", body, _COMMON)
    return OfferingQuotation, {"release_time": time, "qualifier": _text(qualifier), "price": _price(price)}


def _itch_collar(body: bytes) -> tuple[type[SideMessage], dict[str, Any]]:
    _, reference, upper, lower, extension = struct.unpack_from(">8sIIII", body, _COMMON)
    return AuctionCollar, {
        "reference": _price(reference),
        "upper": _price(upper),
        "lower": _price(lower),
        "extension": extension,
    }


def _itch_imbalance(body: bytes) -> tuple[type[SideMessage], dict[str, Any]]:
    fields = struct.unpack_from(">QQc8sIIIcc", body, _COMMON)
    paired, imbalance, direction, _, far, near, reference, cross, variation = fields
    return Imbalance, {
        "paired": paired,
        "imbalance": imbalance,
        "direction": _text(direction),
        "far": _price(far),
        "near": _price(near),
        "reference": _price(reference),
        "cross": _text(cross),
        "variation": _text(variation),
    }


def _itch_retail(body: bytes) -> tuple[type[SideMessage], dict[str, Any]]:
    return RetailInterest, {"interest": _INTEREST.get(body[_COMMON + 8 : _COMMON + 9], "none")}


def _itch_direct_listing(body: bytes) -> tuple[type[SideMessage], dict[str, Any]]:
    _, eligible, minimum, maximum, near, time, lower, upper = struct.unpack_from(">8scIIIQII", body, _COMMON)
    return DirectListing, {
        "eligible": eligible == b"Y",
        "minimum": _price(minimum),
        "maximum": _price(maximum),
        "near_price": _price(near),
        "near_time": time,
        "lower_collar": _price(lower),
        "upper_collar": _price(upper),
    }


def _iex_directory(body: bytes) -> tuple[type[SideMessage], dict[str, Any]]:
    flags, _, _, lot, close, tier = struct.unpack_from("<Bq8sIqB", body)
    return SecurityDirectory, {
        "round_lot": lot,
        "test": bool(flags & 0x80),
        "etp": bool(flags & 0x20),
        "luld_tier": tier,
        "when_issued": bool(flags & 0x40),
        "previous_close": _price(close),
    }


def _iex_retail(body: bytes) -> tuple[type[SideMessage], dict[str, Any]]:
    return RetailInterest, {"interest": _IEX_INTEREST.get(body[:1], "none")}


def _iex_official(body: bytes) -> tuple[type[SideMessage], dict[str, Any]]:
    kind, _, _, price = struct.unpack_from("<cq8sq", body)
    return OfficialPrice, {"kind": _text(kind), "price": _price(price)}


def _iex_auction(body: bytes) -> tuple[type[SideMessage], dict[str, Any]]:
    fields = struct.unpack_from("<cq8sIqqIcBIqqqq", body)
    auction, _, _, paired, reference, indicative, imbalance, side, extensions, scheduled, *prices = fields
    clearing, collar, lower, upper = (_price(price) for price in prices)
    return AuctionInformation, {
        "auction": _text(auction),
        "paired": paired,
        "reference": _price(reference),
        "indicative": _price(indicative),
        "imbalance": imbalance,
        "imbalance_side": _text(side),
        "extensions": extensions,
        "scheduled": scheduled,
        "clearing": clearing,
        "collar_reference": collar,
        "collar_lower": lower,
        "collar_upper": upper,
    }


_READERS: Final[dict[tuple[int, str], Callable[[bytes], tuple[type[SideMessage], dict[str, Any]]]]] = {
    (PROTOCOL_ITCH, "R"): _itch_directory,
    (PROTOCOL_ITCH, "L"): _itch_participant,
    (PROTOCOL_ITCH, "V"): _itch_decline_levels,
    (PROTOCOL_ITCH, "W"): _itch_decline_breach,
    (PROTOCOL_ITCH, "K"): _itch_offering,
    (PROTOCOL_ITCH, "J"): _itch_collar,
    (PROTOCOL_ITCH, "I"): _itch_imbalance,
    (PROTOCOL_ITCH, "N"): _itch_retail,
    (PROTOCOL_ITCH, "O"): _itch_direct_listing,
    (PROTOCOL_IEX, "D"): _iex_directory,
    (PROTOCOL_IEX, "I"): _iex_retail,
    (PROTOCOL_IEX, "X"): _iex_official,
    (PROTOCOL_IEX, "A"): _iex_auction,
}


def side_messages(records: NDArray[np.void], instruments: Any) -> list[SideMessage]:
    """The messages of ``SIDE`` records as typed values, in order.

    Args:
        records: what ``Decoder.take_side_records`` gave, of any length.
        instruments: the ``Instruments`` whose ids the records carry.
    """
    messages = []
    for record in records:
        number = int(record["instrument"])
        kind, fields = _READERS[int(record["protocol"]), chr(record["type"])](record["body"].tobytes())
        messages.append(
            kind(
                int(record["ts_event"]),
                int(record["ts_recv"]),
                int(record["sequence"]),
                number,
                None if number == NO_INSTRUMENT else instruments[number].symbol,
                int(record["venue"]),
                int(record["provider"]),
                **fields,
            )
        )
    return messages
