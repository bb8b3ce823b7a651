"""Algorithms in the trader, against brokers that do everything wrong: nothing is lost or doubled, every limit holds."""

from random import Random

import pytest

from engine.core.trading import Place, Replace, TopChange
from engine.execution.algos import algo_from_dict
from engine.execution.algos.immediate import Immediate
from engine.execution.algos.limit import Limit
from engine.execution.algos.twap import TWAP
from tests.trader.adversary import NANO
from tests.trader.session import Session

CENT = NANO // 100


class Worked(Session):
    """A session whose parents are worked by what users choose, on a market that moves a little."""

    def algo(self, plain):
        chance = Random(plain["seed"])
        limit = chance.choice([None, "100", "100.50"])
        most = chance.choice([None, 50, 200])
        choices = [
            Limit(limit or 99, post_only=chance.random() < 0.5, tif=chance.choice(["day", "gtc"])),
            Immediate(limit=limit, tif=chance.choice(["ioc", "fok"])),
            TWAP(duration=chance.choice(["5s", "20s", "10m"]), slices=chance.randint(4, 8), jitter="1s", limit=limit,
                 max_slice=most, style=chance.choice(["passive", "cross"])),
        ]  # fmt: skip
        return algo_from_dict(chance.choice([choices[0], choices[1], choices[2], choices[2]]).to_dict())

    def top(self):
        middle = 10_000 + self.random.randrange(-100, 100)
        bid, ask = (middle - 1) * CENT, (middle + 1) * CENT
        state = "live" if self.random.random() < 0.9 else "stale"
        levels = (((ask, 500 * NANO),), ((bid, 500 * NANO),))
        return TopChange(
            3, bid, 500 * NANO, ask, 500 * NANO, bid, ask, state, self.now, self.now, 0, 0, levels[1], levels[0]
        )

    def trouble(self, broker):
        super().trouble(broker)
        self.tick()

    def tick(self):
        self.inputs.append(self.top())
        self.at(self.now + self.random.randrange(20, 2000) * NANO // 1000, self.tick)

    def send(self, commands):
        for command in commands:
            if isinstance(command, Place | Replace):
                intent = command.order.intent
                parent = self.trader.parents[intent.parent]
                limit = parent.price
                if intent.price <= 0 or intent.price % CENT or intent.quantity % NANO:
                    self.fail(f"{intent} is off the tick or the lot")
                if limit and (intent.price > limit if intent.side == "buy" else intent.price < limit):
                    self.fail(f"{intent} is beyond {limit}")
        super().send(commands)


@pytest.mark.parametrize("seed", range(20))
def test_worked_by_the_real_ones(seed):
    assert Worked(seed).run() == []
