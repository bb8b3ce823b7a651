"""What an engine may do at most: the limits a user sets, checked when they are set."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Final, Self

from engine.core.units import Duration, Number, duration_ns, positive, to_nanos

__all__ = ["Limits"]

_DURATIONS: Final = frozenset({"data_age", "duplicate_window"})
_COUNTS: Final = frozenset({"orders_per_second", "orders_per_minute", "duplicates"})


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the gate; None switches one off. Money is in the instruments' currency.

    Args:
        order_quantity: most of one order, parent or child.
        order_notional: most money of one order, parent or child.
        position_quantity: most of one instrument, long or short, all open orders on a side counted as filled.
        position_notional: the same in money.
        gross_exposure: most money over all instruments, each at its worst side, open orders counted as filled.
        net_exposure: most money long or short over all instruments together, likewise.
        collar_bps: how far a buy's limit may lie above the national best ask, a sell's below the best bid.
        adv_fraction: most of one parent as a part of the instrument's average daily volume; an instrument whose volume
            is not known is refused.
        orders_per_second, orders_per_minute: most new orders and replacements, from a bucket that is full at first.
        duplicates: most orders alike in instrument, side, quantity and price within ``duplicate_window``, parents and
            children counted apart.
        duplicate_window: see there.
        restricted: symbols that must not be traded.
        data_age: how old the newest news of the instrument's book may be. A book that is not live is refused always,
            unless this is None.
        session: refuse children outside regular trading hours, where a calendar is known.
        daily_loss: from this loss of the day on (realised and not, fees included) only what reduces a position passes.

    A number that is reached passes, one more is refused.

    Raises:
        ValueError: a value that is not positive, or no number or duration; or one text as ``restricted``.
    """

    order_quantity: Number | None = None
    order_notional: Number | None = 1_000_000
    position_quantity: Number | None = None
    position_notional: Number | None = None
    gross_exposure: Number | None = 10_000_000
    net_exposure: Number | None = None
    collar_bps: Number | None = 500
    adv_fraction: Number | None = None
    orders_per_second: int | None = 50
    orders_per_minute: int | None = 1_000
    duplicates: int | None = 10
    duplicate_window: Duration = "1s"
    restricted: tuple[str, ...] = ()
    data_age: Duration | None = "60s"
    session: bool = True
    daily_loss: Number | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name == "restricted":
                object.__setattr__(self, one.name, _symbols(value))
            elif one.name == "session":
                if not isinstance(value, bool):
                    raise ValueError(f"session is {value!r}; expected True or False")
            elif value is None:
                if one.name == "duplicate_window":
                    raise ValueError("duplicate_window is None; expected a duration")
            elif one.name in _DURATIONS:
                if duration_ns(value, one.name) <= 0:
                    raise ValueError(f"{one.name} is {value!r}; expected more than 0")
            elif one.name in _COUNTS:
                if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                    raise ValueError(f"{one.name} is {value!r}; expected a whole number of 1 or more, or None")
            else:
                if isinstance(value, bool):
                    raise ValueError(f"{one.name} is {value!r}; expected a number above 0, or None")
                object.__setattr__(self, one.name, positive(value, one.name))

    def nanos(self, name: str) -> int | None:
        """A limit that is a number, as a count of 1e-9; one that is a duration, as ns; None where it is off."""
        value = getattr(self, name)
        if value is None:
            return None
        return duration_ns(value, name) if name in _DURATIONS else to_nanos(value, name)

    def to_dict(self) -> dict[str, Any]:
        """Every limit as text, whole number, boolean, list or None; ``from_dict`` reads it."""
        plain: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, Decimal):
                value = str(value)
            elif one.name in _DURATIONS and value is not None:
                value = f"{duration_ns(value)}ns"
            plain[one.name] = list(value) if isinstance(value, tuple) else value
        return plain

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Self:
        """Limits from names and values, as in a configuration file or a journal.

        Raises:
            ValueError: an unknown name, or what the constructor refuses.
        """
        known = [one.name for one in fields(cls)]
        if unknown := [name for name in plain if name not in known]:
            raise ValueError(f"limit {unknown[0]!r} is not known; expected some of {', '.join(known)}")
        return cls(**plain)


def _symbols(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not all(isinstance(symbol, str) and symbol for symbol in value):
        raise ValueError(f"restricted is {value!r}; expected a list of symbols")
    return tuple(value)
