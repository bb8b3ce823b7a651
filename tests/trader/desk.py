"""A trader with brokers that say what a test lets them say."""

from engine.core.trading import (
    BrokerFacts,
    LineState,
    Listing,
    OrderState,
    Place,
    Report,
    ReportKind,
    Restart,
    Snapshot,
    Submit,
    TopChange,
)
from engine.execution.algos import Limit
from engine.execution.codec import BATCH, SETUP, encode_batch
from engine.trader import Trader, TraderSetup, encode_setup

NANO = 1_000_000_000
MS = NANO // 1000
START = 1_700_000_000 * NANO
UID = "0123456789abcdef"


class Kept:
    """A journal record in memory."""

    def __init__(self, kind, sequence, now, payload):
        self.kind, self.sequence, self.now, self.payload, self.version = kind, sequence, now, payload, 1


class Desk:
    """Keeps the time, the journal, and everything the trader said."""

    def __init__(self, *names, check=None, limits=None, up=True, **facts):
        brokers = tuple(BrokerFacts(name, **facts) for name in names or ("one",))
        self.setup = TraderSetup(UID, brokers, **({} if limits is None else {"limits": limits}))
        self.trader = Trader(self.setup, check)
        self.now = START
        self.records = [Kept(SETUP, 1, START, encode_setup(self.setup))]
        self.updates = []
        self.commands = []
        self.answers = ()
        self.begin()
        if up:
            for one in brokers:
                self.up(one.name)

    def begin(self):
        self.step(Restart(), Listing(7, "AAPL", NANO // 100, NANO))
        self.top()

    def step(self, *inputs, after=0):
        """One step; returns its commands."""
        self.now += after
        turn = self.trader.step(inputs, self.now)
        self.records.append(
            Kept(BATCH, len(self.records) + 1, self.now, encode_batch(inputs, turn.answers, turn.commands))
        )
        self.updates += turn.updates
        self.commands += turn.commands
        self.answers = turn.answers
        return turn.commands

    def wait(self, ns):
        """Lets time pass, timer by timer; returns the commands."""
        until, found = self.now + ns, []
        while self.trader.next_timer <= until:
            self.now = max(self.now, self.trader.next_timer)
            found += self.step()
        self.now = until
        return found

    def top(self, bid=100, ask=101, state="live"):
        bid, ask = bid * NANO, ask * NANO
        return self.step(TopChange(7, bid, NANO, ask, NANO, bid, ask, state, self.now, self.now))

    def line(self, state, name="one"):
        return self.step(LineState("broker", name, state))

    def snapshot(self, name="one", orders=(), executions=(), positions=(), complete=True):
        return self.step(
            Snapshot(name, 0, tuple(orders), tuple(executions), tuple(positions), complete=complete), after=MS
        )

    def up(self, name="one"):
        return self.line("up", name) + self.snapshot(name)

    def submit(self, quantity=100, price="100", parent=1, side="buy", algo=None, **more):
        plain = (algo or Limit(price=price)).to_dict()
        return self.step(Submit(parent, 7, "AAPL", side, quantity * NANO, plain, **more))

    def report(self, kind, name, quantity=0, cumulative=None, leaves=None, broker="one", **more):
        more = {"price": 100 * NANO, "symbol": "AAPL"} | more
        if cumulative is not None:
            more["cumulative"] = cumulative * NANO
        if leaves is not None:
            more["leaves"] = leaves * NANO
        return Report(broker, ReportKind(kind), name, quantity=quantity * NANO, **more)

    def tell(self, kind, name, quantity=0, after=MS, **more):
        return self.step(self.report(kind, name, quantity, **more), after=after)

    def child(self, place=-1):
        return list(self.trader.children.values())[place]

    def placed(self):
        return [one.order.intent for one in self.commands if isinstance(one, Place)]

    def cancelled(self, name, cumulative=0):
        """The broker says so, and a read confirms it."""
        return self.tell("cancelled", name) + self.tell(
            "status", name, state=OrderState.CANCELLED, cumulative=cumulative, leaves=0
        )
