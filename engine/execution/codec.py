"""The journal's payloads: a batch of inputs with its time, what the user's check answered, and the commands it led to.

One batch is one msgpack array ``[inputs, answers, commands]``; each input and command is an array of a small tag and
the fields of its class, in order. Equal values give equal bytes. Commands are a byte string of their own, so that a
replay compares them without reading them; they are never made into commands again, for only the gate approves.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgpack

from engine.core.trading import (
    Amend,
    Cancel,
    CancelAll,
    Halt,
    Holding,
    Input,
    Intent,
    LineState,
    Listing,
    OrderState,
    Pause,
    Place,
    Query,
    Reconcile,
    Refusal,
    Release,
    Replace,
    Report,
    ReportKind,
    Restart,
    Resume,
    Session,
    Snapshot,
    Submit,
    Timer,
    TopChange,
    Withdraw,
)
from engine.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from engine.core.trading import Command

__all__ = [
    "BATCH",
    "SETUP",
    "VERSION",
    "Batch",
    "decode_batch",
    "describe",
    "describe_commands",
    "encode_batch",
    "encode_commands",
]

SETUP: Final = 1  #: journal record kinds
BATCH: Final = 2
VERSION: Final = 1  #: of the payloads

_INPUTS: Final[tuple[type, ...]] = (  # a tag is the place in this row: only ever append
    TopChange, Submit, Cancel, CancelAll, Amend, Pause, Resume, Halt, Release, Report, Snapshot, LineState, Session,
    Restart, Timer, Listing,
)  # fmt: skip
_COMMANDS: Final[tuple[type, ...]] = (Place, Replace, Withdraw, Query, Reconcile)


class Batch(NamedTuple):
    """One record of kind `BATCH`; ``commands`` are bytes, see `describe_commands`."""

    inputs: tuple[Input, ...]
    answers: tuple[Refusal | None, ...]
    commands: bytes


def _names(kind: Any) -> list[str]:
    return list(kind._fields) if issubclass(kind, tuple) else [one.name for one in fields(kind)]


def _reader(kind: type) -> Callable[[Any], tuple[Any, ...]]:
    """From a value of a class that is no tuple to the tuple of its fields."""
    names = _names(kind)
    if not names:
        return lambda value: ()
    if len(names) == 1:
        one = attrgetter(names[0])
        return lambda value: (one(value),)
    return attrgetter(*names)


_TAGS: Final = {kind: tag for tag, kind in enumerate(_INPUTS)}
_COMMAND_TAGS: Final = {kind: tag for tag, kind in enumerate(_COMMANDS)}
_READ: Final = {
    kind: _reader(kind)
    for kind in (*_INPUTS, Reconcile, Holding)
    if not issubclass(kind, tuple) and kind is not Snapshot
}
_HOLDING: Final = _READ[Holding]
_STATE: Final = _names(Report).index("state") - 2  # behind broker and kind
_pack: Final = msgpack.Packer(autoreset=True).pack


def _plain_input(value: Any) -> tuple[Any, ...]:
    kind = type(value)
    if isinstance(value, tuple):
        return (_TAGS[kind], *value)
    if kind is Snapshot:
        positions = [_HOLDING(one) for one in value.positions]
        return (
            _TAGS[kind], value.broker, value.since, value.orders, value.executions, positions,
            value.cash, value.complete, value.ts_recv,
        )  # fmt: skip
    return (_TAGS[kind], *_READ[kind](value))


def _plain_command(command: Command) -> tuple[Any, ...]:
    if isinstance(command, Place):
        return (0, command.order.now, *command.order.intent)
    if isinstance(command, Replace):
        return (1, command.venue_order_id, command.order.now, *command.order.intent)
    if isinstance(command, Reconcile):
        return (_COMMAND_TAGS[Reconcile], *_READ[Reconcile](command))
    return (_COMMAND_TAGS[type(command)], *command)


def encode_commands(commands: Iterable[Command]) -> bytes:
    """Commands as bytes."""
    data: bytes = _pack([_plain_command(command) for command in commands])
    return data


def encode_batch(inputs: Sequence[Input], answers: Sequence[Refusal | None], commands: Sequence[Command]) -> bytes:
    """The payload of a record of kind `BATCH`; its time is the record's own."""
    said = [None if one is None else (one.limit, one.value, one.bound) for one in answers]
    data: bytes = _pack(([_plain_input(one) for one in inputs], said, encode_commands(commands)))
    return data


def decode_batch(payload: bytes) -> Batch:
    """What `encode_batch` was given.

    Raises:
        StorageError: it is no such payload.
    """
    try:
        inputs, answers, commands = msgpack.unpackb(payload, use_list=False)
        said = tuple(None if one is None else Refusal(*one) for one in answers)
        return Batch(tuple(_input(one) for one in inputs), said, commands)
    except (ValueError, TypeError, KeyError, IndexError, msgpack.exceptions.UnpackException) as error:
        raise StorageError(f"a journal batch of {len(payload)} bytes cannot be read: {error!r}") from None


def _input(plain: tuple[Any, ...]) -> Input:
    tag, *values = plain
    kind = _INPUTS[tag]
    if kind is Report:
        return _report(values)
    if kind is Snapshot:
        broker, since, orders, executions, positions, cash, complete, ts_recv = values
        return Snapshot(
            broker, since, tuple(_report(one) for one in orders), tuple(_report(one) for one in executions),
            tuple(Holding(*one) for one in positions), cash, complete, ts_recv,
        )  # fmt: skip
    return kind(*values)  # type: ignore[no-any-return]


def _report(values: Sequence[Any]) -> Report:
    broker, kind, *rest = values
    rest[_STATE] = None if rest[_STATE] is None else OrderState(rest[_STATE])
    return Report(broker, ReportKind(kind), *rest)


def describe(value: Any) -> dict[str, Any]:
    """A word of trading as plain values for people: its fields by name, those inside it likewise."""
    return {name: _inside(getattr(value, name)) for name in _names(type(value))}


def _inside(value: Any) -> Any:
    if is_dataclass(value) or hasattr(value, "_fields"):
        return describe(value)
    return [_inside(one) for one in value] if isinstance(value, tuple | list) else value


def describe_commands(commands: bytes) -> list[dict[str, Any]]:
    """Commands as plain values for people: the field ``command`` has their name.

    Raises:
        StorageError: these are no commands.
    """
    try:
        return [_describe(one) for one in msgpack.unpackb(commands, use_list=False)]
    except (ValueError, TypeError, IndexError, msgpack.exceptions.UnpackException) as error:
        raise StorageError(f"commands of {len(commands)} bytes cannot be read: {error!r}") from None


def _describe(plain: tuple[Any, ...]) -> dict[str, Any]:
    tag, *values = plain
    kind = _COMMANDS[tag]
    named: dict[str, Any] = {"command": kind.__name__.lower()}
    if kind is Replace:
        named["venue_order_id"] = values.pop(0)
    if kind in {Place, Replace}:
        return named | {"approved": values.pop(0)} | dict(zip(_names(Intent), values, strict=True))
    return named | dict(zip(_names(kind), values, strict=True))
