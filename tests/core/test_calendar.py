"""Sessions: ordinary days, half-days, holidays, weekends, the turn of the year and of the clock."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from engine.core.calendar import Hours, session_at, trades_always

NEW_YORK = ZoneInfo("America/New_York")


def at(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("now", "open", "close"),
    [
        ("2026-11-20 12:00", "2026-11-20 09:30", "2026-11-20 16:00"),
        ("2026-11-20 03:00", "2026-11-20 09:30", "2026-11-20 16:00"),
        ("2026-11-20 15:59:59", "2026-11-20 09:30", "2026-11-20 16:00"),
        ("2026-11-20 16:00", "2026-11-23 09:30", "2026-11-23 16:00"),  # the close belongs to the weekend
        ("2026-11-26 10:00", "2026-11-27 09:30", "2026-11-27 13:00"),  # Thanksgiving, then a half-day
        ("2026-12-24 10:00", "2026-12-24 09:30", "2026-12-24 13:00"),
        ("2026-12-31 20:00", "2027-01-04 09:30", "2027-01-04 16:00"),
        ("2026-03-07 10:00", "2026-03-09 09:30", "2026-03-09 16:00"),  # summer time begins between
        ("2026-07-03 10:00", "2026-07-06 09:30", "2026-07-06 16:00"),  # Independence Day observed
    ],
)
def test_us_equities(now, open, close):
    assert session_at(at(now)) == Hours(at(open), at(close))


def test_other_exchanges_and_what_is_none():
    assert session_at(at("2026-11-20 03:00"), "XLON").open == at("2026-11-20 03:00")
    with pytest.raises(ValueError, match="exchange is 'XXXX'"):
        session_at(at("2026-11-20 03:00"), "XXXX")
    with pytest.raises(ValueError, match="in 1970; expected 1990 to 2100"):
        session_at(0)


@pytest.mark.parametrize(
    ("symbol", "always"),
    [("BTC-USD", True), ("ETH/BTC", True), ("AAPL", False), ("BRK-B", False), ("BRK.B", False), ("USD", False)],
)
def test_crypto_pairs_trade_always(symbol, always):
    assert trades_always(symbol) is always
