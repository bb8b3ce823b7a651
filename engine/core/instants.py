"""Instants as people write them: int ns, aware datetimes, datetime64 (UTC), or a time of day in a zone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from engine.core.instruments import NEW_YORK
from engine.core.units import NANOS

__all__ = ["Instant", "instant_ns"]

Instant = int | str | datetime | time | np.datetime64 | np.integer  #: what an argument that is a point in time may be

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,9}))?)?")
_EXPECTED: Final = "int ns, an aware datetime, datetime64, or a time such as '15:55' or '15:55:30'"


def instant_ns(value: Instant, *, now: int, time_zone: str = NEW_YORK, name: str = "instant") -> int:
    """Nanoseconds since the epoch.

    Args:
        value: int ns, an aware ``datetime``, ``datetime64`` (UTC), or a ``time`` or text "HH:MM[:SS[.fraction]]": today
            in ``time_zone``.
        now: ns since the epoch; tells which day is today.
        time_zone: IANA name. A ``time`` with a zone of its own keeps that.
        name: what errors call the argument.

    Raises:
        ValueError: a naive datetime, NaT, or text that is no time.
        TypeError: something else.
    """
    if isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}; expected {_EXPECTED}")
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, np.datetime64):
        if np.isnat(value):
            raise ValueError(f"{name} is NaT; expected {_EXPECTED}")
        return int(value.astype("datetime64[ns]").astype(np.int64))
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise ValueError(f"{name} is {value!r}, without a zone; expected {_EXPECTED}")
        return _since_epoch(value)
    fraction = 0
    if isinstance(value, str):
        match = _TIME.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"{name} is {value!r}; expected {_EXPECTED}")
        fraction = int((match[4] or "0").ljust(9, "0"))
        value = time(int(match[1]), int(match[2]), int(match[3] or 0))
    if not isinstance(value, time):
        raise TypeError(f"{name} is {value!r}; expected {_EXPECTED}")
    zone = value.tzinfo or ZoneInfo(time_zone)
    return _since_epoch(datetime.combine(_day(now, zone), value, zone)) + fraction


def _day(now: int, zone: object) -> date:
    return datetime.fromtimestamp(now // NANOS, zone).date()  # type: ignore[arg-type]


def _since_epoch(value: datetime) -> int:
    passed = value - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * NANOS + passed.microseconds * 1_000
