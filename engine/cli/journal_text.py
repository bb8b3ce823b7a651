"""A journal's records as plain values, and as lines for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from engine.core.trading import (
    Amend,
    Halt,
    LineState,
    Listing,
    Report,
    Session,
    Snapshot,
    Submit,
    Timer,
    TopChange,
)
from engine.core.units import from_nanos
from engine.execution.codec import BATCH, SETUP, decode_batch, describe, describe_commands

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.trading import Input
    from engine.storage.journal import Record

__all__ = ["KINDS", "Teller", "document", "instant"]

KINDS: Final = {SETUP: "setup", BATCH: "batch"}  #: names of record kinds
_QUIET: Final = (TopChange, Timer)  # inputs that are worth a line only where they led to something


def instant(now: int) -> str:
    """Nanoseconds since the epoch as UTC."""
    return f"{np.datetime64(now, 'ns')}Z"


def document(record: Record) -> dict[str, Any]:
    """Plain values of a record, nothing left out: prices and quantities are counts of 1e-9, times ns since the epoch.

    Raises:
        StorageError: its payload cannot be read.
    """
    head = {
        "sequence": record.sequence,
        "now": record.now,
        "kind": KINDS.get(record.kind, record.kind),
        "version": record.version,
    }
    if record.kind == SETUP:
        return head | {"setup": json.loads(record.payload)}
    if record.kind != BATCH:
        return head | {"payload": record.payload.hex()}
    batch = decode_batch(record.payload)
    answers = [None if one is None else describe(one) for one in batch.answers]
    inputs = [_plain(one) for one in batch.inputs]
    return head | {"inputs": inputs, "answers": answers, "commands": describe_commands(batch.commands)}


def _plain(value: Input) -> dict[str, Any]:
    return {"input": type(value).__name__.lower(), **describe(value)}


class Teller:
    """Tells records as lines, one after the other; it remembers which number means which symbol."""

    def __init__(self) -> None:
        self._symbols: dict[int, str] = {}

    def line(self, record: Record, *, everything: bool = False) -> str | None:
        """One record in words: what came in, and behind an arrow what was sent. None where only prices and time went
        by, unless ``everything`` is wanted.

        Raises:
            StorageError: its payload cannot be read.
        """
        head = f"{record.sequence:>8}  {instant(record.now)}  "
        if record.kind == SETUP:
            setup = json.loads(record.payload)
            names = ", ".join(str(broker["name"]) for broker in setup["brokers"])
            return f"{head}setup: brokers {names or 'none'}, seed {setup['seed']}"
        if record.kind != BATCH:
            return f"{head}kind {record.kind}, {len(record.payload)} bytes"
        batch = decode_batch(record.payload)
        for one in batch.inputs:
            if isinstance(one, Listing | Submit):
                self._symbols[one.instrument] = one.symbol
        words = [self._input(one) for one in batch.inputs if everything or not isinstance(one, _QUIET)]
        words += [f"check refused: {one.limit} {one.value}, bound {one.bound}" for one in batch.answers if one]
        commands = [_command(one) for one in describe_commands(batch.commands)]
        if not (words or commands):
            return None
        sent = f"{' ' if words else ''}→ {'; '.join(commands)}" if commands else ""
        return f"{head}{'; '.join(words)}{sent}"

    def _input(self, value: Input) -> str:
        match value:
            case TopChange():
                symbol = self._symbols.get(value.instrument, f"instrument {value.instrument}")
                bid, ask = (
                    f"{_n(value.bid_quantity)} at {_n(value.bid)}",
                    f"{_n(value.ask_quantity)} at {_n(value.ask)}",
                )
                text = f"{symbol} {value.state}: bid {bid}, ask {ask}"
            case Submit():
                key = "" if value.key is None else f", key {value.key}"
                what = f"{value.side} {_n(value.quantity)} {value.symbol}, {value.algo.get('algo')}{key}"
                text = f"submit parent {value.parent}: {what}"
            case Report():
                text = _report(value)
            case Snapshot():
                counts = f"{len(value.orders)} orders, {len(value.executions)} executions"
                whole = "" if value.complete else ", incomplete"
                text = f"{value.broker}: snapshot of {counts}, {len(value.positions)} positions{whole}"
            case LineState():
                text = f"{value.kind} {value.name} {value.state}{_behind(value.reason)}"
            case Listing():
                text = f"{value.symbol} may be traded, tick {_n(value.tick)}, lot {_n(value.lot)}"
            case Session():
                text = f"session from {instant(value.open)} to {instant(value.close)}"
            case Amend():
                new = {"price": value.price, "quantity": value.quantity}
                told = [f"{name} {_n(count)}" for name, count in new.items() if count is not None]
                text = f"amend parent {value.parent}: {', '.join(told)}"
            case Halt():
                text = f"halt by {value.source}{_behind(value.reason)}"
            case _:
                fields = {name: told for name, told in describe(value).items() if told not in {None, ""}}
                text = " ".join([type(value).__name__.lower(), *(f"{name} {told}" for name, told in fields.items())])
        return text


def _report(value: Report) -> str:
    order = value.client_order_id or value.venue_order_id or value.reference
    fill = f" {_n(value.quantity)} at {_n(value.price)}" if value.quantity else ""
    state = "" if value.state is None else f" ({value.state}, {_n(max(value.cumulative, 0))} done)"
    return f"{value.broker}: {value.kind}{fill} {order}{state}{_behind(value.reason)}"


def _command(one: Mapping[str, Any]) -> str:
    name, broker = one["command"], one["broker"]
    if name in {"place", "replace"}:
        price = f"at {_n(one['price'])}" if one["price"] else "at market"
        instead = f" instead of {one['replaces']}" if name == "replace" else ""
        order = f"{one['side']} {_n(one['quantity'])} {one['symbol']} {price}, {one['tif']}"
        return f"{name} {one['client_order_id']}{instead}: {order}, {broker}"
    return f"{name} {one['client_order_id']}, {broker}" if "client_order_id" in one else f"{name} {broker}"


def _behind(reason: str) -> str:
    return f": {reason}" if reason else ""


def _n(count: int) -> str:
    """A count of 1e-9 as people write it."""
    return f"{from_nanos(count).normalize():,f}"
