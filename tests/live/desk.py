"""A market in virtual time, a venue that others trade on too, simulated brokers, and an engine on all of it."""

import asyncio
from contextlib import asynccontextmanager

import numpy as np

from engine import Instruments, MarketData, Venue
from engine._native.world import LevelFeed
from engine.brokers.local import LocalProtocol
from engine.brokers.protocol import BrokerEnd
from engine.core.events import Side
from engine.core.orders import ORDER, Action
from engine.core.units import NANOS
from engine.core.venues import venue_id
from engine.live import Engine
from engine.sim import loop
from engine.sim.broker import SimBroker
from engine.sim.exchange import Exchange, VenueMatching
from engine.sim.link import BrokerLink

OPEN = 1_767_623_400 * NANOS  # 2026-01-05 09:30 in New York


class Desk:
    """The world around an engine: ``rest`` puts others' orders into the venue, ``end`` is a broker's."""

    def __init__(self, market, faults=(), brokers=("sim",), **settings):
        self.market = market
        self.clock = asyncio.get_running_loop().clock
        self.exchange = Exchange(VenueMatching(Venue(market.instruments, events=True)), self.clock())
        self.brokers = {
            name: SimBroker(name, self.exchange, {"AAPL": 0}, start=self.clock(), faults=faults, **settings)
            for name in brokers
        }
        self.owner = self.exchange.join(self)
        self._numbers = 1 << 40
        self._levels = LevelFeed(venue_id("XNAS"))
        self.task = asyncio.ensure_future(self._publish())

    def matched(self, reports, now):
        """Others do not care."""

    def ends(self):
        return [
            BrokerEnd(LocalProtocol(broker.facts), BrokerLink(broker.line, self.clock))
            for broker in self.brokers.values()
        ]

    def rest(self, side, price, quantity, number=None, action=Action.NEW):
        self._numbers += 1
        row = np.zeros(1, ORDER)
        row["ts"], row["order_id"], row["owner"] = self.clock(), number or self._numbers, self.owner
        row["action"] = action
        row["side"] = Side.BID if side == "buy" else Side.ASK
        row["price"], row["quantity"] = round(price * NANOS), round(quantity * NANOS)
        self.exchange.submit(row, self.clock())
        return int(row["order_id"][0])

    async def _publish(self):
        while True:
            self.exchange.advance(self.clock())
            for events in self.exchange.take_events():
                self.market.push("venue", self._levels.convert(events))
            await asyncio.sleep(0.01)


def run(scene, **settings):
    """Runs ``scene(desk)`` in virtual time from the opening of a day on."""

    async def main():
        clock = asyncio.get_running_loop().clock
        async with MarketData([], instruments=Instruments(["AAPL"]), clock=clock) as market:
            desk = Desk(market, **settings)
            try:
                return await scene(desk)
            finally:
                desk.task.cancel()

    return loop.run(main(), start=OPEN + 60 * NANOS)


@asynccontextmanager
async def trading(desk, **settings):
    async with Engine(desk.market, desk.ends(), seed=1, **settings) as engine:
        yield engine
