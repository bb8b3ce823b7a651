"""A journal's batches taken through the step again: to find oneself after a kill, and to prove that nothing differs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, Protocol

from engine.errors import StorageError
from engine.execution.algos import algo_from_dict
from engine.execution.codec import BATCH, SETUP, VERSION, decode_batch, describe_commands, encode_commands
from engine.trader.setup import TraderSetup
from engine.trader.step import Trader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.trader.step import AlgoOf, Check

    class Record(Protocol):
        """A journal's record, as `engine.storage.journal` gives it."""

        @property
        def kind(self) -> int: ...
        @property
        def version(self) -> int: ...
        @property
        def sequence(self) -> int: ...
        @property
        def now(self) -> int: ...
        @property
        def payload(self) -> bytes: ...


__all__ = ["Rerun", "decode_setup", "encode_setup", "recover", "replay_journal"]


class Rerun(NamedTuple):
    """What a journal led to.

    ``trader`` is None for an empty journal. ``first_difference`` names the first batch whose commands are not the
    journal's, "" where all are the same: then another version of the engine wrote it. Reconciliation copes with that
    (what is at brokers and not in the trader is withdrawn), but what the journal proves is less.
    """

    trader: Trader | None
    batches: int
    commands: int
    first_difference: str


def encode_setup(setup: TraderSetup) -> bytes:
    """The payload of a record of kind `engine.execution.codec.SETUP`."""
    return json.dumps(setup.to_dict(), sort_keys=True, separators=(",", ":")).encode()


def decode_setup(payload: bytes) -> TraderSetup:
    """What ``encode_setup`` was given.

    Raises:
        StorageError: it is no setup.
    """
    try:
        return TraderSetup.from_dict(json.loads(payload))
    except (ValueError, TypeError, KeyError) as error:
        raise StorageError(f"a journal's setup of {len(payload)} bytes cannot be read: {error!r}") from None


def recover(
    records: Iterable[Record], setup: TraderSetup, check: Check | None = None, algo: AlgoOf = algo_from_dict
) -> tuple[Trader, Rerun]:
    """The trader that goes on with a journal, new or not, under ``setup``.

    The caller then appends ``encode_setup(setup)`` as a record of kind `SETUP`, and gives the trader `Restart` first.

    Raises:
        StorageError: a record cannot be read.
    """
    rerun = replay_journal(records, algo)
    trader = rerun.trader
    if trader is None:
        return Trader(setup, check, algo), rerun
    trader.set_up(setup, check)
    return trader, rerun


def replay_journal(records: Iterable[Record], algo: AlgoOf = algo_from_dict) -> Rerun:
    """Runs a journal through the step again and compares the commands, byte for byte. Kinds it does not know pass.

    Raises:
        StorageError: a record cannot be read, is of a later version, or batches come before a setup.
    """
    trader: Trader | None = None
    batches = commands = 0
    difference = ""
    for record in records:
        if record.kind not in {SETUP, BATCH}:
            continue
        if record.version > VERSION:
            raise StorageError(f"record {record.sequence} has version {record.version}; known are 1 to {VERSION}")
        if record.kind == SETUP:
            setup = decode_setup(record.payload)
            if trader is None:
                trader = Trader(setup, algo=algo)
            else:
                trader.set_up(setup, None)
            continue
        if trader is None:
            raise StorageError(f"record {record.sequence} is a batch, and no setup came before it")
        batch = decode_batch(record.payload)
        turn = trader.step(batch.inputs, record.now, batch.answers)
        batches += 1
        commands += len(turn.commands)
        if not difference and (found := encode_commands(turn.commands)) != batch.commands:
            difference = _difference(record.sequence, batch.commands, found)
    return Rerun(trader, batches, commands, difference)


def _difference(sequence: int, wanted: bytes, found: bytes) -> str:
    """In words: the first command that differs."""
    pairs = describe_commands(wanted), describe_commands(found)
    for place in range(max(map(len, pairs))):
        ours = [side[place] if place < len(side) else None for side in pairs]
        if ours[0] != ours[1]:
            return f"record {sequence}, command {place}: the journal has {ours[0]}, the step gave {ours[1]}"
    return f"record {sequence}: the same commands in other bytes"
