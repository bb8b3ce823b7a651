"""Providers that do what a test says, an adapter and a composer to match, and a pump in virtual time.

The wire: a frame is parts joined by ``;``. ``u`` is an update, ``bad`` ends a frame as malformed, anything else is a
control message. The client says ``login`` and ``sub A,B``; the provider ``ok``, ``subscribed A,B``, ``refuse never 0``
(when to try again, ns), ``refuse-symbols A``, ``gap``.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.core.events import EVENT, Flag, Kind, Side
from engine.core.instruments import Instruments
from engine.errors import ConfigError, VenueError
from engine.feeds.aggregator import Aggregator
from engine.feeds.lines import Close, Lines, Open, Ping, Send
from engine.feeds.protocol import NEVER, Gap, LineFacts, Notice, Ready, Refused, Subscribed

MS = 1_000_000
S = 1_000_000_000


class ScriptedDecoder:
    """Counts updates, keeps all else."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.other: list[bytes] = []
        self.problem: str | None = None

    def receive_bytes(self, data: Any, ts_recv: int = 0) -> np.ndarray:
        self.other, self.problem = [], None
        found = 0
        for part in bytes(data).split(b";"):
            if part == b"u":
                found += 1
            elif part == b"bad":
                self.problem = "no frame at byte 0"
                break
            else:
                self.other.append(part)
        events = np.zeros(found, EVENT)
        events["ts_event"] = ts_recv - 5 * MS
        events["ts_recv"] = ts_recv
        events["kind"], events["side"], events["flags"] = Kind.NBBO, Side.BID, Flag.LAST
        return events

    def take_other(self, _frame: Any = None) -> list[bytes]:
        other, self.other = self.other, []
        return other

    def take_problem(self) -> str | None:
        problem, self.problem = self.problem, None
        return problem


class ScriptedFeed:
    """The client's side of that wire."""

    def __init__(self, name: str, facts: LineFacts | None = None, url: str = "") -> None:
        self.name, self.provider = name, "polygon"
        self.url, self.shown_url = url or f"wss://secret@{name}", f"wss://{name}"
        self.headers: Mapping[str, str] = {"key": "secret"}
        self.facts = facts or LineFacts("nbbo")
        self.decoder = ScriptedDecoder()
        self.counts: dict[str, int] = {}
        self.wanted: dict[str, None] = {}
        self.asked: set[str] = set()
        self.is_ready = False
        self.outgoing: list[bytes | str] = []
        self.notices: list[Notice] = []
        self.timers = 0
        self.timer_at = NEVER

    @property
    def subscribed(self) -> frozenset[str]:
        return frozenset(self.asked)

    def opened(self, now: int) -> None:
        assert not self.is_ready
        self.outgoing = ["login"]

    def receive_other(self, messages: Sequence[bytes], now: int) -> None:
        for message in messages:
            verb, _, rest = message.decode(errors="replace").partition(" ")
            if verb == "ok":
                self.is_ready = True
                self.notices.append(Ready())
                self.ask()
            elif verb == "subscribed":
                self.notices.append(Subscribed(tuple(rest.split(","))))
            elif verb == "refuse":
                retry, after = rest.split()
                error = ConfigError("wrong key") if retry == "never" else VenueError("no")
                self.notices.append(Refused(error, retry, close=True, after=int(after)))  # type: ignore[arg-type]
            elif verb == "refuse-symbols":
                self.notices.append(Refused(VenueError("no"), "never", close=False, symbols=tuple(rest.split(","))))
            elif verb == "gap":
                self.notices.append(Gap(1))

    def ask(self) -> None:
        new = [symbol for symbol in self.wanted if symbol not in self.asked]
        if self.is_ready and new:
            self.asked.update(new)
            self.outgoing.append("sub " + ",".join(new))

    def subscribe(self, symbols: Sequence[str]) -> None:
        self.wanted.update(dict.fromkeys(symbols))
        self.ask()

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        for symbol in symbols:
            self.wanted.pop(symbol, None)
            self.asked.discard(symbol)

    def closed(self, code: int | None, reason: str, now: int) -> None:
        self.is_ready = False
        self.asked.clear()
        if code == 401:
            self.notices.append(Refused(ConfigError("wrong key"), "never", close=True))

    def timer(self, now: int) -> int:
        if now >= self.timer_at:
            self.timers += 1
            self.timer_at = NEVER
            self.outgoing.append("keep-alive")
        return self.timer_at

    def take_outgoing(self) -> list[bytes | str]:
        outgoing, self.outgoing = self.outgoing, []
        return outgoing

    def take_notices(self) -> list[Notice]:
        notices, self.notices = self.notices, []
        return notices


class ScriptedComposer:
    """Remembers what it was told; ``line`` counts updates and those of trusted peers, as the native one does."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.trusted: list[bool] = []
        self.symbols: list[set[int]] = []
        self.state: list[int] = []  # updates since the last reset
        self.counters: list[Counter[str]] = []

    def add_source(self, provider: int, role: Any, venue: int = 0) -> int:
        self.trusted.append(True)
        self.symbols.append(set())
        self.state.append(0)
        self.counters.append(Counter())
        return len(self.counters) - 1

    def subscribe(self, source: int, instrument: int) -> None:
        self.symbols[source].add(instrument)

    def unsubscribe(self, source: int, instrument: int) -> None:
        self.symbols[source].discard(instrument)

    def apply(self, source: int, events: np.ndarray) -> None:
        for event in events:
            counts, now = self.counters[source], int(event["ts_recv"])
            counts["updates"] += 1
            counts["last_recv"], counts["last_event"] = now, int(event["ts_event"])
            counts["peer_updates"] = 0
            self.state[source] += 1
            for other, peer in enumerate(self.counters):
                if other != source and self.trusted[source]:
                    peer["peer_since"] = peer["peer_since"] if peer["peer_updates"] else now
                    peer["peer_updates"] += 1
                    peer["peer_last"] = now

    def trust(self, source: int, trusted: bool, now: int) -> None:
        self.trusted[source] = trusted
        self.told.append(("trust", source, trusted, now))

    def reset(self, source: int, now: int, instrument: int | None = None) -> None:
        self.state[source] = 0
        self.told.append(("reset", source, now))

    def rank(self, source: int, rank: int, now: int) -> None:
        self.told.append(("rank", source, rank, now))

    def status(self, instrument: int) -> int:
        return 0

    def line(self, source: int) -> Mapping[str, int]:
        names = ("updates", "trades", "last_recv", "last_event", "crossed", "scaled", "replayed")
        return {name: self.counters[source][name] for name in (*names, "peer_updates", "peer_since", "peer_last")}

    def take_changes(self) -> np.ndarray:
        return np.zeros(0, np.uint32)

    def take_trades(self) -> np.ndarray:
        return np.zeros(0, EVENT)


@dataclass
class ScriptedProvider:
    """What a provider does; a test changes the fields while it runs."""

    accepts: bool = True  # the transport comes up
    answers: bool = True  # anything at all, to what we send
    login: str = "ok"
    pongs: bool = True
    every: int = 0  # ns between updates, 0: none
    delay: int = 20 * MS
    closes: tuple[int | None, str] | None = None  # right after login
    connections: int = 0
    sent: list[str | bytes] = field(default_factory=list)


class Pump:
    """Carries commands to providers and their frames to ``lines``, in virtual time."""

    def __init__(self, lines: Lines, providers: Sequence[ScriptedProvider], now: int = 1_000 * S) -> None:
        self.lines, self.providers = lines, providers
        self.now = now
        self.commands: list[tuple[int, Any]] = []
        self.serial = [0] * len(providers)  # of the current connection; 0: none
        self._numbers = itertools.count(1)
        self._due: list[tuple[int, int, Callable[[], None]]] = []

    def after(self, delay: int, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.now + delay, next(self._numbers), action))

    def run(self, duration: int) -> None:
        end = self.now + duration
        self.obey()
        while True:
            timer = self.lines.next_timer
            first = self._due[0][0] if self._due else NEVER
            moment = min(timer, first)
            if moment > end:
                break
            self.now = max(self.now, moment)
            if first <= timer:
                heapq.heappop(self._due)[2]()
            else:
                self.lines.timer(self.now)
            self.obey()
        self.now = end

    def obey(self) -> None:
        for command in self.lines.take_commands():
            self.commands.append((self.now, command))
            line = command.line
            if isinstance(command, Open):
                assert self.serial[line] == 0, "opened twice"
                self.serial[line] = next(self._numbers)
                self.connect(line, self.serial[line])
                continue
            assert self.serial[line], f"{command} without a connection"
            if isinstance(command, Close):
                self.serial[line] = 0
            elif isinstance(command, Send):
                self.providers[line].sent.append(command.data)
                self.answer(line, command.data)
            elif isinstance(command, Ping) and self.providers[line].pongs:
                self.later(line, lambda line=line: self.lines.pong(line, self.now))

    def later(self, line: int, action: Callable[[], None], delay: int | None = None) -> None:
        """Does it if the connection is the same then."""
        serial = self.serial[line]

        def act() -> None:
            if serial and self.serial[line] == serial:
                action()

        self.after(self.providers[line].delay if delay is None else delay, act)

    def connect(self, line: int, serial: int) -> None:
        provider = self.providers[line]
        provider.connections += provider.accepts
        if provider.accepts:
            self.later(line, lambda: self.lines.opened(line, self.now))
            if provider.every:
                self.later(line, lambda: self.update(line), provider.delay + provider.every)
        else:
            self.later(line, lambda: self.close(line, None, "connection refused"))

    def update(self, line: int) -> None:
        provider = self.providers[line]
        if provider.every:
            self.frame(line, b"u")
            self.later(line, lambda: self.update(line), provider.every)

    def answer(self, line: int, data: str | bytes) -> None:
        provider = self.providers[line]
        if not provider.answers:
            return
        if data == "login":
            self.later(line, lambda: self.frame(line, provider.login.encode()))
            if provider.closes is not None:
                code, reason = provider.closes
                self.later(line, lambda: self.close(line, code, reason), 2 * provider.delay)
        elif str(data).startswith("sub "):
            self.later(line, lambda: self.frame(line, f"subscribed {str(data)[4:]}".encode()))

    def frame(self, line: int, data: bytes) -> None:
        if self.serial[line]:
            self.lines.received(line, memoryview(data), self.now)
            self.obey()

    def close(self, line: int, code: int | None = None, reason: str = "") -> None:
        if self.serial[line]:
            self.serial[line] = 0
            self.lines.closed(line, code, reason, self.now)
            self.obey()

    def of(self, kind: type, line: int = 0) -> list[tuple[int, Any]]:
        """The commands of a kind for a line, with their times."""
        return [(now, command) for now, command in self.commands if isinstance(command, kind) and command.line == line]


def market(count: int = 1, *, seed: int = 7, policy: Any = None, rules: Any = None, **facts: Any) -> tuple[Pump, Lines]:
    """``count`` lines called a, b, c ... of NBBO quotes, their providers and the pump; symbol A is wanted."""
    feeds = [ScriptedFeed(name, LineFacts("nbbo", **facts)) for name in "abcdefgh"[:count]]
    aggregator = Aggregator(Instruments(), ScriptedComposer(), rules=rules)
    lines = Lines(feeds, aggregator, seed=seed, policy=policy)
    pump = Pump(lines, [ScriptedProvider() for _ in feeds])
    lines.subscribe(["A"], pump.now)
    lines.start(pump.now)
    return pump, lines
