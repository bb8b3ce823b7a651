"""Providers on loopback for users to test their own programs with: real sockets, the real wire, seeded markets, faults.

::

    async with engine.Simulation(engine.World(["AAPL"], seed=7), providers=["polygon", "alpaca-sip"],
                                 faults=["mute polygon at=2s for=1s"]) as sim:
        async with engine.MarketData(sim.providers) as market:
            ...
            sim.truth.book("AAPL").depth(10)

With ``brokers=["sim"]`` orders can be sent into the same market: ``engine.Engine(market, sim.brokers)``. They rest in
its books, where the providers tell of them, and meet its agents.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from engine.brokers.local import LocalProtocol
from engine.brokers.protocol import BrokerEnd
from engine.core.config import Provider
from engine.core.events import EVENT, Side
from engine.core.units import NANOS, Duration
from engine.errors import ConfigError
from engine.sim.broker import SimBroker
from engine.sim.exchange import Exchange
from engine.sim.faults import parse_faults
from engine.sim.link import BrokerLink
from engine.sim.market import SYMBOLS, Market
from engine.sim.server import SocketServer
from engine.sim.simulator import PROVIDERS, Simulator, provider_of
from engine.sim.truth import TruthBook
from engine.sim.truth_log import TruthFile
from engine.sim.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from engine.sim.account import Account
    from engine.sim.faults import Fault
    from engine.sim.market import Top
    from engine.sim.truth_log import TruthLog

__all__ = ["RATE", "Simulation", "SimulationTruth"]

RATE: Final = 100  #: acts a second and symbol where no world says otherwise
_KEY: Final = "simulated"
_LOOK_S: Final = 0.005  #: between two looks at what happened to orders at rest


class SimulationTruth:
    """How things really are, outside the wire.

    Attributes:
        market: the market itself: `Market.nbbo`, `Market.top`, `Market.book` of a venue.
        log: what stood behind every frame that was sent, by line and connection.
    """

    def __init__(self, market: Market, log: TruthLog, brokers: Mapping[str, SimBroker]) -> None:
        self.market = market
        self.log = log
        self._brokers = brokers

    def account(self, broker: str) -> Account:
        """What really happened at a broker: ``orders``, ``executions``, ``positions``, ``cash``.

        Raises KeyError if there is no such broker.
        """
        return self._brokers[broker].account

    def book(self, symbol: str) -> TruthBook:
        """The book of all venues as it is now: its ``depth``, ``bbo`` and ``disagreements``; one order stands for each
        venue at a price. Raises KeyError if the symbol is unknown.
        """
        book = TruthBook()
        for place, venue in enumerate(self.market.venues):
            levels = self.market.book(symbol, venue).levels
            for side in (Side.BID, Side.ASK):
                for price, quantity in levels[side].items():
                    book.add(len(book.orders) * 100 + place, side, price, quantity)
        return book

    def nbbo(self, symbol: str) -> Top:
        """The best bid and ask over all venues as they are now."""
        return self.market.nbbo(symbol)


class Simulation:
    """Servers of some providers on one market; an async context manager. It opens nothing before it is entered.

    Args:
        world: whose symbols, seed, rate and length the market takes (it begins when the simulation does); None: AAPL,
            MSFT and SPY for a day, at 100 acts a second each. Or a function that makes the market of a given
            start.
        providers: names of lines: "polygon", "alpaca", "alpaca-sip", "finnhub", "iex", "iex-tops"; "polygon-2" and such
            are further ones.
        faults: text of the grammar in `engine.sim.faults`, or several; ``at`` counts from the entering.
        seed: of the market, where no world brings its own, and of what faults draw.
        ports: line -> port; free ones by default.
        brokers: names of simulated brokers on that market, other ones than the lines'; faults name them likewise.
        options: arguments of the simulated providers by line, such as {"alpaca": {"symbol_limit": 30}}.
        log: whether ``truth.log`` keeps what stood behind every frame.
        truth_file: where to write that as well, one JSON object a frame (`TruthFile`).
        clock: ns since epoch.

    Raises:
        ConfigError: a name or a fault that cannot be, on creation; a port that cannot be had, on entering.

    Attributes:
        providers: `engine.Provider` of each line, with URL and credentials; after entering.
        brokers: for ``engine.Engine``, one engine at a time; after entering.
        truth: how things really are.
        faults: the faults as they will happen.
    """

    def __init__(
        self,
        world: World | Callable[[int], Market] | None = None,
        providers: Sequence[str] = PROVIDERS,
        faults: str | Iterable[str | Fault] = (),
        *,
        brokers: Sequence[str] = (),
        seed: int = 0,
        ports: Mapping[str, int] | None = None,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        log: bool = True,
        truth_file: str | Path | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._world = world
        self._lines = tuple(providers)
        self._seed = seed
        self._ports = dict(ports or {})
        self._options = dict(options or {})
        self._log = log
        self._truth_path = truth_file
        self._truth_file: TruthFile | None = None
        self._clock = clock
        self._broker_names = tuple(brokers)
        if twice := [name for name in self._broker_names if [*self._lines, *self._broker_names].count(name) > 1]:
            raise ConfigError(f"broker {twice[0]!r} has the name of another; expected each once, lines included")
        named = parse_faults(faults, [*self._lines, *self._broker_names])
        self._broker_faults = [fault for fault in named if fault.line in self._broker_names]
        lines = [fault for fault in named if fault.line not in self._broker_names]
        self.faults = Simulator(self._market(0), providers, lines, options=options, log=False).faults
        self.providers: tuple[Provider, ...] = ()
        self.brokers: tuple[BrokerEnd, ...] = ()
        self._matched: asyncio.Task[None] | None = None

    def _market(self, start: int) -> Market:
        world = self._world
        if world is None:
            return Market(SYMBOLS, self._seed, start=start, rate=RATE)
        if not isinstance(world, World):
            return world(start)
        length: Duration = f"{world.end - world.start}ns"
        return Market(world.symbols, world.seed, start=start, duration=length, rate=world.rate)

    async def __aenter__(self) -> Self:
        market = self._market(self._clock())
        if self._truth_path is not None:
            self._truth_file = TruthFile(self._truth_path)
        self._simulator = Simulator(
            market,
            self._lines,
            self.faults,
            seed=self._seed,
            options=self._options,
            log=self._log,
            sink=self._truth_file.write if self._truth_file is not None else None,
        )
        made = self._made_brokers(market)
        self.truth = SimulationTruth(market, self._simulator.truth, made)
        self._server = SocketServer(self._simulator, self._ports, clock=self._clock)
        await self._server.open()
        self.urls = dict(self._server.urls)  #: line -> URL
        self.rest_urls = dict(self._server.rest_urls)  #: line -> URL of the REST answers, where there are any
        self.providers = tuple(_provider(line, self.urls[line], self._options.get(line, {})) for line in self._lines)
        return self

    def _made_brokers(self, market: Market) -> dict[str, SimBroker]:
        if not self._broker_names:
            return {}
        exchange = Exchange(_OnMarket(market, self._clock), self._clock())
        ids = {symbol: number for number, symbol in enumerate(market.symbols)}
        found = {
            name: SimBroker(
                name, exchange, ids, start=market.start, seed=self._seed + number, faults=self._broker_faults
            )
            for number, name in enumerate(self._broker_names)
        }
        self.brokers = tuple(
            BrokerEnd(LocalProtocol(broker.facts), BrokerLink(broker.line, self._clock)) for broker in found.values()
        )
        self._matched = asyncio.ensure_future(_tell(exchange))
        return found

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._matched is not None:
            self._matched.cancel()
        await self._server.close()
        if self._truth_file is not None:
            self._truth_file.close()

    @property
    def elapsed(self) -> float:
        """Seconds since the entering, the clock of the faults."""
        return (self._server.time - self._simulator.market.start) / NANOS


class _OnMarket:
    """A market that its providers' simulator moves on, as what takes orders."""

    def __init__(self, market: Market, clock: Callable[[], int]) -> None:
        self._market, self._clock = market, clock

    def submit(self, orders: NDArray[np.void]) -> NDArray[np.void]:
        return self._market.submit(orders, self._clock())

    def advance(self, until_ns: int) -> NDArray[np.void]:
        del until_ns
        return np.zeros(0, EVENT)

    def take_reports(self) -> NDArray[np.void]:
        return self._market.take_reports()


async def _tell(exchange: Exchange) -> None:
    """Fills of orders at rest reach their brokers some milliseconds after the market made them."""
    while True:
        exchange.tell()
        await asyncio.sleep(_LOOK_S)


def _provider(line: str, url: str, options: Mapping[str, Any]) -> Provider:
    name, feed = provider_of(line), line.partition("-")[2]
    key = None if name == "iex" else str(options.get("key") or _KEY)
    secret = str(options.get("secret") or _KEY) if name == "alpaca" else None
    tops = "tops" if name == "iex" and feed == "tops" else None  # of Alpaca's feeds the URL's path tells
    return Provider(name, url=url, key=key, secret=secret, feed=tops, line=line)
