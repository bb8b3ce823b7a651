"""A machine against simulated providers in virtual time: no sockets, no waiting, the same each time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.core.config import Provider
from engine.core.instruments import Instruments
from engine.feeds.lines import Close, Open, Ping, Send
from engine.feeds.machine import Machine, feeds_of
from engine.sim.market import Market
from engine.sim.providers.protocol import Refused
from engine.sim.simulator import Simulator
from engine.sim.truth_log import Frame

MS = 1_000_000
KEYS = {"key": "any", "secret": "any"}
PROVIDERS = {
    "polygon": Provider("polygon", url="ws://sim", **KEYS),
    "alpaca-sip": Provider("alpaca", url="ws://sim", feed="sip", **KEYS),
    "alpaca-json": Provider("alpaca", url="ws://sim", feed="iex", codec="json", line="alpaca-json", **KEYS),
    "finnhub": Provider("finnhub", url="ws://sim", **KEYS),
    "iex": Provider("iex", url="udp://sim:1"),
}


class Pump:
    """Carries commands to the simulator and frames back; ``record`` is told every input, as a runner tells it."""

    def __init__(
        self,
        lines: Sequence[str] = ("polygon", "alpaca-sip", "iex"),
        faults: str = "",
        *,
        seed: int = 7,
        record: Callable[[str, int, int, Any], None] | None = None,
        instruments: Instruments | None = None,
    ) -> None:
        market = Market(("AAPL", "MSFT"), seed, duration="1h", rate=200, interval="1ms")
        self.simulator = Simulator(market, list(lines), faults, seed=seed)
        self.instruments = Instruments() if instruments is None else instruments
        self.providers = [PROVIDERS[name] for name in lines]
        self.machine = Machine(feeds_of(self.providers, self.instruments), self.instruments, seed=seed, record=True)
        self.now = market.start
        self.record = record
        self.notices: list[Any] = []
        self.changes: list[int] = []
        self.connections: dict[int, int] = {}
        self.lines_of: dict[int, int] = {}

    def give(self, kind: str, line: int = -1, payload: Any = None) -> None:
        """One input."""
        if self.record is not None:
            self.record(kind, line, self.now, payload)
        lines = self.machine.lines
        if kind == "frame":
            lines.received(line, payload, self.now)
        elif kind == "closed":
            lines.closed(line, *payload, self.now)
        elif kind in {"opened", "pong"}:
            getattr(lines, kind)(line, self.now)
        elif kind in {"subscribe", "unsubscribe"}:
            getattr(lines, kind)(payload, self.now)
        else:
            getattr(lines, kind)(self.now)
        self.obey()

    def obey(self) -> None:
        """Commands, notices and changes of the last input."""
        for command in self.machine.lines.take_commands():
            self.carry_out(command)
        self.notices += self.machine.lines.take_notices()
        self.changes += self.machine.composer.take_changes().tolist()

    def carry_out(self, command: Open | Close | Send | Ping) -> None:
        line, simulator = command.line, self.simulator
        name = self.machine.lines.names[line]
        if isinstance(command, Open):
            path = "/?token=any" if name == "finnhub" else None
            found = simulator.connect(
                name, self.now, path, {key.lower(): value for key, value in command.headers.items()}
            )
            if isinstance(found, Refused):
                self.give("closed", line, (found.status, found.reason))
            else:
                self.connections[line] = found
                self.lines_of[found] = line
                self.give("opened", line)
            return
        connection = self.connections.get(line)
        if connection is None:
            return
        if isinstance(command, Send):
            simulator.receive(connection, command.data, self.now)
        elif isinstance(command, Ping):
            if not simulator.is_half_open(connection):
                self.give("pong", line)
        else:
            del self.connections[line], self.lines_of[connection]
            simulator.disconnect(connection, self.now)

    def run(self, ns: int) -> None:
        """Lets time pass."""
        end = self.now + ns
        while True:
            self.now = min(max(self.now, min(self.machine.lines.next_timer, self.simulator.next_time)), end)
            self.simulator.advance(self.now)
            for item in self.simulator.take_output(self.now):
                line = self.lines_of.get(item.connection)
                if line is None:
                    continue
                if isinstance(item, Frame):
                    self.give("frame", line, item.data.encode() if isinstance(item.data, str) else item.data)
                else:
                    del self.connections[line], self.lines_of[item.connection]
                    self.give("closed", line, (item.code, item.reason))
            if self.machine.lines.next_timer <= self.now:
                self.give("timer")
            if self.now >= end:
                return
