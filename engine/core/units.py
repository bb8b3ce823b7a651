"""Counts of 1e-9 and of nanoseconds: exact conversion between what people write and the integers of the core."""

from __future__ import annotations

import operator
import re
from datetime import timedelta
from decimal import MAX_EMAX, MIN_EMIN, ROUND_CEILING, ROUND_FLOOR, Context, Decimal, InvalidOperation
from numbers import Integral, Real
from typing import Final, SupportsIndex

__all__ = [
    "NANOS",
    "Duration",
    "Number",
    "duration_ns",
    "from_nanos",
    "positive",
    "round_to_step",
    "shortest",
    "to_nanos",
]

NANOS: Final = 1_000_000_000  #: counts in one unit: every price and quantity of the core is a multiple of 1e-9
_LIMIT: Final = 2**63 - 1
_BEYOND: Final = 2**63 // NANOS + 1  # units
# Holds any float's decimal text and more; scaling by 1e9 never rounds, nor does any exponent.
_EXACT: Final = Context(prec=800, Emin=MIN_EMIN, Emax=MAX_EMAX)

_UNITS_NS: Final = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": NANOS, "m": 60 * NANOS, "h": 3_600 * NANOS}
_DURATION: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ns|us|ms|s|m|h)\s*")

Number = int | float | str | Decimal | SupportsIndex  #: NumPy's integers and floats, too
Duration = timedelta | str  #: "250ms", "15m": a decimal number and one of ns, us, ms, s, m, h


def _exact(value: Number, name: str) -> Decimal:
    """What ``value`` means, not rounded: floats of any width mean their own shortest decimal text."""
    try:
        if isinstance(value, str | Decimal):
            decimal = Decimal(value)
        elif isinstance(value, Integral):
            decimal = Decimal(operator.index(value))
        elif isinstance(value, float):
            decimal = Decimal(repr(float(value)))
        elif isinstance(value, Real):  # NumPy's other floats
            decimal = Decimal(str(value))
        else:
            raise ValueError
    except (InvalidOperation, ValueError):
        raise ValueError(f"{name} is {value!r}; expected a number") from None
    if not decimal.is_finite():
        raise ValueError(f"{name} is {value!r}; expected a finite number")
    if decimal.copy_abs() > _BEYOND:
        raise ValueError(f"{name} is {value!r}; expected between -9223372036 and 9223372036")
    return decimal


def to_nanos(value: Number, name: str = "value") -> int:
    """The exact count of 1e-9 in ``value``; floats mean their shortest decimal text (0.1 is a tenth).

    Raises:
        ValueError: not a finite number, not a multiple of 1e-9, or outside +-9.22e9.
    """
    scaled = _exact(value, name).scaleb(9, _EXACT)
    if scaled != (count := int(scaled)):
        raise ValueError(f"{name} is {value!r}; expected a multiple of 1e-9")
    if not -_LIMIT <= count <= _LIMIT:
        raise ValueError(f"{name} is {value!r}; expected between -9223372036 and 9223372036")
    return count


def from_nanos(count: int) -> Decimal:
    """The exact decimal value of a count of 1e-9."""
    return Decimal(count).scaleb(-9, _EXACT)


def positive(value: Number, name: str) -> Decimal:
    """A number above 0 in the fewest digits: 0.010 and 0.01 are the same tick.

    Raises:
        ValueError: not a positive multiple of 1e-9 up to 9.22e9.
    """
    if (count := to_nanos(value, name)) <= 0:
        raise ValueError(f"{name} is {value!r}; expected more than 0")
    return shortest(count)


def shortest(count: int) -> Decimal:
    """The exact value of a count of 1e-9 in the fewest digits, without an exponent."""
    exact = from_nanos(count).normalize()
    return exact.quantize(Decimal(1)) if exact == exact.to_integral_value() else exact


def round_to_step(value: Number, step: Decimal, *, up: bool, name: str = "value") -> Decimal:
    """The nearest multiple of ``step`` that is not below ``value`` (``up``), or not above it; exact.

    Raises:
        ValueError: not a finite number, or outside +-9.22e9.
    """
    steps = _EXACT.divide(_exact(value, name), step).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR)
    return _EXACT.multiply(steps, step)


def duration_ns(value: Duration, name: str = "duration") -> int:
    """The whole nanoseconds in a duration, 0 or more.

    Raises:
        ValueError: negative, not a number with a unit, or not a multiple of 1 ns.
    """
    if isinstance(value, timedelta):
        count = (value.days * 86_400 + value.seconds) * NANOS + value.microseconds * 1_000
        if count < 0:
            raise ValueError(f"{name} is {value!r}; expected 0 or more")
        return count
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{name} is {value!r}; expected a timedelta or text such as '250ms' or '15m'")
    scaled = _EXACT.multiply(Decimal(match[1]), _UNITS_NS[match[2]])
    if scaled != (count := int(scaled)):
        raise ValueError(f"{name} is {value!r}; expected a multiple of 1 ns")
    return count
