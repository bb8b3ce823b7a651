"""Twin of ``native/wire/times.cpp``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from engine.core.units import NANOS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STAMP = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)


def rfc3339_ns(text: str) -> int | None:
    """Nanoseconds of a time as RFC 3339 writes it, digits beyond the ninth cut off; None: no such time from 1970 on."""
    found = STAMP.fullmatch(text)
    if found is None:
        return None
    day, *clock, fraction, sign, away_hours, away_minutes = found.groups()
    hour, minute, second = map(int, clock)
    away = int(away_hours or 0) * 3600 + int(away_minutes or 0) * 60
    if hour > 23 or minute > 59 or second > 59 or int(away_hours or 0) > 23 or int(away_minutes or 0) > 59:
        return None
    try:
        midnight = datetime.fromisoformat(day).replace(tzinfo=UTC)
    except ValueError:
        return None
    seconds = (midnight - EPOCH) // timedelta(seconds=1) + hour * 3600 + minute * 60 + second
    seconds += away if sign == "-" else -away
    time = seconds * NANOS + int((fraction or "").ljust(9, "0")[:9])
    return time if 0 <= time < 2**63 else None
