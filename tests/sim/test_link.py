"""The link between an adapter and a simulated broker, with the manager that pumps both, in virtual time."""

import asyncio
import logging

import pytest

from engine import Instruments, Venue
from engine.brokers.local import LocalProtocol
from engine.brokers.manager import BrokerManager
from engine.core.trading import LineState, Query, Reconcile, Report, ReportKind, Snapshot
from engine.core.units import NANOS
from engine.sim import loop
from engine.sim.broker import SimBroker
from engine.sim.exchange import Exchange, VenueMatching
from engine.sim.link import BrokerLink
from tests.sim.test_broker import place


def run(scene, faults=""):
    async def main():
        clock = asyncio.get_running_loop().clock
        exchange = Exchange(VenueMatching(Venue(Instruments(["AAPL"]), events=True)), clock())
        broker = SimBroker("sim", exchange, {"AAPL": 0}, start=clock(), faults=faults)
        heard = []
        ends = [(LocalProtocol(broker.facts), BrokerLink(broker.line, clock))]
        manager = BrokerManager(
            ends, lambda inputs: heard.extend((clock(), one) for one in inputs), clock=clock, seed=1
        )
        manager.start()
        try:
            await scene(manager, broker)
        finally:
            manager.close()
        await asyncio.sleep(60)  # nothing speaks after the end
        return heard

    return loop.run(main(), start=NANOS)


def test_commands_arrive_and_what_comes_of_them_is_heard():
    async def scene(manager, broker):
        await asyncio.sleep(0.1)
        manager.send([place(1, "buy", 10, 9)])
        await asyncio.sleep(1)
        manager.send([Query("sim", "u-1-1", "", "AAPL"), Reconcile("sim", 0)])
        await asyncio.sleep(10)  # an idle line with heartbeats stays up

    (_, up), (at, accepted), (_, status), (_, snapshot) = run(scene)
    assert up == LineState("broker", "sim", "up")
    assert (accepted.kind, at) == (ReportKind.ACCEPTED, NANOS + NANOS // 10 + 2 * 200_000)
    assert (status.kind, type(snapshot)) == (ReportKind.STATUS, Snapshot)


@pytest.mark.parametrize("fault", ["disconnect sim at=0s", "half_open sim at=500ms for=9s"])
def test_a_line_that_breaks_comes_back_by_itself(fault, caplog):
    async def scene(manager, broker):
        await asyncio.sleep(0.6)
        manager.send([place(1, "buy", 10, 9)])
        await asyncio.sleep(30)

    caplog.set_level(logging.ERROR, "engine.brokers")
    heard = [one for _, one in run(scene, fault)]
    states = [one.state for one in heard if isinstance(one, LineState)]
    assert states[0] == states[-1] == "up"
    assert "down" in states
    assert [one.kind for one in heard if isinstance(one, Report)] == [ReportKind.UNKNOWN_OUTCOME]
