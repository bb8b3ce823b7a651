"""A broker that does everything wrong that brokers do, with the truth beside it, and a driver in virtual time.

One seed is one session: an algorithm that places, withdraws and replaces at random; requests and reports that are lost,
late, doubled and reordered; false cancels, busts, lines that break, a process that is killed between journal and wire.
Then the faults stop, and what the trader believes is held against the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

from engine.core.trading import (
    Holding,
    OrderState,
    Place,
    Query,
    Reconcile,
    Replace,
    Report,
    ReportKind,
    Snapshot,
    Withdraw,
)
from engine.execution.planner import Change, Plan, Want

NANO = 1_000_000_000
MS = NANO // 1000
ANSWER = 1_200 * MS
BOUND = 20 * NANO  #: every intent is resolved within this after the faults stopped
LIVE = {OrderState.NEW, OrderState.PARTIALLY_FILLED}


@dataclass(frozen=True)
class Scatter:
    """An algorithm that does anything it may."""

    seed: int
    levels: ClassVar[int] = 0
    limit_nanos: int = 100 * NANO

    def check(self, quantity, lot, tick):
        pass

    def window(self, now, open_, close):
        return now, 0

    def planner(self, quantity, lot, tick, start, end, seed):
        return ScatterPlanner(Random(self.seed))


class ScatterPlanner:
    def __init__(self, random):
        self.random = random

    def plan(self, view, now):
        random = self.random
        wake = now + random.randrange(50, 900) * MS
        place, withdraw, change = [], [], []
        free = view.free
        while free >= NANO and random.random() < 0.5 and len(view.working) < 8:
            quantity = random.randint(1, free // NANO) * NANO
            free -= quantity
            place.append(Want(quantity, 100 * NANO, random.choice(["day", "day", "ioc"])))
        for one in view.working:
            if one.state not in LIVE:
                continue
            draw = random.random()
            if draw < 0.1:
                withdraw.append(one.child)
            elif draw < 0.2:
                more = random.randint(-1, free // NANO) * NANO
                free -= max(0, more)
                quantity = one.quantity + more
                if quantity > 0:
                    change.append(Change(one.child, quantity, one.price - random.randint(0, 3) * NANO))
        return Plan(tuple(place), tuple(withdraw), tuple(change), wake)


@dataclass
class Real:
    """An order as it really is."""

    id: str
    symbol: str
    side: str
    quantity: int
    price: int
    created: int
    venue: str
    filled: int = 0
    state: OrderState = OrderState.NEW
    executions: dict[str, Report] = field(default_factory=dict)
    busted: set[str] = field(default_factory=set)
    former: list[tuple[int, str]] = field(default_factory=list)  # (until, id)
    stamp: int = 0
    lie_until: int = 0

    @property
    def live(self):
        return self.state in LIVE

    @property
    def leaves(self):
        return self.quantity - self.gross if self.live else 0

    @property
    def gross(self):
        return sum(one.quantity for one in self.executions.values())


@dataclass(frozen=True)
class Faults:
    """How likely each fault is, per request or report."""

    lose_request: float = 0.05
    lose_report: float = 0.05
    double: float = 0.05
    late: float = 0.1
    reject: float = 0.03
    false_cancel: float = 0.03
    bust: float = 0.02
    line: float = 0.01
    kill: float = 0.01
    power: float = 0.0  #: the machine stops, and the last records are lost though their commands had left


QUIET = Faults(*[0.0] * 9)


class Broker:
    """The truth, and what is told of it."""

    def __init__(self, facts, random, world):
        self.facts, self.random, self.world = facts, random, world
        self.orders: dict[str, Real] = {}
        self.position: dict[str, int] = {}
        self.up = False
        self.line = 0  # number of the connection
        self.count = 0
        self.with_executions = random.random() < 0.5

    # -- wire

    def send(self, command):
        """The adapter: answers in time, or tells that the outcome is unknown."""
        world, random, line = self.world, self.random, self.line
        if not self.up:
            if isinstance(command, Place):
                self.tell(
                    Report(
                        self.facts.name, ReportKind.REJECTED, command.order.intent.client_order_id, reason="not sent"
                    ),
                    sure=True,
                )
            return
        key = object()
        world.waiting[key] = (self, line, command)
        world.at(world.now + ANSWER, lambda: self.give_up(key, command))
        if random.random() < world.faults.lose_request:
            return
        delay = random.randrange(1, 40) * MS
        if random.random() < world.faults.late:
            delay += random.randrange(900) * MS
        world.at(world.now + delay, lambda: self.arrive(command, key, line))

    def give_up(self, key, command):
        if self.world.waiting.pop(key, None) is None:
            return
        name = _id_of(command)
        if isinstance(command, Reconcile):
            self.tell(Snapshot(self.facts.name, 0, complete=False), sure=True)
        elif not isinstance(command, Query):
            self.tell(Report(self.facts.name, ReportKind.UNKNOWN_OUTCOME, name, reason="no answer"), sure=True)

    def answer(self, key, line, *messages):
        """A response; it may be lost."""
        random, world = self.random, self.world
        if random.random() < world.faults.lose_report:
            return

        def deliver():
            if world.waiting.pop(key, None) is not None and self.line == line and self.up:
                for one in messages:
                    world.inputs.append(one)

        world.at(world.now + random.randrange(1, 40) * MS, deliver)

    def tell(self, message, sure=False):
        """An event on the stream; it may be lost, late or doubled."""
        random, world, line = self.random, self.world, self.line
        if sure:
            world.at(world.now, lambda: world.inputs.append(message))
            return
        if not self.up or random.random() < world.faults.lose_report:
            return
        for _ in range(1 + (random.random() < world.faults.double)):
            delay = random.randrange(1, 20) * MS
            if random.random() < world.faults.late:
                delay += random.randrange(3000) * MS

            def deliver():
                if self.up and self.line == line:
                    world.inputs.append(message)

            world.at(world.now + delay, deliver)

    # -- the broker's side

    def arrive(self, command, key, line):
        match command:
            case Place():
                self.new(command.order.intent, key, line)
            case Replace():
                self.replace(command.order.intent, key, line)
            case Withdraw():
                self.cancel(command, key, line)
            case Query():
                self.query(command, key, line)
            case Reconcile():
                self.answer(key, line, self.snapshot(command.since))

    def report(self, kind, order, **more):
        return Report(
            self.facts.name, kind, order.id, order.venue, cumulative=order.filled, leaves=order.leaves,
            symbol=order.symbol, side=order.side, ts_event=self.world.now, **more,
        )  # fmt: skip

    def new(self, intent, key, line):
        name, world = intent.client_order_id, self.world
        if name in self.orders:
            world.fail(f"{name} was sent twice")
        if self.random.random() < world.faults.reject:
            self.answer(key, line, Report(self.facts.name, ReportKind.REJECTED, name, reason="no"))
            return
        self.count += 1
        order = Real(name, intent.symbol, intent.side, intent.quantity, intent.price, world.now, f"v{self.count}")
        self.orders[name] = order
        world.check_truth(order)
        if self.random.random() < 0.3:
            self.fill(order)  # before the acknowledgement
        self.answer(key, line, self.report(ReportKind.ACCEPTED, order))
        if self.random.random() < 0.5:
            self.tell(self.report(ReportKind.ACCEPTED, order))
        if intent.tif == "ioc":
            if order.live:
                self.end(order, OrderState.CANCELLED)
            return
        self.work(order)

    def work(self, order):
        random, world = self.random, self.world

        def go():
            if order.live:
                if random.random() < 0.5:
                    self.fill(order)
                if random.random() < world.faults.false_cancel:
                    order.lie_until = world.now + random.randrange(200) * MS
                    self.tell(self.report(ReportKind.CANCELLED, order))
                self.work(order)

        world.at(world.now + random.randrange(20, 3000) * MS, go)

    def fill(self, order):
        random = self.random
        quantity = random.randint(1, order.leaves // NANO) * NANO
        self.count += 1
        order.filled += quantity
        execution = f"e{self.count}"
        order.stamp = self.world.now
        order.executions[execution] = Report(
            self.facts.name, ReportKind.FILL, order.id, order.venue, execution, quantity=quantity, price=order.price,
            cumulative=order.filled, symbol=order.symbol, side=order.side, fee=quantity // 1000,
            ts_event=self.world.now,
        )  # fmt: skip
        order.state = OrderState.PARTIALLY_FILLED if order.gross < order.quantity else OrderState.FILLED
        self.move(order, quantity)
        self.tell(order.executions[execution]._replace(leaves=order.leaves))
        self.world.check_truth(order)
        if random.random() < self.world.faults.bust:
            self.world.at(self.world.now + random.randrange(5000) * MS, lambda: self.bust(order, execution))

    def bust(self, order, execution):
        if execution in order.busted:
            return
        order.busted.add(execution)
        quantity = order.executions[execution].quantity
        order.filled -= quantity
        order.stamp = self.world.now
        self.move(order, -quantity)
        self.tell(self.report(ReportKind.BUST, order, reference=execution))

    def move(self, order, quantity):
        sign = 1 if order.side == "buy" else -1
        self.position[order.symbol] = self.position.get(order.symbol, 0) + sign * quantity

    def end(self, order, state):
        order.state, order.stamp = state, self.world.now
        self.tell(self.report(ReportKind.CANCELLED, order))

    def replace(self, intent, key, line):
        order = self.orders.get(intent.replaces)
        if (
            order is None
            or not order.live
            or order.id != intent.replaces
            or self.random.random() < self.world.faults.reject
        ):
            self.answer(
                key, line, Report(self.facts.name, ReportKind.REPLACE_REJECTED, intent.client_order_id, reason="no")
            )
            return
        order.former.append((self.world.now, order.id))
        order.id, order.price = intent.client_order_id, intent.price
        self.orders[order.id] = order
        order.quantity = intent.quantity
        order.stamp = self.world.now
        if order.gross >= order.quantity:
            order.quantity = order.gross
            order.state = OrderState.CANCELLED
        self.world.check_truth(order)
        self.answer(key, line, self.report(ReportKind.REPLACED, order))
        if self.random.random() < 0.5:
            self.tell(self.report(ReportKind.REPLACED, order))
        if not order.live:
            self.tell(self.report(ReportKind.CANCELLED, order))

    def cancel(self, command, key, line):
        order = self.orders.get(command.client_order_id)
        if order is None or not order.live or order.id != command.client_order_id:
            self.answer(
                key, line, Report(self.facts.name, ReportKind.CANCEL_REJECTED, command.client_order_id, reason="no")
            )
            return
        self.answer(key, line)
        if self.random.random() < 0.3:
            self.fill(order)
        if order.live:
            self.world.at(
                self.world.now + self.random.randrange(100) * MS,
                lambda: order.live and self.end(order, OrderState.CANCELLED),
            )

    def visible(self, order):
        """Reads come from a copy that lags behind new orders."""
        lag = self.random.randrange(self.facts.visibility_delay_ns) if self.world.faults is not QUIET else 0
        return order.created <= self.world.now - lag

    def query(self, command, key, line):
        order = self.orders.get(command.client_order_id)
        if order is None or not self.visible(order) or (order.id != command.client_order_id and not order.former):
            self.answer(key, line, Report(self.facts.name, ReportKind.NOT_FOUND, command.client_order_id))
            return
        if order.id != command.client_order_id:  # a former id
            status = self.report(ReportKind.STATUS, order)._replace(
                client_order_id=command.client_order_id, state=OrderState.REPLACED, cumulative=-1, leaves=-1
            )
            self.answer(key, line, status)
            return
        executions = self.executions(order) if self.with_executions else []
        self.answer(key, line, *executions, self.status(order))

    def status(self, order):
        state = order.state
        if state is OrderState.NEW and order.filled:
            state = OrderState.PARTIALLY_FILLED
        return self.report(ReportKind.STATUS, order, state=state, price=order.price)

    def executions(self, order):
        for execution, fill in order.executions.items():
            if execution in order.busted:
                yield self.report(ReportKind.BUST, order, reference=execution)
            else:
                yield fill

    def snapshot(self, since):
        found = {
            id(order): order for order in self.orders.values() if order.live or max(order.created, order.stamp) >= since
        }
        executions = [one for order in found.values() for one in self.executions(order)]
        orders = [self.status(order) for order in found.values() if self.visible(order)]
        positions = tuple(Holding(symbol, quantity) for symbol, quantity in self.position.items())
        return Snapshot(self.facts.name, since, tuple(orders), tuple(executions), positions, ts_recv=self.world.now)


def _id_of(command):
    return (
        command.order.intent.client_order_id
        if isinstance(command, Place | Replace)
        else getattr(command, "client_order_id", "")
    )
