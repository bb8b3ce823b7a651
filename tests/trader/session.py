"""One session against bad brokers in virtual time: see `tests.trader.adversary`."""

import heapq
from dataclasses import dataclass
from random import Random
from typing import Any

from engine.core.trading import (
    Amend,
    BrokerFacts,
    Cancel,
    LineState,
    Listing,
    Pause,
    Place,
    Replace,
    Restart,
    Resume,
    Submit,
    TopChange,
)
from engine.execution.codec import BATCH, SETUP, encode_batch
from engine.execution.timers import NEVER
from engine.risk.limits import Limits
from engine.trader import Trader, TraderSetup, encode_setup, recover
from tests.trader.adversary import BOUND, MS, NANO, QUIET, Broker, Faults, Scatter


@dataclass(frozen=True)
class Kept:
    kind: int
    sequence: int
    now: int
    payload: bytes
    version: int = 1


class Session:
    """One seed."""

    def __init__(self, seed: int, faults: Faults | None = None, parents: int = 4, duration: int = 30 * NANO):
        self.seed = seed
        self.random = Random(seed)
        self.faults = Faults() if faults is None else faults
        self.duration = duration
        self.start = self.now = 1_700_000_000 * NANO
        self.heap: list[Any] = []
        self.order = 0
        self.waiting: dict[Any, Any] = {}
        self.inputs: list[Any] = []
        self.records: list[Kept] = []
        self.problems: list[str] = []
        self.asked: dict[int, int] = {}
        self.killed = 0
        self.submits: list[Submit] = []
        names = ["one", "two"][: self.random.randint(1, 2)]
        self.make(names)
        facts = tuple(broker.facts for broker in self.brokers.values())
        limits = Limits(
            orders_per_second=None, orders_per_minute=None, duplicates=None, order_notional=None, gross_exposure=None,
            data_age=None, collar_bps=None,
        )  # fmt: skip
        settle = 4 * NANO if self.faults.power else 0
        self.setup = TraderSetup(f"{seed:08x}ffff", facts, limits, seed, settle)
        self.trader = Trader(self.setup, algo=self.algo)
        self.keep(SETUP, encode_setup(self.setup))
        self.inputs += [Restart(), Listing(3, "AAPL", NANO // 100, NANO), self.top()]
        for broker in self.brokers.values():
            self.connect(broker, self.random.randrange(500) * MS)
            self.trouble(broker)
        for number in range(1, parents + 1):
            self.at(self.now + self.random.randrange(1, 8) * NANO, lambda number=number: self.submit(number))

    def make(self, names):
        """The brokers."""
        self.brokers = {}
        for place, name in enumerate(names):
            facts = BrokerFacts(name, native_replace=self.random.random() < 0.7)
            self.brokers[name] = Broker(facts, Random(self.seed * 7 + place), self)

    def algo(self, plain):
        return Scatter(plain["seed"])

    def top(self):
        return TopChange(3, 99 * NANO, NANO, 101 * NANO, NANO, 99 * NANO, 101 * NANO, "live", self.now, self.now)

    def submit(self, number):
        side = self.random.choice(["buy", "sell"])
        quantity = self.random.randint(1, 20) * 10 * NANO
        self.asked[number] = quantity
        plain = {"seed": self.seed * 100 + number}
        self.submits.append(Submit(number, 3, "AAPL", side, quantity, plain, key=f"k{number}"))
        self.inputs.append(self.submits[-1])
        self.at(self.now + self.random.randrange(30) * NANO, lambda: self.meddle(number))

    def meddle(self, number):
        """The user changes their mind."""
        draw = self.random.random()
        if draw < 0.5:
            self.inputs.append(Cancel(number))
        elif draw < 0.7:
            self.inputs.append(Pause(number))
            self.at(self.now + self.random.randrange(5) * NANO, lambda: self.inputs.append(Resume(number)))
        else:
            quantity = self.random.randint(1, 40) * 10 * NANO
            self.asked[number] = max(self.asked[number], quantity)
            self.inputs.append(Amend(number, quantity=quantity))

    # -- time

    def at(self, when, what):
        self.order += 1
        heapq.heappush(self.heap, (when, self.order, what))

    def connect(self, broker, after):
        def up():
            if not broker.up:
                broker.up = True
                broker.line += 1
                self.inputs.append(LineState("broker", broker.facts.name, "up"))

        self.at(self.now + after, up)

    def cut(self, broker):
        if broker.up:
            broker.up = False
            for key in [key for key, (one, _, _) in self.waiting.items() if one is broker]:
                broker.give_up(key, self.waiting[key][2])
            self.inputs.append(LineState("broker", broker.facts.name, "down", "cut"))

    def trouble(self, broker):
        def go():
            if self.random.random() < self.faults.line * 20:
                self.cut(broker)
                self.connect(broker, self.random.randrange(4000) * MS)
            if self.faults is not QUIET:
                self.at(self.now + NANO, go)

        self.at(self.now + NANO, go)

    def keep(self, kind, payload):
        self.records.append(Kept(kind, len(self.records) + 1, self.now, payload))

    def step(self):
        if self.random.random() < self.faults.kill and self.records:
            self.kill()
        inputs, self.inputs = self.inputs, []
        turn = self.trader.step(inputs, self.now)
        self.keep(BATCH, encode_batch(inputs, turn.answers, turn.commands))
        self.check()
        if self.random.random() < self.faults.kill / 4:
            self.kill(turn.commands[: self.random.randint(0, len(turn.commands))])
            return
        self.send(turn.commands)
        if self.faults.power and self.random.random() < self.faults.power:
            self.kill(lose=self.random.randint(1, 12))

    def send(self, commands):
        for command in commands:
            broker = command.order.intent.broker if isinstance(command, Place | Replace) else command.broker
            self.brokers[broker].send(command)

    def kill(self, commands=(), lose=0):
        """The process ends after the journal took the batch and some of its commands left; a new one begins.

        With ``lose``, the machine stopped, and a journal that is not synced lost its last records.
        """
        self.send(commands)
        before = state_of(self.trader)
        if lose:
            self.records = self.records[: max(1, len(self.records) - lose)]
        self.restart()
        if not lose and state_of(self.trader) != before:
            self.fail("the journal leads to another state")
        self.begin_again(lose)

    def restart(self):
        """A process finds itself in the journal."""
        self.killed += 1
        self.disconnect_all()
        self.trader, rerun = recover(self.records, self.setup, algo=self.algo)
        if rerun.first_difference:
            self.fail(rerun.first_difference)

    def begin_again(self, lose=0):
        """What a process does first."""
        self.keep(SETUP, encode_setup(self.setup))
        self.inputs = [Restart(), Listing(3, "AAPL", NANO // 100, NANO), self.top()]
        for broker in self.brokers.values():
            self.connect(broker, (1000 if lose else 0) + self.random.randrange(2000) * MS)
        if lose:
            self.inputs += self.submits  # the user asks again, under the same keys

    def disconnect_all(self):
        for broker in self.brokers.values():
            broker.up = False
        self.waiting.clear()

    def run(self):
        """To the end; returns what went wrong."""
        self.loop(self.start + self.duration)
        self.faults = QUIET
        for broker in self.brokers.values():
            self.connect(broker, 0)
        for number in list(self.asked):
            self.inputs.append(Resume(number))
            self.inputs.append(Cancel(number))
        self.loop(self.now + BOUND)
        self.check_end()
        return self.problems

    def loop(self, until):
        while not self.problems:
            when = min(self.heap[0][0] if self.heap else NEVER, self.trader.next_timer)
            if self.inputs:
                when = self.now
            if when > until:
                break
            self.now = max(self.now, when)
            while self.heap and self.heap[0][0] <= self.now:
                heapq.heappop(self.heap)[2]()
            if self.inputs or self.trader.next_timer <= self.now:
                self.step()
        self.now = max(self.now, until)

    # -- what must hold

    def fail(self, text):
        self.problems.append(f"seed {self.seed} at {(self.now - self.start) / NANO:.3f} s: {text}")

    def check_truth(self, order):
        """Never may more be at work or filled in truth than was asked for: that is a doubled order."""
        number = int(order.id.split("-")[1])
        own = {
            id(one): one
            for broker in self.brokers.values()
            for one in broker.orders.values()
            if int(one.id.split("-")[1]) == number
        }
        total = sum(one.quantity if one.live else one.filled for one in own.values())
        if total > self.asked[number]:
            self.fail(f"parent {number}: {total / NANO} may trade of {self.asked[number] / NANO}")

    def check(self):
        for parent in self.trader.parents.values():
            if parent.committed != sum(child.committed for child in parent.children):
                self.fail(f"parent {parent.number} holds {parent.committed}")
            if parent.cumulative != sum(child.cumulative for child in parent.children):
                self.fail(f"parent {parent.number} filled {parent.cumulative}")
            if list(parent.live.values()) != [child for child in parent.live.values() if not child.over]:
                self.fail(f"parent {parent.number} keeps children that are over")
            for child in parent.children:
                if child.cumulative + child.leaves + child.cancelled != child.ordered:
                    self.fail(f"{child.id}: {child.cumulative} + {child.leaves} + {child.cancelled} != {child.ordered}")
                if child.cumulative != sum(one.quantity for one in child.fills.values()) + (
                    child.inferred.quantity if child.inferred else 0
                ):
                    self.fail(f"{child.id}: {child.cumulative} is not the sum of its fills")

    def truths(self):
        """Each order as it really is: broker, client order id, whether it works, what may trade, what did."""
        for name, broker in self.brokers.items():
            for order in {id(one): one for one in broker.orders.values()}.values():
                yield name, order.id, order.live, order.leaves + order.gross, order.filled

    def positions(self):
        """Symbol and quantity, once a broker."""
        for broker in self.brokers.values():
            yield from broker.position.items()

    def check_end(self):
        if self.problems:
            return
        for name, line in self.trader.orders.lines.items():
            for child in line.open.values():
                self.fail(f"{child.id} is not resolved: {child.state}, {child.stated}, {child.replacement}")
            if (reason := line.quarantine("AAPL")) and not self.killed:
                self.fail(f"{name} has it in quarantine: {reason}")
        for _, name, live, _, filled in self.truths():
            child = self.trader.children.get(name)
            if child is None:
                self.fail(f"{name} is lost")
            elif child.cumulative != filled:
                self.fail(f"{name} filled {filled}, the trader has {child.cumulative} in {child.state}")
            elif child.inferred is not None:
                self.fail(f"{name}: a fill is still inferred")
            if live:
                self.fail(f"{name} still works")
        position: dict[str, int] = {}
        for symbol, quantity in self.positions():
            position[symbol] = position.get(symbol, 0) + quantity
        for symbol, quantity in position.items():
            ours = self.trader.positions[self.trader.traded[symbol].index].quantity
            if ours != quantity:
                self.fail(f"position of {symbol} is {quantity}, the trader has {ours}")
        for parent in self.trader.parents.values():
            if parent.is_open:
                self.fail(f"parent {parent.number} is still {parent.state}")


def state_of(trader):
    """Everything that decides, as plain values."""
    children = {
        name: (child.id, child.state, child.cumulative, child.quantity, child.over, child.stated, child.leaves)
        for name, child in trader.children.items()
    }
    return {number: parent.to_dict() for number, parent in trader.parents.items()}, children, trader.next_timer
