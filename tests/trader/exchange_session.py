"""The same session on the engine's simulated brokers, over their wire, matched by a venue where others trade too."""

from random import Random

import numpy as np

from engine import Instruments, Venue
from engine.brokers.local import LocalProtocol
from engine.core.events import Side
from engine.core.orders import ORDER, Action, TimeInForce
from engine.sim.account import Fees
from engine.sim.broker import SimBroker
from engine.sim.exchange import Exchange, VenueMatching
from engine.sim.faults import BROKER_KINDS, MOMENTS
from tests.trader.adversary import MS, NANO, QUIET, Faults
from tests.trader.session import Session

CASH = 10**9 * NANO


class End:
    """A broker, its line, and the adapter of the trader's present process."""

    def __init__(self, name, world, exchange, seed, faults):
        self.world = world
        self.sim = SimBroker(
            name, exchange, {"AAPL": 0}, start=world.start, cash=CASH, fees=Fees(NANO // 200, NANO), seed=seed,
            faults=faults,
        )  # fmt: skip
        self.line = self.sim.line
        self.facts = self.sim.facts
        self.line.stirred = self.wait
        self.due = 0
        self.adapter = LocalProtocol(self.facts)
        self.up = False

    def connect(self):
        if self.up:
            return
        if self.line.connect(self.world.now):
            self.up = True
            self.adapter.opened(self.world.now)
            self.pump()
        else:
            self.world.connect(self, 200 * MS)

    def close(self, reason):
        """The line broke, or the adapter gave it up."""
        if self.up:
            self.up = False
            self.line.disconnect()
            self.adapter.closed(reason, self.world.now)
        self.world.connect(self, self.world.random.randrange(50, 1500) * MS)

    def die(self):
        """The trader's process ended."""
        self.up = False
        self.line.disconnect()
        self.adapter = LocalProtocol(self.facts)

    def send(self, command):
        self.adapter.encode(command, self.world.now)
        self.pump()

    def pump(self):
        world = self.world
        self.line.advance(world.now)
        for data in self.line.take_outgoing():
            self.adapter.receive(data, world.now)
        self.adapter.timer(world.now)
        for outgoing in self.adapter.take_outgoing():
            self.line.receive(outgoing.data, world.now)
        world.inputs += self.adapter.take_inputs()
        if self.line.dropped:
            self.line.dropped = False
            self.close("dropped")
        elif self.up and self.adapter.broken:
            self.close(self.adapter.broken)
        world.inputs += self.adapter.take_inputs()
        self.wait()

    def wait(self):
        due = min(self.line.next_time, self.adapter.timer(self.world.now))
        if due < self.due or self.due <= self.world.now:
            self.due = due
            self.world.at(max(due, self.world.now), lambda: self.fire(due))

    def fire(self, due):
        if due == self.due:
            self.due = 0
            self.pump()


class Crowd:
    """Others who trade."""

    def __init__(self, world, exchange):
        self.world, self.exchange = world, exchange
        self.owner = exchange.join(self)
        self.go()

    def matched(self, reports, now):
        pass

    def go(self):
        random, now = self.world.random, self.world.now
        row = np.zeros(1, ORDER)
        side = random.choice([Side.BID, Side.ASK])
        row["ts"], row["order_id"], row["owner"] = now, 1 << 62 | self.exchange.next_number(), self.owner
        row["action"], row["side"] = Action.NEW, side
        row["price"], row["quantity"] = (100 + random.randint(-5, 5)) * NANO, random.randint(1, 40) * NANO
        row["tif"] = random.choice([TimeInForce.IOC, TimeInForce.IOC, TimeInForce.DAY])
        self.exchange.submit(row, now)
        for end in self.world.brokers.values():
            end.pump()
        if self.world.faults is not QUIET:
            self.world.at(now + random.randrange(10, 300) * MS, self.go)


def some_faults(random, name, seconds):
    """A text of faults of one line."""
    found = []
    for kind in BROKER_KINDS:
        while random.random() < 0.55:
            start = random.randrange(seconds * 1000)
            words = [kind, name, f"at={start}ms"]
            if kind not in MOMENTS:
                longest = 4_000 if kind in {"half_open", "throttle"} else 15_000
                words.append(f"for={min(random.randrange(200, longest), seconds * 1000 - start)}ms")
            if kind in {"lost_response", "reject", "early_fill", "late_cancel", "false_cancel", "swallow", "partial"}:
                words.append(f"rate={random.choice([5, 20, 60, 100])}")
            if kind in {"lag", "early_fill", "late_cancel", "clock_skew"}:
                words.append(f"by={random.randrange(1, 900)}ms")
            found.append(" ".join(words))
    return ";".join(found)


class ExchangeSession(Session):
    """One seed."""

    def make(self, names):
        random = Random(self.seed + 1)
        seconds = self.duration // NANO
        exchange = Exchange(VenueMatching(Venue(Instruments(["AAPL"]), events=True)), self.now)
        self.texts = {name: some_faults(random, name, seconds) for name in names}
        self.brokers = {name: End(name, self, exchange, self.seed, self.texts[name]) for name in names}
        self.crowd = Crowd(self, exchange)

    def connect(self, end, after):
        self.at(self.now + after, end.connect)

    def trouble(self, end):
        pass

    def disconnect_all(self):
        for end in self.brokers.values():
            end.die()

    def truths(self):
        """Each order: client order id, whether open, what may trade, what did, filled by executions that stand."""
        for name, end in self.brokers.items():
            for order in end.sim.account.orders.values():
                stands = sum(one.quantity for one in order.executions if not one.busted)
                yield name, order.client_order_id, order.is_open, max(order.leaves, 0) + stands, stands

    def positions(self):
        for end in self.brokers.values():
            yield from end.sim.account.positions.items()

    def check(self):
        super().check()
        held = {}
        for _, name, live, may, stands in self.truths():
            number = int(name.split("-")[1])
            held[number] = held.get(number, 0) + (may if live else stands)
        for number, total in held.items():
            if total > self.asked[number]:
                self.fail(f"parent {number}: {total} may trade of {self.asked[number]}")

    def check_end(self):
        super().check_end()
        ours = -sum(end.sim.account.cash - CASH for end in self.brokers.values())
        if "AAPL" in self.trader.traded:
            position = self.trader.positions[self.trader.traded["AAPL"].index]
            if position.cash != -ours * NANO:
                self.fail(f"cash is {-ours * NANO}, the trader has {position.cash}")


__all__ = ["ExchangeSession", "Faults"]
