"""Side messages as rows of a tape: JSON values there, typed values here."""

from __future__ import annotations

import dataclasses
import typing
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any

from engine.core import feed_messages, side
from engine.core.events import Status
from engine.core.side import SideMessage

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["side_row", "side_value"]


def side_row(message: SideMessage) -> dict[str, Any]:
    """A side message as JSON values: decimals as text, so that nothing is rounded."""
    values = {field.name: _plain(getattr(message, field.name)) for field in dataclasses.fields(message)}
    return {"type": type(message).__name__, **values}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    return value.value if isinstance(value, Enum) else value


def side_value(row: Mapping[str, Any]) -> SideMessage:
    """The message of a row.

    Raises:
        ValueError: this version does not know its type, or its values are of other types.
        TypeError: fields are missing or unknown.
    """
    kind, hints = _known(str(row["type"]))
    values = {name: value for name, value in row.items() if name != "type"}
    for name, value in values.items():
        wanted = hints.get(name)
        kinds = (wanted, *typing.get_args(wanted))
        if isinstance(value, str) and Decimal in kinds:
            values[name] = Decimal(value)
        elif isinstance(value, list):
            values[name] = tuple(value)
        elif isinstance(value, int) and (found := [one for one in kinds if isinstance(one, type) and _is_enum(one)]):
            values[name] = found[0](value)
    message: SideMessage = kind(**values)
    return message


def _is_enum(kind: type) -> bool:
    return issubclass(kind, Enum)


@cache
def _known(name: str) -> tuple[Any, dict[str, Any]]:
    kind = getattr(side, name, None) or getattr(feed_messages, name, None)
    if not (isinstance(kind, type) and issubclass(kind, SideMessage)):
        raise ValueError(f"side message {name!r} is not known to this version")
    return kind, typing.get_type_hints(kind, localns={"Status": Status})
