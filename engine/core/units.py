"""Counts of 1e-9: exact conversion between numbers people write and the integers of the core."""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation
from typing import Final

__all__ = ["NANOS", "Number", "from_nanos", "to_nanos"]

NANOS: Final = 1_000_000_000  #: counts in one unit: every price and quantity of the core is a multiple of 1e-9
_LIMIT: Final = 2**63 - 1
_EXACT: Final = Context(prec=800)  # holds any float's decimal text and more; scaling by 1e9 never rounds

Number = int | float | str | Decimal


def to_nanos(value: Number, name: str = "value") -> int:
    """The exact count of 1e-9 in ``value``; floats mean their shortest decimal text (0.1 is a tenth).

    Raises:
        ValueError: not a finite number, not a multiple of 1e-9, or outside +-9.22e9.
    """
    try:
        decimal = Decimal(repr(float(value))) if isinstance(value, float) else Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}; expected a number") from None
    if not decimal.is_finite():
        raise ValueError(f"{name} is {value!r}; expected a finite number")
    scaled = decimal.scaleb(9, _EXACT)
    if scaled != (count := int(scaled)):
        raise ValueError(f"{name} is {value!r}; expected a multiple of 1e-9")
    if not -_LIMIT <= count <= _LIMIT:
        raise ValueError(f"{name} is {value!r}; expected between -9223372036 and 9223372036")
    return count


def from_nanos(count: int) -> Decimal:
    """The exact decimal value of a count of 1e-9."""
    return Decimal(count).scaleb(-9, _EXACT)
