from __future__ import annotations

import dataclasses
import json
import typing
from decimal import Decimal
from typing import Any

import pytest

from engine.core import feed_messages, side
from engine.core.events import Status
from engine.core.side import SideMessage
from engine.storage.side_rows import side_row, side_value

KINDS = [
    kind
    for module in (side, feed_messages)
    for name in module.__all__
    if isinstance(kind := getattr(module, name), type) and issubclass(kind, SideMessage) and kind is not SideMessage
]


def sample(kind: Any) -> SideMessage:
    """A message with a value of each field's own type."""
    hints = typing.get_type_hints(kind, localns={"Status": Status})
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        kinds = [one for one in (hint, *typing.get_args(hint)) if one is not type(None)]
        if typing.get_origin(hint) is tuple:
            values[field.name] = ("a", "b")
        elif typing.get_origin(hint) is typing.Literal:
            values[field.name] = typing.get_args(hint)[0]
        elif Decimal in kinds:
            values[field.name] = Decimal("1.10")
        elif Status in kinds:
            values[field.name] = Status.HALTED
        else:
            values[field.name] = {bool: True, int: 2**62, str: "x"}[
                next(one for one in kinds if one in {bool, int, str})
            ]
    return typing.cast("SideMessage", kind(**values))


@pytest.mark.parametrize("kind", KINDS)
def test_every_message_survives_json(kind: Any) -> None:
    message = sample(kind)
    again = side_value(json.loads(json.dumps(side_row(message))))
    assert again == message
    assert [type(value) for value in dataclasses.astuple(again)] == [type(v) for v in dataclasses.astuple(message)]


def test_unknown_messages_are_told() -> None:
    for name in ("Nothing", "Decimal", "SIDE", "codes"):
        with pytest.raises(ValueError, match=f"side message '{name}' is not known"):
            side_value({"type": name})
    with pytest.raises(TypeError):
        side_value({"type": "PriceBand"})
