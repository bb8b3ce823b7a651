"""Simulated providers on one market, without sockets or clocks: for virtual time, and inside the servers on sockets.

    simulator = Simulator(Market(seed=7), ["polygon", "alpaca-sip", "iex"], "mute polygon at=2s for=1s")
    connection = simulator.connect("polygon", now)        # a number, or `Refused`
    simulator.receive(connection, '{"action":"auth","params":"k"}', now)
    simulator.advance(now)                                # whatever happens until then
    for item in simulator.take_output(now): ...           # `Frame` or `Closed`, in the order of their times
    simulator.next_time                                   # when to come again

A line is named by its provider, or by provider, dash and a name of its own ("polygon-2"); what follows the dash chooses
the feed where it is the name of one: "alpaca-iex" (also plain "alpaca"), "alpaca-sip", "iex-tops", "iex-deep" ("iex").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from engine.core.config import no_provider
from engine.core.events import Side
from engine.errors import ConfigError
from engine.sim.delivery import Delivery
from engine.sim.draws import Draws
from engine.sim.faults import KINDS, MOMENTS, Fault, impossible, parse_faults
from engine.sim.history import MINUTE, SECOND, History
from engine.sim.market import NEVER, Top
from engine.sim.providers.alpaca import FEEDS, AlpacaServer
from engine.sim.providers.finnhub import FinnhubServer
from engine.sim.providers.iex import IexServer
from engine.sim.providers.polygon import PolygonServer
from engine.sim.providers.protocol import Refused, Request
from engine.sim.rest import Reply, answer
from engine.sim.truth_log import Closed, Frame, TruthLog
from engine.sim.world import TICK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from fractions import Fraction

    from engine.sim.market import Level, Market, Tick
    from engine.sim.providers.protocol import ProviderServer

__all__ = ["PROVIDERS", "Simulator", "default_path", "provider_of"]

PROVIDERS: Final = ("polygon", "alpaca", "finnhub", "iex")
_STREAM: Final = 1 << 41  # streams of the seed that markets and schedules leave alone
_CONTENT: Final = ("wrong_scale", "crossed", "clock_skew")  # change what is told, not how it travels; the worst first
#: after these a line without retransmission has to begin again
_HARMS_BOOK: Final = frozenset({"mute", "truncate", "reorder", "wrong_scale", "crossed", "halt"})


def provider_of(line: str) -> str:
    """The provider of a line. Raises ConfigError for a name that begins with none."""
    provider = line.partition("-")[0]
    if provider not in PROVIDERS:
        raise no_provider(line, (*PROVIDERS, "such a name, a dash and more"), "line")
    return provider


def default_path(line: str) -> str:
    """The path of the line's WebSocket handshake; "" where there is none."""
    provider, feed = provider_of(line), line.partition("-")[2]
    if provider == "alpaca":
        return f"/v2/{feed if feed in FEEDS else 'iex'}"
    return {"polygon": "/stocks", "finnhub": "/", "iex": ""}[provider]


def make_server(line: str, market: Market, **options: Any) -> ProviderServer:
    """The server of a line; ``options`` are those of its class."""
    provider = provider_of(line)
    if provider == "iex":
        return IexServer(market, "tops" if line.partition("-")[2] == "tops" else "deep")
    if provider == "alpaca":
        return AlpacaServer(**{"test_source": market.symbols[0], **options})
    return PolygonServer(**options) if provider == "polygon" else FinnhubServer(**options)


class _Line:
    def __init__(self, name: str, server: ProviderServer, draws: Draws) -> None:
        self.name = name
        self.server = server
        self.active: list[Fault] = []
        self.delivery = Delivery(name, draws, server.disconnected)
        self.due = server.next_timer  # as of the last ``collect``, which follows whatever the server is told

    @property
    def content(self) -> str:
        active = {fault.kind for fault in self.active}
        return next((kind for kind in _CONTENT if kind in active), "")

    @property
    def halted(self) -> bool:
        return any(fault.kind == "halt" for fault in self.active)

    def collect(self, now: int, content: str = "") -> None:
        self.delivery.accept(self.server.take_output(), now, self.active, content)
        self.due = self.server.next_timer


class Simulator:
    """Servers of several lines on one market, under a schedule of faults.

    Args:
        market: what they tell of.
        lines: names, each once.
        faults: text of the grammar in `engine.sim.faults`, or faults.
        seed: of what faults draw; the market has its own.
        options: arguments of the servers' classes by line, such as {"polygon": {"key": "secret"}}.
        log: whether `truth` keeps what was sent.
        sink: called with each frame that is sent.

    Raises:
        ConfigError: a name or a fault that cannot be; the message says what was expected.
    """

    def __init__(
        self,
        market: Market,
        lines: Sequence[str] = PROVIDERS,
        faults: str | Iterable[str | Fault] = (),
        *,
        seed: int = 0,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        log: bool = True,
        sink: Callable[[Frame], object] | None = None,
    ) -> None:
        if isinstance(lines, str) or len(set(lines)) != len(lines):
            raise ConfigError(f"lines are {lines!r}; expected a sequence of names, each once")
        self.market = market
        self.faults = parse_faults(faults, lines)
        self.truth = TruthLog(sink=sink) if log else TruthLog(0, sink)
        self._lines = {
            name: _Line(name, make_server(name, market, **(options or {}).get(name, {})), Draws(seed, _STREAM + index))
            for index, name in enumerate(lines)
        }
        self.history = History(market.symbols)
        self._second = market.start // SECOND * SECOND + SECOND  # when the next bars end
        self._connections = 0  # accepted so far
        self._line_of: dict[int, _Line] = {}  # open connections
        self._edges = sorted(_edges(self.faults, market.start), key=lambda edge: edge[0], reverse=True)

    @property
    def lines(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._lines)

    @property
    def next_time(self) -> int:
        """When something happens next by itself, ns since epoch, or NEVER."""
        soonest = self._next_cause()
        return min(soonest, *(line.delivery.next_time for line in self._lines.values())) if self._lines else soonest

    def connect(
        self, line: str, now: int, path: str | None = None, headers: Mapping[str, str] | None = None
    ) -> int | Refused:
        """A client connects, and is given a number or refused. ``headers`` have lower-case names."""
        self.advance(now)
        it, number = self._lines[line], self._connections + 1
        request = Request(default_path(line) if path is None else path, headers or {})
        it.delivery.opened(number)
        refused = it.server.connect(number, request, now)
        if refused is not None:
            it.delivery.client_closed(number, now)
            return refused
        self._connections = number
        self._line_of[number] = it
        self.truth.opened(line, number)
        it.collect(now)
        return number

    def receive(self, connection: int, data: str | bytes, now: int) -> None:
        """A whole message from a client; ignored on connections that are gone."""
        self.advance(now)
        line = self._line_of.get(connection)
        if line is not None and line.delivery.is_open(connection):
            line.server.receive(connection, data, now)
            line.collect(now)

    def disconnect(self, connection: int, now: int) -> None:
        """The client's end is closed."""
        self.advance(now)
        line = self._line_of.pop(connection, None)
        if line is not None:
            line.delivery.client_closed(connection, now)
            line.collect(now)

    def kill_slow(self, connection: int, now: int) -> None:
        """The client reads too slowly: its provider does what it does then."""
        line = self._line_of.get(connection)
        if line is not None:
            line.server.kill_slow(connection, now)
            line.collect(now)

    def is_half_open(self, connection: int) -> bool:
        """Whether a fault has cut the connection without telling its ends: not even pings are to be answered."""
        line = self._line_of.get(connection)
        return line is not None and connection in line.delivery.connections and not line.delivery.is_open(connection)

    def advance(self, now: int) -> None:
        """Lets happen what happens until ``now``, in the order of its times."""
        while (time := self._next_cause()) <= now:
            while self._edges and self._edges[-1][0] <= time:
                self._edge(*self._edges.pop())
            for line in self._lines.values():
                if line.due <= time:
                    line.server.timer(time)
                    line.collect(time)
            for batch in self.market.advance(time):
                self.history.add(batch)
                plain = [(tick, tick) for tick in batch.ticks]
                for line in [line for line in self._lines.values() if not line.halted]:
                    content = line.content
                    pairs = [(tick, self._told(tick, line)) for tick in batch.ticks] if content else plain
                    line.server.publish(pairs, batch.close)
                    line.collect(batch.close, content)
            if time >= self._second:
                self._bars(self._second)
                self._second = time // SECOND * SECOND + SECOND

    def take_output(self, now: int) -> list[Frame | Closed]:
        """What reaches clients until ``now``, in the order of its times; the truth log has it from here on."""
        output = [item for line in self._lines.values() for item in line.delivery.take(now)]
        output.sort(key=lambda item: item.time)
        for item in output:
            if isinstance(item, Frame):
                self.truth.sent(item)
            else:
                self._line_of.pop(item.connection, None)
        return output

    def rest(self, line: str, path: str, headers: Mapping[str, str], now: int) -> Reply:
        """What the line's provider answers to a plain GET; ``headers`` have lower-case names."""
        self.advance(now)
        return answer(provider_of(line), path, headers, self.history, self._lines[line].server.conditions, now)

    def _bars(self, end: int) -> None:
        """The bars of the second, and of the minute, that ended."""
        for span in (SECOND, MINUTE) if end % MINUTE == 0 else (SECOND,):
            find = self.history.second if span == SECOND else self.history.minute
            found = [(symbol, find(symbol, end - span), self.history.day(symbol)) for symbol in self.history.symbols]
            bars = [(symbol, bar, day) for symbol, bar, day in found if bar is not None and day is not None]
            for line in [line for line in self._lines.values() if not line.halted]:
                line.server.publish_bars(span, bars, end)
                line.collect(end)

    # ---- faults

    def _next_cause(self) -> int:
        timers = [line.due for line in self._lines.values()]
        second = self._second if self.market.next_time != NEVER else NEVER
        return min(self.market.next_time, second, self._edges[-1][0] if self._edges else NEVER, *timers)

    def _edge(self, time: int, begins: bool, fault: Fault) -> None:
        line = self._lines[fault.line]
        if begins:
            if fault.kind not in MOMENTS:
                line.active.append(fault)
            self._begin(fault, line, time)
        else:
            line.active.remove(fault)
            self._end(fault, line, time)
        if fault.kind == "halt":
            line.server.halt(self.market.symbols, time, halted=line.halted)
        line.collect(time)

    def _begin(self, fault: Fault, line: _Line, time: int) -> None:
        server, delivery = line.server, line.delivery
        if fault.kind == "disconnect":
            for connection in delivery.connections:
                self._disconnect(line, connection, time, fault)
        elif fault.kind == "half_open":
            for connection in delivery.connections:
                delivery.kill(connection)
        elif fault.kind == "slow_reader_kill":
            for connection in delivery.connections:
                server.kill_slow(connection, time)
        elif fault.kind == "huge_frame":
            server.send_huge(fault.size, time)
        elif fault.kind == "connection_limit":
            server.intrude(time)
            server.conditions.slot_taken = True
        elif fault.kind in {"auth_refusal", "throttle"}:
            if fault.kind == "throttle":
                server.conditions.throttled = True
            else:
                server.conditions.auth_refusal = fault.reason
            for connection in delivery.connections:
                delivery.drop(connection, time, fault.kind)

    def _end(self, fault: Fault, line: _Line, time: int) -> None:
        conditions = line.server.conditions
        if fault.kind == "half_open":
            for connection in line.delivery.connections:
                if not line.delivery.is_open(connection):
                    line.delivery.drop(connection, time, fault.kind)
        elif fault.kind == "connection_limit":
            conditions.slot_taken = False
        elif fault.kind == "throttle":
            conditions.throttled = False
        elif fault.kind == "auth_refusal":
            conditions.auth_refusal = ""
        elif fault.kind == "reorder":
            line.delivery.flush(time)
        if fault.kind in _HARMS_BOOK and isinstance(line.server, IexServer):
            line.server.rebuild(time)

    def _disconnect(self, line: _Line, connection: int, time: int, fault: Fault) -> None:
        if fault.close and line.delivery.is_open(connection):
            line.delivery.close(connection, time, fault.code, "going away", line.active)
        else:
            line.delivery.drop(connection, time, fault.kind)

    def _told(self, tick: Tick, line: _Line) -> Tick:
        """What the line tells of an event."""
        for fault in line.active:
            if fault.kind == "clock_skew":
                tick = tick._replace(ts=tick.ts + fault.by)
            elif fault.kind == "wrong_scale":
                tick = _scaled(tick, fault.factor)
            elif fault.kind == "crossed":
                tick = self._crossed(tick)
        return tick

    def _crossed(self, tick: Tick) -> Tick:
        levels = tuple(self._through(tick.symbol, level) for level in tick.levels)
        tops = tuple((venue, _swapped(top)) for venue, top in tick.tops)
        return tick._replace(levels=levels, tops=tops, nbbo=None if tick.nbbo is None else _swapped(tick.nbbo))

    def _through(self, symbol: str, level: Level) -> Level:
        ask = self.market.top(symbol, level.venue).ask
        return level._replace(price=ask.price + TICK) if level.side is Side.BID and ask.quantity else level


def _edges(faults: Sequence[Fault], start: int) -> list[tuple[int, bool, Fault]]:
    """(time, begins, fault), checked for making sense."""
    edges = []
    for fault in faults:
        if fault.kind not in KINDS:
            raise ConfigError(
                f"fault {str(fault)!r} cannot be: only brokers have it; expected one of {', '.join(KINDS)}"
            )
        if reason := impossible(fault.kind, fault.line):
            raise ConfigError(f"fault {str(fault)!r} cannot be: {reason}")
        edges.append((start + fault.at, True, fault))
        if fault.kind not in MOMENTS:
            edges.append((start + fault.end, False, fault))
    return edges


def _swapped(top: Top) -> Top:
    """Bid and ask with each other's price."""
    bid, ask = top
    if not bid.quantity or not ask.quantity:
        return top
    return Top(bid._replace(price=ask.price), ask._replace(price=bid.price))


def _scaled(tick: Tick, factor: Fraction) -> Tick:
    """Every price times ``factor``."""

    def price(value: int) -> int:
        return value * factor.numerator // factor.denominator

    def top(it: Top) -> Top:
        return Top(*(slot._replace(price=price(slot.price)) for slot in it))

    return tick._replace(
        levels=tuple(level._replace(price=price(level.price)) for level in tick.levels),
        tops=tuple((venue, top(it)) for venue, it in tick.tops),
        nbbo=None if tick.nbbo is None else top(tick.nbbo),
        prints=tuple(each._replace(price=price(each.price)) for each in tick.prints),
    )
