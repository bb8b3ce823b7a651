"""Real adapters, composer and health against simulated providers in virtual time: no socket, no clock, no waiting."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine._native.book import Books
from engine._native.compose import Composer
from engine.core.config import Provider
from engine.core.instruments import Instruments
from engine.core.units import NANOS
from engine.feeds.aggregator import Aggregator
from engine.feeds.lines import Close, Lines, Open, Ping, Send
from engine.feeds.providers import feed_protocols
from engine.sim.checker import CheckedLine, Checker
from engine.sim.faults import Fault, faults
from engine.sim.market import Market
from engine.sim.providers.protocol import Refused
from engine.sim.simulator import Simulator, provider_of
from engine.sim.truth_log import Frame

LINES = ("polygon", "alpaca-sip", "alpaca-iex", "iex", "finnhub")
SYMBOLS = ("AAPL", "MSFT")
MILLISECOND = NANOS // 1_000  #: ns
REST = 8 * NANOS  #: virtual time without faults, at most, for every line to come back
CALM = 3 * NANOS // 2  #: for so long all lines are trusted when a run may end
BACK = 7 * NANOS  #: after so long on a good connection a line must be trusted again


@dataclass
class Outcome:
    """What a run came to.

    ``errors`` are disagreements of the book with the truth behind its sources; ``at_rest`` those at the end with the
    market itself, and lines that did not come back; both must be empty.
    """

    seed: int
    faults: tuple[Fault, ...]
    errors: list[str] = field(default_factory=list)
    at_rest: list[str] = field(default_factory=list)
    frames: int = 0
    checks: int = 0

    @property
    def good(self) -> bool:
        return not self.errors and not self.at_rest


def provider(line: str) -> Provider:
    """Settings of a simulated line."""
    name, _, feed = line.partition("-")
    address = "udp://127.0.0.1:1" if name == "iex" else f"ws://{line}.invalid"
    return Provider(name, url=address, key="key", secret="secret", feed=feed or None, line=line)


class VirtualRun:
    """One market, its providers and one client of all of them."""

    def __init__(
        self,
        seed: int,
        lines: tuple[str, ...] = LINES,
        schedule: str | tuple[Fault, ...] | None = None,
        *,
        symbols: tuple[str, ...] = SYMBOLS,
        seconds: float = 4,
        rate: int = 60,
    ) -> None:
        duration = round(seconds * 1_000)  # of the faults; the market goes on for everything to come to rest
        chosen = faults(seed, lines, f"{duration}ms") if schedule is None else schedule
        self.market = Market(symbols, seed, duration=f"{duration + REST // MILLISECOND}ms", rate=rate)
        self.simulator = Simulator(self.market, lines, chosen, seed=seed)
        self.outcome = Outcome(seed, self.simulator.faults)
        self.symbols = symbols
        self.now = self.market.start
        self.end = self.market.start + duration * MILLISECOND + REST
        self._faultless = self.market.start + max((fault.end for fault in self.outcome.faults), default=0)
        self.instruments = Instruments()
        self.books = Books(self.instruments)
        self.composer = Composer(self.instruments, self.books)
        self.aggregator = Aggregator(self.instruments, self.composer)
        feeds = feed_protocols([provider(line) for line in lines], self.instruments)
        self.names = [feed.name for feed in feeds]
        assert self.names == list(lines), self.names
        self.lines = Lines(feeds, self.aggregator, seed=seed)
        self.checker = Checker(
            self.simulator.truth,
            self.composer,
            self.books,
            self.instruments,
            [
                CheckedLine(feed.name, self.aggregator.source(index), feed.facts.role, feed.facts.venue)
                for index, feed in enumerate(feeds)
            ],
        )
        self._connection: dict[int, int] = {}  # line -> its connection at the simulator
        self._line: dict[int, int] = {}
        self._opens = [0] * len(feeds)  # connections the simulator accepted
        self._frames = [0] * len(feeds)  # of the last one
        self._connected = [0] * len(feeds)  # when it was made, 0: there is none

    def run(self) -> Outcome:
        """To the end of the market, and a while longer for everything to come to rest."""
        self.lines.subscribe(self.symbols, self.now)
        self.lines.start(self.now)
        self._obey()
        while True:
            timer = self.lines.next_timer
            soonest = min(self.simulator.next_time, timer)
            if soonest > self.end:
                break
            self.now = max(self.now, soonest)
            if timer <= self.now:
                self.lines.timer(self.now)
                self._obey()
                self._check(self.symbols)
            self.simulator.advance(self.now)
            self._deliver()
            if self._is_calm():
                break
        health = self.lines.health(self.now)
        live = [name for name, report in health.items() if report["state"] == "live"]
        self.outcome.at_rest = self.checker.at_rest(self.market, self.symbols, live)
        for name, connected in zip(self.names, self._connected, strict=True):
            if name not in live and connected and self.now - connected >= BACK:
                self.outcome.at_rest.append(f"{name} is {health[name]['state']}: {health[name]['reason']}")
        if not live:
            self.outcome.at_rest.append("no line came back")
        return self.outcome

    def _is_calm(self) -> bool:
        """Whether everything has come to rest before the time for it is over."""
        if self.now < self._faultless + CALM:
            return False
        lines = range(len(self.names))
        healths = (self.aggregator.line_health(line) for line in lines)
        if not all(health.state == "live" and self.now - health.since >= CALM for health in healths):
            return False
        pairs = (
            (self.aggregator.source(line), self.instruments[symbol].id) for line in lines for symbol in self.symbols
        )
        return not any(self.composer.suspect(*pair) for pair in pairs)

    def _deliver(self) -> None:
        for item in self.simulator.take_output(self.now):
            line = self._line.get(item.connection)
            if line is None:
                continue
            if isinstance(item, Frame):
                self._frames[line] = item.number
                self.outcome.frames += 1
                data = item.data.encode() if isinstance(item.data, str) else item.data
                self.lines.received(line, data, self.now)
            else:
                self._forget(line)
                self.lines.closed(line, item.code, item.reason, self.now)
            self._obey()
            self._check(self.checker.follow(self.names[line], self._opens[line], self._frames[line]))

    def _check(self, symbols: set[str] | tuple[str, ...]) -> None:
        if len(self.outcome.errors) < 20:
            self.outcome.checks += 1
            seconds = (self.now - self.market.start) / NANOS
            healths = {name: self.aggregator.line_health(line) for line, name in enumerate(self.names)}
            exempt = {name for name, health in healths.items() if health.exempt}
            live = {name for name, health in healths.items() if health.trusted}
            for symbol in symbols:
                found = self.checker.disagreements([symbol], exempt | self.checker.alone(symbol, live))
                self.outcome.errors += [f"{seconds:.3f} s: {text}" for text in found]

    def _forget(self, line: int) -> None:
        connection = self._connection.pop(line, None)
        self._connected[line] = 0
        if connection is not None:
            del self._line[connection]

    def _obey(self) -> None:
        while commands := self.lines.take_commands():
            for command in commands:
                line = command.line
                connection = self._connection.get(line)
                if isinstance(command, Open):
                    self._open(line, command)
                elif isinstance(command, Close) and connection is not None:
                    self._forget(line)
                    self.simulator.disconnect(connection, self.now)
                elif isinstance(command, Send) and connection is not None:
                    self.simulator.receive(connection, command.data, self.now)
                elif isinstance(command, Ping) and connection is not None and not self._is_dead(connection):
                    self.lines.pong(line, self.now)

    def _is_dead(self, connection: int) -> bool:
        return self.simulator.is_half_open(connection)

    def _open(self, line: int, command: Open) -> None:
        name = self.names[line]
        path = None
        if provider_of(name) != "iex":
            path = "/" + command.url.partition("://")[2].partition("/")[2]
        headers = {key.lower(): value for key, value in command.headers.items()}
        answer = self.simulator.connect(name, self.now, path, headers)
        if isinstance(answer, Refused):
            self.lines.closed(line, answer.status, answer.reason, self.now)
            return
        self._connection[line], self._line[answer] = answer, line
        self._opens[line] += 1
        self._connected[line] = self.now
        self._frames[line] = 0
        self.lines.opened(line, self.now)
