"""A recorded session run again: the same lines, composer and books, driven by its raw log instead of sockets."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from engine.core.config import Provider
from engine.core.instruments import Instruments
from engine.core.venues import venue_id
from engine.errors import ConfigError, StorageError
from engine.feeds.machine import OWN, Machine, feeds_of, side_rows
from engine.storage.raw import Input, InputKind, RawFile
from engine.storage.tape import TapeWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from engine.feeds.own import Feed

__all__ = ["Batch", "Rerun"]

_OF_A_LINE: Final = frozenset({InputKind.OPENED, InputKind.CLOSED, InputKind.FRAME, InputKind.PONG})
_DAMAGE: Final = (LookupError, TypeError, ValueError, ConfigError, struct.error)  # by what a log may hold


class Batch(NamedTuple):
    """What went to the tape at once: composed events, and rows of the side stream."""

    events: NDArray[np.void]
    side: list[Mapping[str, Any]]


class Rerun:
    """Iterate it for the batches of the tape, in order; its ``machine`` then stands where the session stood.

    Args:
        log: the raw log.
        feeds: the user's own feeds, as new objects, by name; those of the session are not in the log.

    Attributes:
        machine: lines, composer and books; made anew at each pass.
        inputs: records given so far.

    Raises:
        ConfigError: the log names a feed that is not in ``feeds``, or providers this version does not know.
        StorageError: the log is damaged.
    """

    def __init__(self, log: RawFile, feeds: Mapping[str, Feed] | None = None) -> None:
        self.log = log
        self.inputs = 0
        self._feeds = feeds or {}
        self._pushers: dict[int, tuple[str, Any]] = {}  # line -> name and role
        self.machine = self._new_machine()

    @property
    def instruments(self) -> Instruments:
        """The instruments, filled while iterating."""
        return self.machine.instruments

    def _new_machine(self) -> Machine:
        facts = self.log.facts
        try:
            instruments = Instruments(facts["instruments"])
            providers = [self._provider(row) for row in facts["providers"]]
            return Machine(feeds_of(providers, instruments), instruments, seed=facts["seed"], record=True)
        except (KeyError, TypeError, ValueError) as error:
            raise StorageError(f"{self.log.path}: what the log says of its lines is damaged: {error}") from error

    def _provider(self, facts: Mapping[str, Any]) -> Provider | Feed:
        if OWN in facts:
            if facts[OWN] not in self._feeds:
                raise ConfigError(f"{self.log.path}: {facts[OWN]!r} was a feed of your own; give it again")
            return self._feeds[facts[OWN]]
        channels = tuple(facts.get("channels", ()))
        return Provider(**{**facts, "channels": channels})

    def __iter__(self) -> Iterator[Batch]:
        if self.inputs:
            self.machine = self._new_machine()
        self.inputs = 0
        side: list[Mapping[str, Any]] = []
        self._pushers = {}
        for record in self.log:
            self.inputs += 1
            if record.kind is InputKind.DRAIN:
                yield Batch(self.machine.composer.take_events(), side)
                side = []
                continue
            lines = self.machine.lines
            if record.kind is InputKind.FRAME and 0 <= record.line < len(lines.names):
                lines.received(record.line, record.data, record.now)  # no frame is an error
            else:
                try:
                    self._give(record)
                except _DAMAGE as error:
                    place = f"record {self.inputs:,} ({record.kind.name})"
                    raise StorageError(f"{self.log.path}: {place} is damaged: {error!r}") from error
            # taken at once as in the session, where they never wait long; nobody acts on them here
            side += side_rows(lines.take_notices())
            lines.take_commands()
            self.machine.composer.take_changes()
            self.machine.composer.take_trades()

    def _give(self, record: Input) -> None:
        """One input but frames."""
        lines, now, line = self.machine.lines, record.now, record.line
        if record.kind in _OF_A_LINE and not 0 <= line < len(lines.names):
            raise ValueError(f"line is {line}; expected less than {len(lines.names)}")
        match record.kind:
            case InputKind.NAME:
                facts = record.facts
                self._pushers[line] = (facts["name"], facts["role"])
            case InputKind.PUSH:
                name, role = self._pushers[line]
                self.machine.push(name, record.events, now, role)
            case InputKind.OPENED:
                lines.opened(line, now)
            case InputKind.CLOSED:
                lines.closed(line, record.code, record.reason, now)
            case InputKind.PONG:
                lines.pong(line, now)
            case InputKind.TIMER:
                lines.timer(now)
            case InputKind.SUBSCRIBE:
                lines.subscribe(record.symbols, now)
            case InputKind.UNSUBSCRIBE:
                lines.unsubscribe(record.symbols, now)
            case InputKind.START:
                lines.start(now)
            case InputKind.STOP:
                lines.stop(now)
            case InputKind.DEFINE:
                self._define(record.facts)

    def record(self, out: str) -> None:
        """Writes the batches as a tape, torn if the log is: equal to that of the session, byte for byte."""
        with TapeWriter(out, self.instruments) as tape:
            for batch in self:
                tape.write(batch.events, batch.side)
            tape.close(complete=not self.log.torn)

    def _define(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            for venue in row["venues"]:
                venue_id(venue)
            self.machine.instruments.add(**row)
