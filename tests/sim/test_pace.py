import asyncio

import numpy as np

from engine import EVENT, World
from engine.sim import loop
from engine.sim.pace import play
from engine.sim.world import OPEN


def test_batches_come_at_their_times_under_the_markets_numbers():
    world = World(["AAPL", "MSFT"], 1, "1s", interval="100ms")
    heard = []

    async def main():
        clock = asyncio.get_running_loop().clock
        await play(world, lambda name, events: heard.append((clock(), events)), [5, 3], clock)

    loop.run(main(), start=OPEN)
    times = [int(batch["ts_recv"][-1]) for batch in world]
    assert [now for now, _ in heard] == times
    assert {int(number) for _, events in heard for number in np.unique(events["instrument"])} == {3, 5}
    assert all(events.dtype == EVENT for _, events in heard)
