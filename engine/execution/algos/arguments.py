"""What algorithms' arguments may be: one clear error at once, and the plain form of what is kept."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from engine.core.units import Duration, Number, duration_ns, from_nanos, positive, to_nanos

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["choice", "count", "flag", "fraction", "from_plain", "multiple", "nanos", "number", "plain", "span"]

Value = TypeVar("Value")


def number(value: Number, name: str) -> Decimal:
    """A number above 0, in the fewest digits.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}; expected a number above 0")
    return positive(value, name)


def fraction(value: Number, name: str) -> Decimal:
    """A number from 0 to 1.

    Raises:
        ValueError: anything else.
    """
    exact = from_nanos(to_nanos(value, name))
    if isinstance(value, bool) or not 0 <= exact <= 1:
        raise ValueError(f"{name} is {value!r}; expected 0 to 1")
    return exact.normalize() if exact else Decimal(0)


def count(value: int, name: str, most: int) -> int:
    """A whole number from 1 to ``most``.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ValueError(f"{name} is {value!r}; expected a whole number from 1 to {most:,}")
    return value


def flag(value: bool, name: str) -> bool:
    """True or False.

    Raises:
        ValueError: anything else.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}; expected True or False")
    return value


def choice(value: Value, name: str, allowed: Collection[Value]) -> Value:
    """One of a few.

    Raises:
        ValueError: anything else.
    """
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; expected {' or '.join(map(repr, allowed))}")
    return value


def span(value: Duration, name: str) -> str:
    """A duration as text that means the same: "90000000000ns".

    Raises:
        ValueError: not a duration.
    """
    return f"{duration_ns(value, name)}ns"


def nanos(value: Number | None) -> int:
    """An optional number as a count of 1e-9; 0 for None."""
    return 0 if value is None else to_nanos(value)


def multiple(value: int, step: int, name: str, what: str) -> None:
    """Counts of 1e-9 that must be on a step.

    Raises:
        ValueError: they are not.
    """
    if value % step:
        raise ValueError(f"{name} is {_text(value)}; expected a multiple of the {what} {_text(step)}")


def plain(algo: Any) -> dict[str, Any]:
    """An algorithm's name and fields as text, whole numbers, booleans and None."""
    values = {one.name: getattr(algo, one.name) for one in fields(algo)}
    kept = (bool, int, type(None))
    return {"algo": algo.name} | {key: one if isinstance(one, kept) else str(one) for key, one in values.items()}


def from_plain(kind: type[Value], plain: dict[str, Any]) -> Value:
    """An algorithm of its plain form.

    Raises:
        ValueError: a field it does not have, one that is missing, or a wrong value.
    """
    known = [one.name for one in fields(kind)]  # type: ignore[arg-type]
    arguments = {key: value for key, value in plain.items() if key != "algo"}
    if unknown := [key for key in arguments if key not in known]:
        raise ValueError(f"{kind.__name__} has no argument {unknown[0]!r}; expected some of {', '.join(known)}")
    try:
        return kind(**arguments)
    except TypeError as error:  # one that must be given is missing
        raise ValueError(f"{kind.__name__}: {error}") from None


def _text(value: int) -> str:
    return f"{from_nanos(value).normalize():f}"
