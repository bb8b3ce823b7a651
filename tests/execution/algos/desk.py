"""A slow, clear trader for one parent: keeps children, gives planners their view, and holds every plan to the rules."""

from engine.core.trading import OrderState, TopChange
from engine.execution.planner import View, Working

UNIT = 10**9
CENT = 10**7
START = 1_800_000_000 * UNIT


def book(bid=100_00, ask=100_02, *, shown=500, state="live", levels=3, at=START):
    """Prices in cents, quantities in shares; ``levels`` a cent apart, ``shown`` at each."""
    bids = tuple(((bid - step) * CENT, shown * UNIT) for step in range(levels)) if bid else ()
    asks = tuple(((ask + step) * CENT, shown * UNIT) for step in range(levels)) if ask else ()
    sizes = (shown * UNIT if bid else 0, shown * UNIT if ask else 0)
    best = bid * CENT, ask * CENT
    return TopChange(0, best[0], sizes[0], best[1], sizes[1], *best, state, at, at, 0, 0, bids, asks)


class Desk:
    """One parent. Quantities are counts of 1e-9 inside, shares in arguments."""

    def __init__(self, algo, quantity, side="buy", *, now=START, lot=UNIT, tick=CENT, hours=(0, 0), seed=1):
        self.side, self.quantity, self.lot, self.tick, self.hours = side, quantity * UNIT, lot, tick, hours
        self.price = algo.limit_nanos
        algo.check(self.quantity, lot, tick)
        self.start, self.end = algo.window(now, *hours)
        self.planner = algo.planner(self.quantity, lot, tick, self.start, self.end, seed)
        self.now = now
        self.top = book()
        self.children = {}
        self.cumulative = 0
        self.revision = 0
        self.ended = self.reason = ""
        self.hold = False
        self.sent = []  # (now, Want or Change) in order
        self.plan = None
        self.done = False

    @property
    def live(self):
        return sum(child.leaves for child in self.children.values())

    @property
    def free(self):
        return 0 if self.hold else max(self.quantity - self.cumulative - self.live, 0)

    def ask(self):
        """Asks the planner and does what it wants; returns the plan."""
        if self.done:
            return self.plan
        free = self.free
        view = View(
            self.side,
            self.quantity,
            self.cumulative,
            free,
            self.price,
            self.top,
            tuple(self.children.values()),
            self.tick,
            self.lot,
            *self.hours,
            self.ended,
            self.reason,
            self.revision,
        )
        plan = self.plan = self.planner.plan(view, self.now)
        assert sum(want.quantity for want in plan.place) <= free
        for want in plan.place:
            self.held_to_rules(want.price, want.quantity)
            assert 0 <= want.display <= want.quantity
            assert want.display % self.lot == 0
            name = f"c{len(self.sent)}"
            self.sent.append((self.now, want))
            self.children[name] = Working(
                name, want.price, want.quantity, want.quantity, OrderState.PENDING_NEW, want.tif, self.now
            )
        for name in plan.withdraw:
            assert self.children[name].state in {OrderState.NEW, OrderState.PARTIALLY_FILLED}
            self.children[name] = self.children[name]._replace(state=OrderState.PENDING_CANCEL)
        for change in plan.replace:
            child = self.children[change.child]
            assert child.state in {OrderState.NEW, OrderState.PARTIALLY_FILLED}
            assert change.quantity - child.quantity <= free
            self.held_to_rules(change.price, change.quantity)
            self.sent.append((self.now, change))
        if self.cumulative + self.live > self.quantity:  # amended down
            assert plan.done or not [
                child for child in self.children.values() if child.state is OrderState.NEW and child.tif != "ioc"
            ]
        assert plan.wake == 0 or plan.wake > self.now
        if plan.done:
            assert not plan.place
            assert not plan.replace
            self.done = True
        return plan

    def held_to_rules(self, price, quantity):
        assert price > 0
        assert price % self.tick == 0
        assert quantity > 0
        assert quantity % self.lot == 0
        if self.price:
            assert price <= self.price if self.side == "buy" else price >= self.price

    def accept(self, name):
        """The venue has it; one that can rest does."""
        child = self.children[name]
        if child.state is OrderState.PENDING_NEW:
            self.children[name] = child._replace(state=OrderState.NEW)

    def fill(self, name, shares):
        """Some of it trades; never more than it has left."""
        child = self.children[name]
        quantity = min(int(shares * UNIT), child.leaves)
        self.cumulative += quantity
        if quantity == child.leaves:
            del self.children[name]
            self.ended, self.reason = "filled", ""
        else:
            state = child.state if child.state is OrderState.PENDING_CANCEL else OrderState.PARTIALLY_FILLED
            self.children[name] = child._replace(leaves=child.leaves - quantity, state=state)

    def over(self, name, ended, reason=""):
        """The child is proven over."""
        del self.children[name]
        self.ended, self.reason = ended, reason

    def changed(self, name, change):
        """The broker took a change."""
        child = self.children[name]
        done = child.quantity - child.leaves
        self.children[name] = child._replace(
            price=change.price, quantity=change.quantity, leaves=max(change.quantity - done, 0)
        )
