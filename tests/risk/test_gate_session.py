"""The kill switch in the whole trader, at random times, with bad brokers and kills of the process between."""

import pytest

from engine.core.trading import Halt, Place, Release, Replace, Withdraw
from tests.execution.algos.test_twap_session import Worked
from tests.trader.adversary import NANO


class Halted(Worked):
    """Somebody halts and releases at random."""

    def __init__(self, seed):
        self.cancels = 0
        super().__init__(seed)
        self.at(self.now + self.random.randrange(1, 10) * NANO, self.halt)

    def halt(self):
        self.inputs.append(Halt("enough"))
        self.at(self.now + self.random.randrange(1, 8) * NANO, self.release)

    def release(self):
        self.inputs.append(Release())
        self.at(self.now + self.random.randrange(1, 8) * NANO, self.halt)

    def kill(self, commands=()):
        before = self.trader.halted
        super().kill(commands)
        if self.trader.halted != before:
            self.fail(f"halted was {before!r}, after the restart {self.trader.halted!r}")

    def send(self, commands):
        for command in commands if self.trader.halted else ():
            self.cancels += isinstance(command, Withdraw)
            if isinstance(command, Place):
                self.fail(f"{command} while halted")
            if isinstance(command, Replace):
                child = self.trader.children[command.order.intent.replaces]
                intent = command.order.intent
                if intent.increase >= 0 or intent.price != child.price:
                    self.fail(f"{command} while halted")
        super().send(commands)


@pytest.mark.parametrize("seeds", [range(8), range(8, 16)], ids=str)
def test_while_halted_nothing_grows_and_cancels_pass(seeds):
    sessions = [Halted(seed) for seed in seeds]
    for session in sessions:
        assert session.run() == []
    assert sum(session.cancels for session in sessions) > 0
