"""The context manager users have."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.asyncio.client import connect

from engine.core.config import Provider
from engine.core.events import Side
from engine.errors import ConfigError
from engine.sim.faults import Fault
from engine.sim.simulation import Simulation
from engine.sim.world import World


def test_providers_truth_and_the_end_of_everything():
    async def work() -> None:
        world = World(["AAA", "BBB"], seed=4, duration="1h", rate=300)
        simulation = Simulation(world, ["polygon", "alpaca-sip", "finnhub", "iex-tops"], faults="mute polygon for=1s")
        assert simulation.providers == ()
        async with simulation as sim:
            polygon, alpaca, finnhub, iex = sim.providers
            assert isinstance(polygon, Provider)
            assert [provider.name for provider in sim.providers] == ["polygon", "alpaca", "finnhub", "iex"]
            assert [provider.line for provider in sim.providers] == ["polygon", "alpaca-sip", "finnhub", "iex-tops"]
            assert alpaca.url.endswith("/v2/sip")
            assert alpaca.secret and polygon.key and finnhub.key  # noqa: PT018 - any will do
            assert (iex.key, iex.feed) == (None, "tops")
            async with connect(polygon.url) as client:
                assert "connected" in str(await client.recv())
            while not sim.truth.market.sequence:
                await asyncio.sleep(0.01)
            book, top = sim.truth.book("BBB"), sim.truth.nbbo("BBB")
            assert (book.best(Side.BID), book.best(Side.ASK)) == (top.bid.price, top.ask.price)
            assert book.depth(3)["bid_quantity"].min() > 0
            assert sim.truth.log.connections("polygon") == (1,)
            assert sim.faults == (Fault("mute", "polygon", 0, 1_000_000_000),)
            assert sim.elapsed > 0
        with pytest.raises(OSError):  # noqa: PT011 - refused, in the words of the system
            await connect(polygon.url)

    asyncio.run(asyncio.wait_for(work(), 20))


def test_the_truth_as_a_file(tmp_path):
    path = tmp_path / "truth.jsonl"

    async def work() -> None:
        async with (
            Simulation(providers=["polygon"], log=False, truth_file=path) as sim,
            connect(sim.urls["polygon"]) as client,
        ):
            await client.send('{"action":"auth","params":"k"}')
            await client.send('{"action":"subscribe","params":"Q.*"}')
            for _ in range(6):
                await client.recv()
            assert sim.truth.log.frames(1) == []

    asyncio.run(asyncio.wait_for(work(), 20))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["number"] for row in rows[:6]] == [1, 2, 3, 4, 5, 6]
    (change, *_) = rows[3]["changes"]
    assert change["symbol"] in {"AAPL", "MSFT", "SPY"}
    assert len(change["bid"]) == len(change["ask"]) == 3


def test_the_default_world_and_mistakes():
    assert Simulation().faults == ()
    with pytest.raises(ConfigError, match="expected one of"):
        Simulation(providers=["nobody"])
    with pytest.raises(ConfigError, match="column 1"):
        Simulation(faults="quiet polygon")
    with pytest.raises(KeyError, match="X"):
        asyncio.run(unknown())


async def unknown() -> None:
    async with Simulation(providers=["finnhub"]) as sim:
        sim.truth.book("X")
