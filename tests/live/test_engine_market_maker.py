"""The market maker of the documentation, word for word, in virtual time on a made-up market."""

import asyncio
import re
from pathlib import Path

import pytest

from engine import Instruments, MarketData
from engine.live import Engine
from engine.sim import loop
from engine.sim.pace import play
from engine.sim.world import OPEN, World

TEXT = (Path(__file__).parents[2] / "docs" / "market-maker.md").read_text(encoding="utf-8")
(CODE,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_it_has_forty_lines():
    assert sum(bool(line.strip()) for line in CODE.splitlines()) <= 42


@pytest.mark.parametrize("seed", [1, 2])
def test_it_trades_both_ways_keeps_its_limit_and_leaves_nothing_behind(seed):
    names = {}
    exec(compile(CODE, "docs/market-maker.md", "exec"), names)

    async def main():
        clock = asyncio.get_running_loop().clock
        world = World(["AAPL"], seed, "6m", rate=100, interval="100ms")
        async with MarketData([], instruments=Instruments(["AAPL"]), clock=clock) as market:
            feed = asyncio.ensure_future(play(world, market.push, [0], clock))
            async with Engine(market, "paper", seed=1) as trading:
                largest = []
                trading.on_update(lambda _: largest.append(abs(trading.position("AAPL").quantity)))
                await names["bot"](market, trading)
                assert market.stats()["callbacks_stopped"] == 0
            feed.cancel()
            return trading.orders(), trading.position("AAPL"), max(largest)

    orders, position, largest = loop.run(main(), start=OPEN)
    bought = sum(order.cumulative for order in orders if order.side == "buy")
    sold = sum(order.cumulative for order in orders if order.side == "sell")
    assert bought > 0
    assert sold > 0
    assert bought - sold == position.quantity
    assert largest <= 600
    assert not any(order.is_open for order in orders)
