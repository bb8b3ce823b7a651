"""Side messages of providers' feeds: bars, price bands, statuses, imbalances, corrections, news, as typed values.

They join those of exchanges in ``engine.core.side``. Prices are ``Decimal`` (a JSON number means its own shortest
decimal text), sizes are shares, times are ns since epoch; codes are the provider's own. Below them is how the parts of
such messages are read; whatever cannot be read is a ``ValueError`` that says what was there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, Literal

from engine.core.side import SideMessage

if TYPE_CHECKING:
    from engine.core.events import Status

__all__ = [
    "AuctionImbalance",
    "News",
    "PriceBand",
    "ProviderBar",
    "ProviderValue",
    "TradeCancel",
    "TradeCorrection",
    "TradingStatus",
    "codes",
    "decimal",
    "epoch_ns",
    "instant_ns",
    "text",
    "whole",
]


@dataclass(frozen=True, slots=True)
class ProviderBar(SideMessage):
    """A bar the provider made. None: it does not say.

    ``start`` and ``end`` are those of the window (a daily bar's end is when it was sent); ``revised`` after a late
    print; ``day_volume`` and ``day_vwap`` are the day's so far, ``official_open`` the listing venue's.
    """

    interval: Literal["1s", "1m", "1d"]
    start: int
    end: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    vwap: Decimal | None = None
    trades: int | None = None
    revised: bool = False
    day_volume: Decimal | None = None
    day_vwap: Decimal | None = None
    official_open: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PriceBand(SideMessage):
    """Limit up, limit down: trades outside the band are not allowed. ``indicators`` are the SIP's codes."""

    lower: Decimal
    upper: Decimal
    indicators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TradingStatus(SideMessage):
    """A security's state at its listing venue; ``status`` is None for codes that do not change what may trade."""

    status: Status | None
    code: str
    text: str
    reason_code: str
    reason: str


@dataclass(frozen=True, slots=True)
class AuctionImbalance(SideMessage):
    """Imbalance before an auction. None: the provider does not say.

    ``auction`` is O early open, M core open, H reopen, C close, P extreme close, R regulatory close; ``auction_time``
    is HHMM in New York as a number (930); ``price`` is where the book would clear.
    """

    price: Decimal | None
    imbalance: int | None = None
    paired: int | None = None
    auction: str | None = None
    auction_time: int | None = None


@dataclass(frozen=True, slots=True)
class TradeCorrection(SideMessage):
    """A trade that was reported otherwise: ids are the provider's text."""

    original_id: str
    original_price: Decimal
    original_size: Decimal
    original_conditions: tuple[str, ...]
    corrected_id: str
    corrected_price: Decimal
    corrected_size: Decimal
    corrected_conditions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TradeCancel(SideMessage):
    """A trade that does not stand: ``action`` C cancelled, E an error."""

    trade_id: str
    price: Decimal
    size: Decimal
    action: str


@dataclass(frozen=True, slots=True)
class ProviderValue(SideMessage):
    """A value the provider computes: "fair" market value, or "last" value."""

    kind: Literal["fair", "last"]
    value: Decimal


@dataclass(frozen=True, slots=True)
class News(SideMessage):
    """A story and the symbols it names."""

    story_id: str
    headline: str
    summary: str
    author: str
    url: str
    source: str
    symbols: tuple[str, ...]
    created: int
    updated: int


_EXPONENT: Final = 64  # as an integer, "1e999999999" would take for ever and all memory


def decimal(value: Any) -> Decimal:
    """A finite number of sane size, whether it came as a number or as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r} is no number")
    try:
        if isinstance(value, str) and len(value) > 64:
            raise InvalidOperation
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is no number") from None
    if not number.is_finite() or abs(number.adjusted()) > _EXPONENT:
        raise ValueError(f"{value!r} is no number")
    return number


def whole(value: Any) -> int:
    """A whole number of at most 64 bits."""
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**64:
        raise ValueError(f"{value!r} is no whole number")
    return value


def text(value: Any) -> str:
    """Text, or a whole number as text; nothing gives nothing."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{value!r} is no text")


def codes(value: Any) -> tuple[str, ...]:
    """A list of codes, numbers or text; nothing gives none."""
    if value is None:
        return ()
    return tuple(text(item) for item in value) if isinstance(value, list) else (text(value),)


def epoch_ns(value: Any) -> int:
    """A time since the epoch in ms, us or ns, told apart by its size; ns.

    Providers document one unit and send another (Polygon's LULD). Read so, ms reach from 1970 to year 5138, us from
    1973 and ns from 1973 on.
    """
    number = whole(value)
    if number < 0:
        raise ValueError(f"{value!r} is no time since the epoch")
    number *= 1_000_000 if number < 10**14 else 1_000 if number < 10**17 else 1
    return _fits(number, value)


def instant_ns(value: Any) -> int:
    """RFC 3339 text with up to 9 digits of a second, or a MessagePack timestamp; ns since the epoch."""
    if hasattr(value, "to_unix_nano"):
        return _fits(value.to_unix_nano(), value)
    if not isinstance(value, str) or not 20 <= len(value) <= 40:
        raise ValueError(f"{value!r} is no RFC 3339 time")
    head, rest = value[:19], value[19:]
    fraction = ""
    if rest.startswith("."):
        digits = len(rest) - len(rest[1:].lstrip("0123456789")) - 1
        fraction, rest = rest[1 : 1 + digits], rest[1 + digits :]
    if len(fraction) > 9 or (value[19] == "." and not fraction) or "T" not in head:
        raise ValueError(f"{value!r} is no RFC 3339 time")
    try:
        moment = datetime.fromisoformat(head + rest)
    except ValueError:
        raise ValueError(f"{value!r} is no RFC 3339 time") from None
    if moment.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return _fits((since.days * 86_400 + since.seconds) * 1_000_000_000 + int(fraction.ljust(9, "0")), value)


def _fits(number: int, value: Any) -> int:
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"{value!r} is outside 64 bits of ns")
    return number
