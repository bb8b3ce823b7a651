"""What really stood behind every frame a simulated provider sent: to hold against what a client makes of the frames."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.core.events import Side
from engine.sim.market import NO_TOP, Top

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from engine.sim.providers.protocol import Change

__all__ = ["FRAMES_MAX", "Closed", "Frame", "LineTruth", "TruthFile", "TruthLog"]

FRAMES_MAX: Final = 500_000  #: frames a log keeps; what comes later is not logged, and `TruthLog.complete` says so


class Frame(NamedTuple):
    """A frame that left for a client at ``time`` (ns), the ``number``-th of its connection, counted from 1.

    ``changes`` tell the truth, whatever the bytes say; ``fault`` names what was done to them, "" for nothing.
    ``market``: it carries market data.
    """

    line: str
    connection: int
    number: int
    time: int
    data: str | bytes
    changes: tuple[Change, ...]
    fault: str
    market: bool


class Closed(NamedTuple):
    """A connection that ends: with a close frame of that code, or with code None without one."""

    line: str
    connection: int
    code: int | None
    reason: str
    time: int


class LineTruth:
    """What a client of one line should show after the frames it got, if none had lied.

    ``tops`` are the NBBO (or the top of the line's one venue) by symbol, ``levels`` the venue's book by symbol:
    quantity by price, in counts of 1e-9. Symbols nothing was told of are absent. Late copies change nothing.
    """

    def __init__(self) -> None:
        self.tops: dict[str, Top] = {}
        self.levels: dict[str, dict[Side, dict[int, int]]] = {}
        self.prints = 0
        self._sequences: dict[tuple[str, Side, int], int] = {}

    def reset(self) -> None:
        """The connection is gone, and with it all that was known."""
        self.tops.clear()
        self.levels.clear()
        self._sequences.clear()

    def receive(self, frame: Frame) -> None:
        """The client got this frame."""
        for change in frame.changes:
            if change.clear:
                self.reset()
            self.prints += change.prints
            if change.top is not None and self._newer(change.symbol, Side.NONE, 0, change.sequence):
                self.tops[change.symbol] = change.top
            for side, price, quantity in change.levels:
                if self._newer(change.symbol, side, price, change.sequence):
                    levels = self.levels.setdefault(change.symbol, {Side.BID: {}, Side.ASK: {}})[side]
                    if quantity:
                        levels[price] = quantity
                    else:
                        levels.pop(price, None)

    def top(self, symbol: str) -> Top:
        """`NO_TOP` where nothing was told."""
        return self.tops.get(symbol, NO_TOP)

    def _newer(self, symbol: str, side: Side, price: int, sequence: int) -> bool:
        key = (symbol, side, price)
        if sequence < self._sequences.get(key, 0):
            return False
        self._sequences[key] = sequence
        return True


class TruthLog:
    """Every frame that left, by line and connection; without their bytes.

    Args:
        limit: frames to keep.
        sink: called with each frame, kept or not, such as `TruthFile.write`.
    """

    def __init__(self, limit: int = FRAMES_MAX, sink: Callable[[Frame], object] | None = None) -> None:
        self.complete = True  #: False once the log was full
        self._sink = sink
        self._limit = limit
        self._count = 0
        self._frames: dict[int, list[Frame]] = {}
        self._connections: dict[str, list[int]] = {}

    def opened(self, line: str, connection: int) -> None:
        """A connection of ``line`` was accepted."""
        self._connections.setdefault(line, []).append(connection)
        self._frames[connection] = []

    def sent(self, frame: Frame) -> None:
        """A frame leaves."""
        if self._sink is not None:
            self._sink(frame)
        if self._count >= self._limit:
            self.complete = False
            return
        self._count += 1
        self._frames[frame.connection].append(frame._replace(data=b""))

    def connections(self, line: str) -> Sequence[int]:
        """Numbers of the connections the line accepted, in order."""
        return tuple(self._connections.get(line, ()))

    def frames(self, connection: int) -> Sequence[Frame]:
        """What went out on a connection; its n-th frame is at n - 1."""
        return self._frames.get(connection, [])


class TruthFile:
    """The log as a file: one JSON object a frame and line, in the order of sending; numbers are counts of 1e-9 and ns.

    Fields: ``line``, ``connection``, ``number``, ``time``, ``fault``, and ``changes``: each with ``symbol``,
    ``sequence`` and, where it has them, ``venue``, ``bid`` and ``ask`` ([venue, price, quantity]), ``levels`` ([side,
    price, quantity]), ``clear``, ``prints``.
    """

    def __init__(self, path: str | Path) -> None:
        self._file = open(path, "w", encoding="ascii", buffering=1)  # noqa: SIM115 - `close` closes it

    def write(self, frame: Frame) -> None:
        """One line."""
        row = {name: getattr(frame, name) for name in ("line", "connection", "number", "time", "fault")}
        row["changes"] = [_row(change) for change in frame.changes]
        self._file.write(json.dumps(row, separators=(",", ":")) + "\n")

    def close(self) -> None:
        """No more lines."""
        self._file.close()


def _row(change: Change) -> dict[str, object]:
    row: dict[str, object] = {"symbol": change.symbol, "sequence": change.sequence}
    if change.top is not None:
        row |= {"bid": change.top.bid, "ask": change.top.ask}
    for name in ("venue", "levels", "clear", "prints"):
        if value := getattr(change, name):
            row[name] = value
    return row
