"""The way from a simulated provider to its clients, and what faults do to frames on it.

Everything is due at a time. Nothing on a connection overtakes what went before it, unless a fault says so.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from engine.sim.market import NEVER
from engine.sim.providers.protocol import Send
from engine.sim.truth_log import Closed, Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.sim.draws import Draws
    from engine.sim.faults import Fault
    from engine.sim.providers.protocol import Output

__all__ = ["Delivery"]


class Delivery:
    """The ways of one line's connections.

    Args:
        line: its name.
        draws: chance of this line.
        ended: called with (connection, time) when the server's end of a connection is no more.
    """

    def __init__(self, line: str, draws: Draws, ended: Callable[[int, int], None]) -> None:
        self._line = line
        self._draws = draws
        self._ended = ended
        self._queue: list[tuple[int, int, Frame | Closed]] = []
        self._order = 0
        self._numbers: dict[int, int] = {}  # connection -> frames queued
        self._latest: dict[int, int] = {}  # connection -> when its last frame is due
        self._held: dict[int, tuple[Send, str]] = {}  # waits for the frame it is to follow; with its fault
        self._dead: dict[int, bool] = {}  # half-open connection -> whether the client has gone

    @property
    def next_time(self) -> int:
        """When something is due, or NEVER."""
        return self._queue[0][0] if self._queue else NEVER

    def opened(self, connection: int) -> None:
        """A client connects."""
        self._numbers[connection] = 0

    def is_open(self, connection: int) -> bool:
        """Whether what the client sends arrives."""
        return connection in self._numbers and connection not in self._dead

    @property
    def connections(self) -> list[int]:
        """The open ones, half-open ones included."""
        return list(self._numbers)

    def client_closed(self, connection: int, now: int) -> None:
        """The client has gone. Behind a half-open connection the server does not learn it."""
        if connection in self._dead:
            self._dead[connection] = True
        elif connection in self._numbers:
            self._forget(connection)
            self._ended(connection, now)

    def drop(self, connection: int, now: int, reason: str) -> None:
        """A fault ends a connection without a close frame; what was on its way is lost."""
        if connection in self._numbers:
            gone = self._dead.get(connection, False)
            self._forget(connection)
            if not gone:
                self._push(now, Closed(self._line, connection, None, reason, now))
            self._ended(connection, now)

    def close(self, connection: int, now: int, code: int | None, reason: str, faults: Sequence[Fault] = ()) -> None:
        """The server ends a connection, behind what is on its way; with code None without a close frame."""
        if not self.is_open(connection):
            return
        due = now + sum(fault.by for fault in faults if fault.kind == "lag")
        due = max(due, self._latest.get(connection, 0))
        self._push(due, Closed(self._line, connection, code, reason, due))
        self._held.pop(connection, None)
        self._latest.pop(connection, None)
        del self._numbers[connection]
        self._ended(connection, now)

    def kill(self, connection: int) -> None:
        """From now on the connection is half open."""
        if connection in self._numbers:
            self._dead.setdefault(connection, False)
            self._purge(connection)

    def accept(self, output: Sequence[Output], now: int, faults: Sequence[Fault], content: str = "") -> None:
        """What the server wants sent, under the faults of this moment; ``content`` names one that changed frames."""
        for item in output:
            if item.connection not in self._numbers or item.connection in self._dead:
                continue
            if isinstance(item, Send):
                self._send(item, now, faults, content)
            else:
                self.close(item.connection, now, item.code, item.reason, faults)

    def flush(self, now: int) -> None:
        """Frames that wait for one to follow go now."""
        for connection, (item, fault) in list(self._held.items()):
            del self._held[connection]
            self._enqueue(item, now, fault)

    def take(self, now: int) -> list[Frame | Closed]:
        """What is due."""
        due = []
        while self._queue and self._queue[0][0] <= now:
            due.append(heappop(self._queue)[2])
        return due

    # ---- faults of delivery

    def _send(self, item: Send, now: int, faults: Sequence[Fault], content: str) -> None:
        content = content if item.market else ""  # what a frame says matters more than how it travelled
        due, name, copies, late = now, "", 1, False
        for fault in faults:
            kind = fault.kind
            if kind == "mute" and item.market:
                return
            if kind in {"lag", "jitter"}:
                due += fault.by if kind == "lag" else self._draws.below(fault.by + 1)
                name = name or kind
            elif kind in {"duplicate", "reorder", "truncate"} and item.market and self._draws.below(100) < fault.rate:
                name = kind
                if kind == "duplicate":
                    copies = 2
                elif kind == "reorder":
                    late = True
                else:
                    item = item._replace(data=item.data[: 1 + self._draws.below(max(1, len(item.data) - 1))])
        if late and item.connection not in self._held:
            self._held[item.connection] = (item, content or "reorder")
            return
        for copy in range(copies):
            self._enqueue(item, due, content or ("" if name == "duplicate" and not copy else name))
        if item.market and (held := self._held.pop(item.connection, None)) is not None:
            self._enqueue(held[0], due, held[1])

    # ---- the queue

    def _enqueue(self, item: Send, due: int, fault: str) -> None:
        connection = item.connection
        due = self._latest[connection] = max(due, self._latest.get(connection, 0))
        number = self._numbers[connection] = self._numbers[connection] + 1
        self._push(due, Frame(self._line, connection, number, due, item.data, item.changes, fault, item.market))

    def _push(self, due: int, item: Frame | Closed) -> None:
        self._order += 1
        heappush(self._queue, (due, self._order, item))

    def _purge(self, connection: int) -> None:
        self._queue = sorted(each for each in self._queue if each[2].connection != connection)
        self._held.pop(connection, None)

    def _forget(self, connection: int) -> None:
        self._purge(connection)
        self._numbers.pop(connection, None)
        self._latest.pop(connection, None)
        self._dead.pop(connection, None)
