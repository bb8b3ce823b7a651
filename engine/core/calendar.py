"""When exchanges are open: regular sessions with holidays and half-days, from `exchange_calendars`."""

from __future__ import annotations

import re
import warnings
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from engine.core.units import NANOS

__all__ = ["US_EQUITIES", "Hours", "session_at", "trades_always"]

US_EQUITIES: Final = "XNYS"  #: NYSE and NASDAQ share hours and holidays
_PAIR: Final = re.compile(r"[A-Z0-9]{2,10}[-/](USD|USDT|USDC|EUR|GBP|BTC|ETH)")


class Hours(NamedTuple):
    """A regular session: from the opening to before the close, ns since the epoch."""

    open: int
    close: int


def trades_always(symbol: str) -> bool:
    """Whether a symbol is a crypto pair, such as BTC-USD or ETH/BTC: those have no sessions."""
    return _PAIR.fullmatch(symbol) is not None


def session_at(now: int, exchange: str = US_EQUITIES) -> Hours:
    """The session in progress, or the next one.

    The first call of a year loads the calendar, and pandas with it: half a second or more.

    Args:
        now: ns since the epoch.
        exchange: ISO 10383 code, as `exchange_calendars` has it.

    Raises:
        ValueError: an unknown exchange, or a year before 1990 or after 2100.
    """
    year = datetime.fromtimestamp(now // NANOS, UTC).year
    if not 1990 <= year <= 2100:
        raise ValueError(f"now is {now}, in {year}; expected 1990 to 2100")
    opens, closes = _sessions(exchange, year)
    place = next(place for place, close in enumerate(closes) if now < close)
    return Hours(opens[place], closes[place])


@lru_cache(maxsize=16)
def _sessions(exchange: str, year: int) -> tuple[list[int], list[int]]:
    """Opens and closes of a year, and of the month after it."""
    import exchange_calendars
    from exchange_calendars.errors import InvalidCalendarName

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package warns of what pandas will change under it
        try:
            calendar = exchange_calendars.get_calendar(exchange, start=date(year, 1, 1), end=date(year + 1, 1, 31))
        except InvalidCalendarName:
            raise ValueError(f"exchange is {exchange!r}; expected a code such as {US_EQUITIES!r}") from None
    return calendar.opens_nanos.tolist(), calendar.closes_nanos.tolist()
