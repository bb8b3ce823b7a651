"""Recovery over the whole engine is in test_engine.py; here, what the paper broker is told."""

import asyncio

from engine.core.orders import Action
from engine.execution.algos.limit import Limit
from engine.live import Engine
from engine.storage.journal_file import MemoryFile
from tests.live.desk import run


def test_a_paper_account_is_what_the_journal_says():
    async def scene(desk):
        offer = desk.rest("sell", 101, 50)
        desk.rest("sell", 103, 50)
        desk.rest("buy", 99, 50)
        await asyncio.sleep(0.1)
        file = MemoryFile()
        async with Engine(desk.market, "paper", journal=file, on_exit="keep", seed=1) as engine:
            order = engine.submit("AAPL", "buy", 80, Limit(101))
            await asyncio.sleep(1)
            assert order.cumulative == 50
        desk.rest("sell", 101, 50, number=offer, action=Action.CANCEL)
        await asyncio.sleep(0.1)
        async with Engine(desk.market, "paper", journal=MemoryFile(file.content), seed=1) as engine:
            (order,) = engine.orders()
            assert (order.cumulative, order.leaves) == (50, 30)
            assert engine.health()["in_doubt"] == []
            assert engine.health()["brokers"]["paper"]["quarantined"] == {}
            desk.rest("sell", 101, 40)
            await order.done()
            return order.state, engine.position("AAPL").quantity

    assert run(scene) == ("filled", 80)
