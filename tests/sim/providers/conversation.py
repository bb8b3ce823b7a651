"""A client of one simulated line, in virtual time."""

from __future__ import annotations

import json
from typing import Any

from engine.core.units import NANOS
from engine.sim.market import Market
from engine.sim.simulator import Simulator
from engine.sim.truth_log import Closed, Frame

LOGIN = {
    "polygon": ['{"action":"auth","params":"k"}', '{"action":"subscribe","params":"T.*,Q.*"}'],
    "alpaca": ['{"action":"auth","key":"k","secret":"s"}', '{"action":"subscribe","trades":["*"],"quotes":["*"]}'],
    "finnhub": [f'{{"type":"subscribe","symbol":"{symbol}"}}' for symbol in ("AAPL", "MSFT", "SPY")],
    "iex": [],
}


class Conversation:
    """Drives a `Simulator`; ``now`` counts ns from the start of the market."""

    def __init__(self, line: str, faults: str = "", *, market: Market | None = None, **options: Any) -> None:
        self.market = market or Market(seed=7, duration="30s")
        self.line = line
        self.simulator = Simulator(self.market, [line], faults, seed=3, options={line: options})
        self.now = 0
        self.output: list[Frame | Closed] = []

    @property
    def time(self) -> int:
        return self.market.start + self.now

    def connect(self, path: str | None = None, **headers: str) -> Any:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        path = "/?token=k" if path is None and self.line == "finnhub" else path
        found = self.simulator.connect(self.line, self.time, path, names)
        self._drain()
        return found

    def login(self) -> int:
        connection = self.connect()
        for message in LOGIN[self.line.partition("-")[0]]:
            self.send(connection, message)
        return connection

    def send(self, connection: int, message: Any) -> None:
        data = message if isinstance(message, str | bytes) else json.dumps(message)
        self.simulator.receive(connection, data, self.time)
        self._drain()

    def close(self, connection: int) -> None:
        self.simulator.disconnect(connection, self.time)
        self._drain()

    def run(self, seconds: float) -> None:
        """Lets time pass, from event to event."""
        end = self.now + int(seconds * NANOS)
        while (due := self.simulator.next_time - self.market.start) <= end:
            self.now = max(self.now, due)
            self.simulator.advance(self.time)
            self._drain()
        self.now = end
        self.simulator.advance(self.time)
        self._drain()

    def _drain(self) -> None:
        self.output += self.simulator.take_output(self.time)

    def take(self) -> list[Frame | Closed]:
        taken, self.output = self.output, []
        return taken

    def frames(self, connection: int) -> list[Frame]:
        """Of what came so far, without taking it."""
        return [item for item in self.output if isinstance(item, Frame) and item.connection == connection]

    def take_messages(self, connection: int) -> list[Any]:
        """Objects of all JSON frames, and (code, reason) of an end."""
        out: list[Any] = []
        for item in self.take():
            if item.connection != connection:
                continue
            if isinstance(item, Closed):
                out.append((item.code, item.reason))
            else:
                found = json.loads(item.data)
                out += found if isinstance(found, list) else [found]
        return out
