"""What can be traded: a table of instruments whose ids decoders assign natively, on first use."""

from __future__ import annotations

import importlib
import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, Literal, SupportsIndex
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engine._native.decode import SymbolTable
from engine.core.units import Number, positive, round_to_step
from engine.core.venues import venue_id

__all__ = ["NEW_YORK", "Instrument", "Instruments", "midnight_ns"]

NEW_YORK: Final = "America/New_York"  #: the zone of US equities, and the default everywhere
_FIRST_DAY: Final = date(1678, 1, 1)  # whole years whose every ns since the epoch fits int64
_LAST_DAY: Final = date(2261, 12, 31)


@dataclass(frozen=True, slots=True)
class Instrument:
    """One thing traded.

    ``tick`` and ``lot`` are the smallest price and quantity steps, ``multiplier`` turns price x quantity into money,
    ``venues`` are the names that ``Instruments.add`` was given; none are found out. The book's ``venues`` has
    those that quote. ``time_zone`` is the IANA name in which its times of day are read.
    """

    symbol: str
    id: int
    tick: Decimal = Decimal("0.01")
    lot: Decimal = Decimal(1)
    multiplier: Decimal = Decimal(1)
    venues: tuple[str, ...] = ()
    time_zone: str = NEW_YORK

    def round_price(self, price: Number, side: Literal["buy", "sell"]) -> Decimal:
        """The nearest price on the tick that is passive: a buy rounds down, a sell up.

        Raises:
            ValueError: not a finite number within +-9.22e9, or another side.
        """
        if side not in {"buy", "sell"}:
            raise ValueError(f"side is {side!r}; expected 'buy' or 'sell'")
        return round_to_step(price, self.tick, up=side == "sell", name="price")

    def to_dict(self) -> dict[str, Any]:
        """A row that ``Instruments`` accepts again; numbers as text, so nothing is rounded."""
        return {
            "symbol": self.symbol,
            "tick": str(self.tick),
            "lot": str(self.lot),
            "multiplier": str(self.multiplier),
            "venues": list(self.venues),
            "time_zone": self.time_zone,
        }


class Instruments:
    """The instruments of a session, by id from 0 in the order of first use; ids are never reused.

    Args:
        rows: symbols, mappings with the arguments of ``add``, ``Instrument`` values, a mapping of columns, or a table
            (anything with ``to_pylist`` or the Arrow stream interface) with those columns; missing columns and None
            take the defaults.

    Decoders that share an ``Instruments`` add the symbols they meet; such instruments have the default tick and lot
    until ``add`` says otherwise.
    """

    def __init__(self, rows: Any = None) -> None:
        self.table = SymbolTable()
        self._defined: dict[int, Instrument] = {}
        for row in _rows_of(rows):
            self.add(**_arguments(row))

    def add(
        self,
        symbol: str,
        tick: Number = "0.01",
        lot: Number = "1",
        multiplier: Number = 1,
        venues: Iterable[str] = (),
        time_zone: str = NEW_YORK,
    ) -> Instrument:
        """Defines an instrument; a known symbol keeps its id and takes the new definition.

        Raises:
            ValueError: a symbol that is not 1 to 32 printable ASCII characters without blanks, a tick, lot or
                multiplier that is not a positive multiple of 1e-9, a venue that is not 1 to 8 characters of A-Z and
                0-9, or an unknown time zone.
            TypeError: venues that are one text instead of several, or no text.
        """
        steps = (positive(tick, "tick"), positive(lot, "lot"), positive(multiplier, "multiplier"))
        _zone(time_zone)
        names = _venue_names(venues)
        number = self.table.add(symbol)
        instrument = Instrument(symbol, number, *steps, venues=names, time_zone=time_zone)
        self._defined[number] = instrument
        return instrument

    def __getitem__(self, key: str | SupportsIndex) -> Instrument:
        """The instrument of a symbol, or of an id.

        Raises:
            KeyError: unknown.
            TypeError: neither text nor a whole number.
        """
        if isinstance(key, str):
            number = self.table.find(key)
        elif hasattr(key, "__index__"):
            number = operator.index(key)
        else:
            raise TypeError(f"instrument is {key!r}; expected a symbol or an id")
        if (known := self._defined.get(number)) is not None:
            return known
        if not 0 <= number < len(self.table):
            raise KeyError(f"instrument {key!r} is not known; {len(self.table)} are")
        return self._defined.setdefault(number, Instrument(self.table.symbol(number), number))

    def __len__(self) -> int:
        return len(self.table)

    def __contains__(self, symbol: object) -> bool:
        return isinstance(symbol, str) and self.table.find(symbol) >= 0

    def __iter__(self) -> Iterator[Instrument]:
        return (self[number] for number in range(len(self.table)))

    def __repr__(self) -> str:
        return f"Instruments({len(self)} instruments)"

    @property
    def symbols(self) -> list[str]:
        """Every symbol; the place in the list is the id."""
        return self.table.symbols()


def midnight_ns(day: date | str | None, time_zone: str = NEW_YORK) -> int:
    """Nanoseconds since the epoch at the start of a day in a zone; 0 for None, times then count from midnight.

    Raises:
        ValueError: text that is not YYYY-MM-DD, a day outside 1678 to 2261, or an unknown zone.
        TypeError: neither a day nor text.
    """
    if day is None:
        return 0
    if isinstance(day, str):
        try:
            day = datetime.strptime(day, "%Y-%m-%d").date()  # noqa: DTZ007 - a day, no instant
        except ValueError:
            raise ValueError(f"date is {day!r}; expected YYYY-MM-DD") from None
    if not isinstance(day, date):
        raise TypeError(f"date is {day!r}; expected a date or YYYY-MM-DD")
    if not _FIRST_DAY <= date(day.year, day.month, day.day) <= _LAST_DAY:
        raise ValueError(f"date is {day}; expected {_FIRST_DAY} to {_LAST_DAY}, whose nanoseconds fit 64 bits")
    start = datetime.combine(day, time(), _zone(time_zone))
    return int(start.timestamp()) * 1_000_000_000


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"time zone is {name!r}; expected an IANA name such as {NEW_YORK}") from None


def _venue_names(venues: Iterable[str]) -> tuple[str, ...]:
    if isinstance(venues, str | bytes) or not isinstance(venues, Iterable):
        raise TypeError(f"venues are {venues!r}; expected a list of names")
    names = tuple(venues)
    for name in names:
        venue_id(name)
    return names


def _arguments(row: Any) -> dict[str, Any]:
    """What a row says, as arguments of ``Instruments.add``; the id is given anew."""
    if isinstance(row, str):
        return {"symbol": row}
    values = row.to_dict() if isinstance(row, Instrument) else row
    if not isinstance(values, Mapping):
        raise TypeError(f"instrument is {row!r}; expected a symbol, an Instrument or a mapping")
    known = [field.name for field in fields(Instrument)]
    if unknown := [name for name in values if name not in known]:
        raise ValueError(f"instrument has the field {unknown[0]!r}; expected some of {', '.join(known)}")
    if values.get("symbol") is None:
        raise ValueError(f"instrument is {row!r}; expected a symbol in it")
    return {name: value for name, value in values.items() if value is not None and name != "id"}


def _rows_of(rows: Any) -> Iterable[Any]:
    if rows is None:
        return ()
    if isinstance(rows, str):
        raise ValueError(f"instruments are {rows!r}; expected a list of symbols or rows, or a table")
    if isinstance(rows, Mapping):
        names = list(rows)
        return [dict(zip(names, row, strict=True)) for row in zip(*rows.values(), strict=True)]
    if not hasattr(rows, "to_pylist") and hasattr(rows, "__arrow_c_stream__"):
        rows = importlib.import_module("pyarrow").table(rows)  # loaded for other libraries' tables only
    rows = rows.to_pylist() if hasattr(rows, "to_pylist") else rows
    if not isinstance(rows, Iterable):
        raise TypeError(f"instruments are {rows!r}; expected a list of symbols or rows, or a table")
    return rows
