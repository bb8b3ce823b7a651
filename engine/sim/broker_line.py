"""The line of a simulated broker: bytes and times in, bytes out when they arrive, and what faults do on the way.

It keeps everything that is due at a time, the broker's own work too. Nothing on it overtakes what went before, unless a
fault says so.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Final

import orjson

from engine.core.units import NANOS
from engine.errors import ConfigError
from engine.sim.draws import Draws
from engine.sim.faults import BROKER_KINDS, MOMENTS, parse_faults
from engine.sim.market import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.sim.faults import Fault, FaultKind

__all__ = ["BrokerLine"]

_STREAM: Final = 1 << 41  # streams of the seed that markets and their faults leave alone


class BrokerLine:
    """One customer's line to a broker; connections come and go.

    Args:
        name: of the line.
        start: the time faults count from, ns.
        heartbeat: a heartbeat every so many ns.
        latency: of a message, each way, ns.
        seed: of what faults draw.
        faults: texts or ``Fault`` values; those of other lines are left to them.
        arrive: called with (message, time) for each line that arrives at the broker.

    Attributes:
        dropped: the line broke, since this was last set to False.
        stirred: called when something more is due.

    Raises:
        ConfigError: a fault that no broker has.
    """

    def __init__(
        self,
        name: str,
        *,
        start: int,
        heartbeat: int,
        latency: int,
        seed: int,
        faults: str | Iterable[str | Fault],
        arrive: Callable[[dict[str, Any], int], None],
    ) -> None:
        self._heartbeat, self._latency, self._arrive_at_broker = heartbeat, latency, arrive
        self._draws = Draws(seed, _STREAM + int.from_bytes(name.encode()[:5], "big"))
        self.faults = [fault for fault in parse_faults(faults) if fault.line == name]
        self._start = start
        self._queue: list[tuple[int, int, Callable[[int], None]]] = []
        self._ticket = 0
        self._connection = 0  # 0: none; each connection has another number
        self._connections = 0
        self._asking: int | None = None  # the connection whose request is being answered
        self._partials: dict[int, bytes] = {}  # the beginning of a line, by connection
        self._outgoing: list[bytes] = []
        self._latest = 0  # when the last message arrives; the next one does not overtake it
        self._held: bytes | None = None
        self.dropped = False
        self.stirred: Callable[[], None] | None = None
        self._schedule_faults()

    @property
    def next_time(self) -> int:
        """When `advance` has something to do, or NEVER."""
        return self._queue[0][0] if self._queue else NEVER

    def connect(self, now: int) -> bool:
        """A client connects; False while the line is dead."""
        if self.active("half_open", now):
            return False
        self._connections += 1
        self._connection, self._latest, self._held = self._connections, now, None
        self.dropped = False
        self._beat(self._connection, now)
        return True

    def disconnect(self) -> None:
        """The client's end of the line is gone. What was on its way may still arrive."""
        self._connection = 0
        self._outgoing.clear()

    def drop(self) -> None:
        """The line breaks."""
        if self._connection:
            self.disconnect()
            self.dropped = True

    def receive(self, data: bytes, now: int) -> None:
        """Bytes leave the client."""
        if self._connection and not self.active("half_open", now):
            connection = self._connection
            self.at(now + self._latency + self._lag(now), lambda then: self._arrive(data, connection, then))

    def _arrive(self, data: bytes, connection: int, now: int) -> None:
        """Bytes reach the broker; an answer goes back on the connection that asked, or nowhere."""
        *lines, rest = (self._partials.pop(connection, b"") + data).split(b"\n")
        if rest:
            self._partials[connection] = rest
        for line in lines:
            self._asking = connection
            self._arrive_at_broker(orjson.loads(line), now)
        self._asking = None

    def advance(self, now: int) -> None:
        """Everything that is due."""
        while self._queue and self._queue[0][0] <= now:
            due, _, act = heappop(self._queue)
            act(due)

    def at(self, due: int, act: Callable[[int], None]) -> None:
        """Calls ``act`` with the time when it is due."""
        self._ticket += 1
        heappush(self._queue, (due, self._ticket, act))
        if self.stirred is not None:
            self.stirred()

    def take_outgoing(self) -> list[bytes]:
        """What has reached the client."""
        found, self._outgoing = self._outgoing, []
        return found

    # ---- from the broker

    def answer(self, message: dict[str, Any], now: int, delay: int = 0) -> None:
        """An answer leaves the broker, ``delay`` later than usual."""
        connection = self._connection if self._asking is None else self._asking
        data = orjson.dumps(message) + b"\n"
        if connection != self._connection:
            return
        if delay:
            self.at(now + delay, lambda then: self._put(data, then) if connection == self._connection else None)
        else:
            self._put(data, now)

    def tell(self, message: dict[str, Any], now: int) -> None:
        """An event leaves the broker: once, twice, after the next one, or never."""
        if not self._connection or self.hit("swallow", now):
            return
        data = orjson.dumps(message) + b"\n"
        copies = [data, data] if self.hit("duplicate", now) else [data]
        if self._held is not None:
            copies, self._held = [*copies, self._held], None
        elif self.hit("reorder", now):
            held, connection = copies.pop(), self._connection
            self._held = held
            self.at(now + NANOS, lambda then: self._let_go(held, connection, then))
        for one in copies:
            self._put(one, now)

    def _let_go(self, held: bytes, connection: int, now: int) -> None:
        """What waited for an event to overtake it, and none came."""
        if self._held is held and connection == self._connection:
            self._held = None
            self._put(held, now)

    def _put(self, data: bytes, now: int) -> None:
        connection = self._connection
        if not connection or self.active("half_open", now):
            return
        self._latest = due = max(now + self._latency + self._lag(now), self._latest)

        def arrive(then: int) -> None:
            if connection == self._connection and not self.active("half_open", then):
                self._outgoing.append(data)

        self.at(due, arrive)

    def _beat(self, connection: int, now: int) -> None:
        if connection == self._connection:
            self._put(b'{"event":"heartbeat"}\n', now)
            self.at(now + self._heartbeat * 9 // 10, lambda then: self._beat(connection, then))

    # ---- faults

    def _schedule_faults(self) -> None:
        for fault in self.faults:
            if fault.kind not in BROKER_KINDS:
                raise ConfigError(f"fault {str(fault)!r} cannot be: expected one of {', '.join(BROKER_KINDS)}")
            if fault.kind == "half_open":
                self.at(self._start + fault.end, lambda _: self.drop())
            elif fault.kind == "disconnect":  # in mid-order, or a second later if there is none
                self.at(self._start + fault.at + NANOS, self.break_in_order)
        self._breaks = [fault for fault in self.faults if fault.kind == "disconnect"]

    def active(self, kind: FaultKind, now: int) -> Fault | None:
        """The fault of a kind that is at work."""
        since = now - self._start
        for fault in self.faults:
            if fault.kind == kind and fault.kind not in MOMENTS and fault.at <= since < fault.end:
                return fault
        return None

    def hit(self, kind: FaultKind, now: int) -> Fault | None:
        """The fault of a kind, if it is at work and chance says so."""
        fault = self.active(kind, now)
        return fault if fault is not None and self.below(100) < fault.rate else None

    def below(self, bound: int) -> int:
        """Chance: uniform in [0, bound)."""
        return self._draws.below(bound)

    def stamp(self, now: int) -> int:
        """The broker's clock."""
        fault = self.active("clock_skew", now)
        return now + (fault.by if fault else 0)

    def break_in_order(self, now: int) -> None:
        """The line breaks if a disconnect is due that has not happened yet."""
        due = [fault for fault in self._breaks if self._start + fault.at <= now]
        if due:
            self._breaks = [fault for fault in self._breaks if fault not in due]
            self.drop()

    def _lag(self, now: int) -> int:
        fault = self.active("lag", now)
        return fault.by if fault else 0
