"""Orders sent into the market that simulated providers tell of, over loopback."""

import asyncio

import pytest

from engine import ConfigError, Engine, Immediate, Limit, Limits, MarketData, Simulation, World
from tests.feeds.loopback import TIMEOUT

LIMITS = Limits(session=False)


def test_an_order_rests_where_providers_see_it_and_fills_are_the_markets_own():
    async def main():
        world = World(["AAPL"], seed=7, rate=20)
        async with (
            asyncio.timeout(TIMEOUT),
            Simulation(world, providers=["iex", "polygon"], brokers=["sim"]) as sim,
            MarketData(sim.providers) as market,
        ):
            await market.subscribe("AAPL")
            await market.ready("AAPL")
            async with Engine(market, sim.brokers, limits=LIMITS, seed=1) as trading:
                taken = trading.submit("AAPL", "buy", 200, Immediate())
                await taken.done()
                account = sim.truth.account("sim")
                assert taken.cumulative == account.positions["AAPL"] / 10**9 == 200
                price = market.instrument("AAPL").round_price(market.book("AAPL").mid(), "buy")
                rests = trading.submit("AAPL", "buy", 33, Limit(price, post_only=True))
                await rests
                while not any(child.state == "new" for child in rests.children) and rests.is_open:
                    await asyncio.sleep(0.01)
                book = sim.truth.book("AAPL")
                levels = {order.price for order in book.orders.values()}
                assert not rests.is_open or round(float(price) * 100) * 10_000_000 in levels
            assert not any(order.is_open for order in account.orders.values())

    asyncio.run(main())


def test_a_broker_has_a_name_of_its_own():
    with pytest.raises(ConfigError, match="broker 'polygon' has the name of another"):
        Simulation(World(["AAPL"]), providers=["polygon"], brokers=["polygon"])


def test_faults_of_brokers_are_told_by_their_names():
    with pytest.raises(ConfigError, match="false_cancel"):
        Simulation(World(["AAPL"]), providers=["polygon"], faults="false_cancel polygon at=0s for=1s")
    Simulation(World(["AAPL"]), providers=["polygon"], brokers=["sim"], faults="false_cancel sim at=0s for=1s")
